//go:build slim

package sql

import "unique"

// treeOf returns draft, which has no faults, as the tree: TiDB's parser, which makes
// it in the full build, is a quarter of the binary, and tests hold that the two trees
// are equal. Names are one copy for all statements, as they are there: cut from the
// statement's text they would keep all of it.
func treeOf(draft *Select) (*Select, error) {
	shareFields(draft.Fields)
	share(&draft.From.Name)
	share(&draft.From.Alias)
	for i := range draft.Joins {
		j := &draft.Joins[i]
		share(&j.Name)
		share(&j.Alias)
		shareNames(j.On)
	}
	shareNames(draft.Where)
	shareNames(draft.GroupBy...)
	if w := draft.Window; w != nil {
		share(&w.Unit)
		shareNames(w.Args...)
		shareNames(w.Filter, w.When)
		shareNames(w.Partition...)
	}
	shareNames(draft.Having)
	for _, o := range draft.OrderBy {
		shareNames(o.Expr)
	}
	return draft, nil
}

func share(s *string) { *s = unique.Make(*s).Value() }

func shareFields(list []Field) {
	for i := range list {
		f := &list[i]
		share(&f.Alias)
		share(&f.Stream)
		for k := range f.Except {
			share(&f.Except[k])
		}
		shareFields(f.Replace)
		shareNames(f.Expr)
	}
}

// shareNames makes the names in list one copy each.
func shareNames(list ...Expr) {
	for _, e := range list {
		Walk(e, func(e Expr) bool {
			switch e := e.(type) {
			case *Ident:
				share(&e.Stream)
				share(&e.Name)
			case *Star:
				share(&e.Stream)
			case *Arrow:
				share(&e.Key)
			case *Call:
				share(&e.Name)
				share(&e.Written)
			}
			return true
		})
	}
}
