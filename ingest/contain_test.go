package ingest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/vec"
)

// A panic while a message is decoded costs that message, wherever in it the panic
// came, and no other: the rows are those of the messages without it.
func TestPanicInDecoder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	o := Options{}
	o.NewDecoder = func(p *vec.Plan) (Decoder, error) {
		return NewObject(&o, p, []Mapping{{Col: 0, Path: []string{"a"}}, {Col: 1, Path: []string{"x"}, Set: func(w *Writer, col int, _ vec.Kind, text []byte) error {
			if string(text) == "bang" {
				var none []int
				_ = none[len(text)]
			}
			w.Col(col).SetString(w.Row(), text)
			return nil
		}}, {Col: 2, Path: []string{"l"}}, {Col: 3, Path: []string{"o"}}})
	}
	object := func(x string) string {
		fields := []string{fmt.Sprintf(`"a":%d`, r.IntN(99)), fmt.Sprintf(`"x":%q`, x), `"l":[1,{"k":"v"}]`, `"o":{"s":"\u00e9"}`}
		r.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
		return "{" + strings.Join(fields[:1+r.IntN(4)], ",") + "}"
	}
	for range 200 {
		var all, good []string
		for range 1 + r.IntN(40) {
			var list []string
			for range 1 + r.IntN(4) {
				list = append(list, object([]string{"fine", "fine", "fine", "bang"}[r.IntN(4)]))
			}
			msg := list[0]
			if len(list) > 1 {
				msg = "[" + strings.Join(list, ",") + "]"
			}
			if all = append(all, msg); !strings.Contains(msg, "bang") {
				good = append(good, msg)
			}
		}
		var panics int
		o.OnPanic = func(text string, stack []byte) {
			if panics++; !strings.Contains(text, "out of range") || len(stack) == 0 {
				t.Errorf("told of %q", text)
			}
		}
		in, f := mustFeed(t, o, paths("a", "x", "l", "o"))
		got := pushTo(t, in, Guarded{f}, all...)
		s := f.Stats()
		in, f = mustFeed(t, o, paths("a", "x", "l", "o"))
		if want := push(t, in, f, good...); !slices.Equal(got, want) {
			t.Fatalf("of %q: got\n%s\nwant\n%s", all, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if bad := len(all) - len(good); panics != bad || s.DecodeErrors != uint64(bad) || bad > 0 && !strings.Contains(s.LastError, "fault of weir") {
			t.Fatalf("%d panics, %+v, want %d", panics, s, bad)
		}
	}
}
