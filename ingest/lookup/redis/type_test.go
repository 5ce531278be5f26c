package redis

import (
	"strings"
	"testing"
)

// A group of settings may leave out what another has, and must be right all the
// same.
func TestGroup(t *testing.T) {
	group := NewType().Group
	for _, c := range []struct {
		given map[string]any
		want  string // a part of the fault; empty: none
	}{
		{map[string]any{}, ""},
		{map[string]any{"addr": "h:1"}, ""},
		{map[string]any{"dataType": "list"}, ""},
		{map[string]any{"dataType": "hash"}, `redis: property "dataType": want string or list, got "hash"`},
		{map[string]any{"db": -1.0}, `redis: property "db"`},
	} {
		err := group(c.given)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %s", c.given, err, c.want)
		}
	}
}
