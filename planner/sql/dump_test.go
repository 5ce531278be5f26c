package sql

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/weir-engine/weir/vec"
)

// dump writes a statement one part a line, expressions in canonical form.
func dump(st Statement) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	switch s := st.(type) {
	case *Select:
		dumpSelect(s, line)
	case *Create:
		line("create table=%v %q", s.Table, s.Name)
		dumpFields("", s.Fields, line)
		o, _ := json.Marshal(s.Options)
		var m map[string]any
		_ = json.Unmarshal(o, &m)
		for k, v := range m {
			if v == nil || v == "" || v == false || v == 0.0 {
				delete(m, k)
			}
		}
		o, _ = json.Marshal(m)
		line("with %s", o)
	default:
		line("%T %+v", st, st)
	}
	return b.String()
}

func dumpFields(indent string, fields []vec.Field, line func(string, ...any)) {
	for _, f := range fields {
		t, typ := f.Type, f.Type.Kind.String()
		for t.Array() {
			t = *t.Elem
			typ += " of " + t.Kind.String()
		}
		if f.Default != nil {
			p := printer{}
			p.literal(*f.Default)
			typ += " default " + string(p.buf)
		}
		line("%sfield %q %s", indent, f.Name, typ)
		dumpFields(indent+"  ", t.Fields, line)
	}
}

func canonicals(list []Expr) string {
	var s []string
	for _, e := range list {
		s = append(s, canonical(e))
	}
	return strings.Join(s, ", ")
}

func dumpOrder(keys []Order) string {
	var s []string
	for _, o := range keys {
		s = append(s, canonical(o.Expr)+map[bool]string{true: " desc"}[o.Desc])
	}
	return strings.Join(s, ", ")
}

func dumpSelect(s *Select, line func(string, ...any)) {
	if s.Distinct {
		line("distinct")
	}
	for _, f := range s.Fields {
		dumpField("field", f, line)
	}
	line("from %q %q", s.From.Name, s.From.Alias)
	for _, j := range s.Joins {
		on := "nothing"
		if j.On != nil {
			on = canonical(j.On)
		}
		line("join %s %q %q on %s", j.Kind, j.Name, j.Alias, on)
	}
	one := func(word string, e Expr) {
		if e != nil {
			line("%s %s", word, canonical(e))
		}
	}
	one("where", s.Where)
	if s.GroupBy != nil {
		line("group %s", canonicals(s.GroupBy))
	}
	if w := s.Window; w != nil {
		line("window %s %q length=%d interval=%d delay=%d", w.Kind, w.Unit, w.Length, w.Interval, w.Delay)
		if w.Args != nil {
			line("  args %s", canonicals(w.Args))
		}
		one("  filter", w.Filter)
		one("  when", w.When)
		if w.Partition != nil {
			line("  partition %s", canonicals(w.Partition))
		}
	}
	one("having", s.Having)
	if s.OrderBy != nil {
		line("order %s", dumpOrder(s.OrderBy))
	}
	if s.Limit != nil {
		line("limit %d", *s.Limit)
	}
	if s.Offset != nil {
		line("offset %d", *s.Offset)
	}
}

func dumpField(word string, f Field, line func(string, ...any)) {
	if !f.Star {
		tail := ""
		if f.Alias != "" {
			tail = fmt.Sprintf(" as %q", f.Alias)
		}
		if f.Invisible {
			tail += " invisible"
		}
		line("%s %s%s", word, canonical(f.Expr), tail)
		return
	}
	line("%s * %q except %q", word, f.Stream, f.Except)
	for _, r := range f.Replace {
		dumpField("  replace", r, line)
	}
}

// exprsOf returns the top expressions of s.
func exprsOf(s *Select) []Expr {
	var list []Expr
	add := func(e ...Expr) {
		for _, x := range e {
			if x != nil {
				list = append(list, x)
			}
		}
	}
	for _, f := range s.Fields {
		add(f.Expr)
		for _, r := range f.Replace {
			add(r.Expr)
		}
	}
	for _, j := range s.Joins {
		add(j.On)
	}
	add(s.Where, s.Having)
	add(s.GroupBy...)
	if w := s.Window; w != nil {
		add(w.Filter, w.When)
		add(w.Args...)
		add(w.Partition...)
	}
	for _, o := range s.OrderBy {
		add(o.Expr)
	}
	return list
}

// canonical returns a text that is equal for two expressions exactly if they are
// the same, places apart.
func canonical(e Expr) string {
	p := printer{full: true}
	p.expr(e, 0)
	return string(p.buf)
}
