//go:build invariants

package store

import (
	"strings"
	"testing"
)

// A number of an outbox that was removed, or that another one has, is never used.
func TestOutboxNumbers(t *testing.T) {
	for want, f := range map[string]func(s *Store){
		`outboxes "b" and "a" both have number 1`: func(s *Store) {
			mustOutbox(t, s, "a")
			s.nextDest = 0
			mustOutbox(t, s, "b")
		},
		`outbox "a" was removed and is written to`: func(s *Store) {
			o := mustOutbox(t, s, "a")
			if err := o.Remove(); err != nil {
				t.Fatal(err)
			}
			o.put(s.Begin(), segment{1, 1, 1, 1}, []byte("x"))
		},
	} {
		func() {
			s, err := Open(Options{Logger: quiet})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, want) {
					t.Errorf("got %q, want %q", text, want)
				}
			}()
			f(s)
		}()
	}
}
