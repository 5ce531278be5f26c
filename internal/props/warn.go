package props

import (
	"fmt"
	"reflect"
	"strings"
)

// Warnings lists what m has without effect: names that no table knows, with the
// nearest that one does, and properties that are accepted only. noun is what m
// holds, "property" or "option". The table must be fresh, and stays so: one table
// serves many calls at a time. What is wrong with m is left to Read.
func Warnings(noun string, m map[string]any, t Table) []string {
	var f Faults
	return warnings(noun, "", fold(m, &f), t)
}

func warnings(noun, path string, s set, t Table) []string {
	var out []string
	for _, g := range s {
		p := t.find(g.name)
		name := path + g.name
		switch {
		case p == nil:
			text := fmt.Sprintf("unknown %s %q", noun, name)
			if near := Nearest(g.name, t); near != "" {
				text += fmt.Sprintf(": did you mean %q?", path+near)
			}
			out = append(out, text)
		case p.Kind == KindGroup:
			if m, ok := object(g.v); ok {
				var f Faults
				out = append(out, warnings(noun, p.Name+".", fold(m, &f), p.Fields)...)
			}
		case p.NoEffect != "" && p.differs(g.v):
			out = append(out, fmt.Sprintf("%s %q has no effect: %s", noun, name, p.NoEffect))
		case p.notice != nil && p.notice(g.v) != "":
			out = append(out, fmt.Sprintf("%s %q: %s", noun, name, p.notice(g.v)))
		}
	}
	return out
}

// differs tells whether v is something else than the default.
func (p *Prop) differs(v any) bool {
	if p.to == nil {
		return !blank(v)
	}
	own := *p
	field := reflect.New(reflect.TypeOf(p.to).Elem())
	field.Elem().Set(reflect.ValueOf(p.to).Elem())
	own.to = field.Interface()
	return own.store(v) && own.show() != p.show()
}

// Nearest returns the name of t that name was probably meant to be; "" if none is
// near.
func Nearest(name string, t Table) string {
	low := strings.ToLower(name)
	best, least := "", 1+min(len(low)/4, 3)+1
	for i := range t {
		for _, known := range append([]string{t[i].Name}, t[i].Aliases...) {
			if d := distance(low, strings.ToLower(known), least); d < least {
				best, least = known, d
			}
		}
	}
	return best
}

// Hint ends an error about a name that is none of known: with the one that was
// probably meant, or with nothing.
func Hint(name string, known []string) string {
	t := make(Table, len(known))
	for i, k := range known {
		t[i].Name = k
	}
	if near := Nearest(name, t); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// distance counts the letters to be changed, added, left out or swapped with the
// next to make b of a. Above limit it may be any number that is not less.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit || len(a) > 64 {
		return limit
	}
	two, one, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range one {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(b)]
}
