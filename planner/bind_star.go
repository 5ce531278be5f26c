package planner

import (
	"slices"

	"github.com/weir-engine/weir/planner/sql"
)

// star binds `*` with its EXCEPT and REPLACE.
func (b *binder) star(r *Bound, f sql.Field, fromStar map[string]int, add func(sql.Pos, string, *Node, bool)) {
	if b.joins() {
		b.joinStar(r, f, fromStar, add)
		return
	}
	if f.Stream != "" && f.Stream != b.sel.From.Label() && f.Stream != b.sel.From.Name {
		b.fault(f.At, "unknown stream %q in %s.*", f.Stream, f.Stream)
		return
	}
	if b.src.Fields == nil {
		r.Star = (&Node{Op: OpColumn}).seal()
		b.except(r, f)
	} else {
		for _, c := range b.src.Fields {
			if slices.Contains(f.Except, c.Name) {
				continue
			}
			add(f.At, c.Name, b.column(f.At, "", c.Name), true)
			fromStar[c.Name] = len(r.Fields) - 1
		}
	}
	b.replace(f, add)
}

// except notes the keys of the row that are not sent.
func (b *binder) except(r *Bound, f sql.Field) {
	for _, name := range f.Except {
		if !slices.ContainsFunc(f.Replace, func(x sql.Field) bool { return x.Alias == name }) {
			r.Except = append(r.Except, name)
		}
	}
	slices.Sort(r.Except)
}

// replace binds the new values in a REPLACE.
func (b *binder) replace(f sql.Field, add func(sql.Pos, string, *Node, bool)) {
	for _, x := range f.Replace {
		// The names in a REPLACE mean the columns, not the new values.
		if n := b.expr(x.Expr); n != nil {
			add(x.At, x.Alias, n, false)
		}
	}
}
