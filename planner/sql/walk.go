package sql

// Walk calls f for e and everything in it, an operator before its operands and
// these from left to right. It does not go into what f returned false for. e may
// be nil.
func Walk(e Expr, f func(Expr) bool) {
	if e == nil || !f(e) {
		return
	}
	switch e := e.(type) {
	case *Unary:
		Walk(e.X, f)
	case *Binary:
		Walk(e.L, f)
		Walk(e.R, f)
	case *Arrow:
		Walk(e.X, f)
	case *Index:
		Walk(e.X, f)
		Walk(e.I, f)
	case *Slice:
		Walk(e.X, f)
		Walk(e.From, f)
		Walk(e.To, f)
	case *Call:
		walkAll(e.Args, f)
		Walk(e.Filter, f)
		walkAll(e.Partition, f)
		Walk(e.When, f)
		for _, o := range e.OrderBy {
			Walk(o.Expr, f)
		}
	case *Case:
		Walk(e.X, f)
		for _, w := range e.Whens {
			Walk(w.Cond, f)
			Walk(w.Result, f)
		}
		Walk(e.Else, f)
	case *In:
		Walk(e.X, f)
		walkAll(e.List, f)
		Walk(e.Array, f)
	case *Between:
		Walk(e.X, f)
		Walk(e.Lo, f)
		Walk(e.Hi, f)
	case *Like:
		Walk(e.X, f)
		Walk(e.Pattern, f)
	case *IsNull:
		Walk(e.X, f)
	}
}

func walkAll(list []Expr, f func(Expr) bool) {
	for _, e := range list {
		Walk(e, f)
	}
}
