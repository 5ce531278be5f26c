package sql

// Replace returns a copy of e in which what f returns stands for what it was
// called with, where it says ok; it does not go into these. It shares what stays
// as it is with e, which is not written. e may be nil.
func Replace(e Expr, f func(Expr) (x Expr, ok bool)) Expr {
	if e == nil {
		return nil
	}
	if x, ok := f(e); ok {
		return x
	}
	switch e := e.(type) {
	case *Unary:
		return &Unary{e.Node, e.Op, Replace(e.X, f)}
	case *Binary:
		return &Binary{e.Node, e.Op, Replace(e.L, f), Replace(e.R, f)}
	case *Arrow:
		return &Arrow{e.Node, Replace(e.X, f), e.Key}
	case *Index:
		return &Index{e.Node, Replace(e.X, f), Replace(e.I, f)}
	case *Slice:
		return &Slice{e.Node, Replace(e.X, f), Replace(e.From, f), Replace(e.To, f)}
	case *Call:
		return replaceCall(e, f)
	case *Case:
		c := &Case{e.Node, Replace(e.X, f), nil, Replace(e.Else, f)}
		for _, w := range e.Whens {
			c.Whens = append(c.Whens, When{Replace(w.Cond, f), Replace(w.Result, f)})
		}
		return c
	case *In:
		return &In{e.Node, Replace(e.X, f), replaceAll(e.List, f), Replace(e.Array, f), e.Not}
	case *Between:
		return &Between{e.Node, Replace(e.X, f), Replace(e.Lo, f), Replace(e.Hi, f), e.Not}
	case *Like:
		return &Like{e.Node, Replace(e.X, f), Replace(e.Pattern, f), e.Escape, e.Not}
	case *IsNull:
		return &IsNull{e.Node, Replace(e.X, f), e.Not}
	}
	return e // an identifier, a literal or a star
}

func replaceCall(e *Call, f func(Expr) (Expr, bool)) Expr {
	c := *e
	c.Args, c.Filter = replaceAll(e.Args, f), Replace(e.Filter, f)
	c.Partition, c.When = replaceAll(e.Partition, f), Replace(e.When, f)
	c.OrderBy = nil
	for _, o := range e.OrderBy {
		c.OrderBy = append(c.OrderBy, Order{o.At, Replace(o.Expr, f), o.Desc})
	}
	return &c
}

func replaceAll(list []Expr, f func(Expr) (Expr, bool)) []Expr {
	var out []Expr
	for _, e := range list {
		out = append(out, Replace(e, f))
	}
	return out
}
