//go:build !slim

package sql

import "github.com/weir-engine/weir/vec"

// clause writes a call of op over x, if there is an x.
func (e *emitter) clause(op string, x Expr) {
	if x == nil {
		return
	}
	e.comma()
	e.open(op)
	e.expr(x)
	e.shut()
}

// list writes a call of op over list, unless that is empty.
func (e *emitter) list(op string, list []Expr) {
	if list == nil {
		return
	}
	e.comma()
	e.open(op)
	e.exprs(list)
	e.shut()
}

func (e *emitter) exprs(list []Expr) {
	for _, x := range list {
		e.comma()
		e.expr(x)
	}
}

// optional writes x, or a mark where there is none.
func (e *emitter) optional(x Expr) {
	if x == nil {
		e.open("none")
		e.shut()
		return
	}
	e.expr(x)
}

// expr writes x so that it needs no parentheses around it.
func (e *emitter) expr(x Expr) {
	e.place(x.Pos())
	switch x := x.(type) {
	case *Ident:
		if x.Stream != "" {
			e.label(x.Stream)
			e.text(".")
		}
		e.ident(x.Name)
	case *Star:
		e.open("star")
		if x.Stream != "" {
			e.label(x.Stream)
		}
		e.shut()
	case *Literal:
		e.value(x.Value)
	case *Unary:
		e.text("(")
		if x.Op == OpNot {
			e.text("NOT ")
		} else {
			e.text("-")
		}
		e.expr(x.X)
		e.text(")")
	case *Binary:
		e.binary(x)
	case *Arrow:
		e.open("arrow")
		e.expr(x.X)
		e.comma()
		e.ident(x.Key)
		e.shut()
	case *Index:
		e.open("index")
		e.expr(x.X)
		e.comma()
		e.expr(x.I)
		e.shut()
	case *Slice:
		e.open("slice")
		e.expr(x.X)
		e.comma()
		e.optional(x.From)
		e.comma()
		e.optional(x.To)
		e.shut()
	case *Call:
		e.call(x)
	case *Case:
		e.caseExpr(x)
	default:
		e.predicate(x)
	}
}

func (e *emitter) binary(x *Binary) {
	if x.Op == OpConcat {
		e.open("concat")
		e.expr(x.L)
		e.comma()
		e.expr(x.R)
		e.shut()
		return
	}
	e.text("(")
	e.expr(x.L)
	e.text(" ")
	e.text(x.Op.String())
	e.text(" ")
	e.expr(x.R)
	e.text(")")
}

func (e *emitter) call(x *Call) {
	e.ident(x.Written)
	e.text("(")
	e.exprs(x.Args)
	if x.Distinct {
		e.comma()
		e.open("distinct")
		e.shut()
	}
	e.clause("filter", x.Filter)
	if x.HasOver {
		e.comma()
		e.open("over")
		e.list("partition", x.Partition)
		e.clause("when", x.When)
		for _, o := range x.OrderBy {
			e.comma()
			if o.Desc {
				e.open("desc")
			} else {
				e.open("asc")
			}
			e.place(o.At)
			e.expr(o.Expr)
			e.shut()
		}
		e.shut()
	}
	e.shut()
}

func (e *emitter) caseExpr(x *Case) {
	e.text("(CASE ")
	if x.X != nil {
		e.expr(x.X)
	}
	for _, w := range x.Whens {
		e.text(" WHEN ")
		e.expr(w.Cond)
		e.text(" THEN ")
		e.expr(w.Result)
	}
	if x.Else != nil {
		e.text(" ELSE ")
		e.expr(x.Else)
	}
	e.text(" END)")
}

// predicate writes the expressions that [NOT] may stand in.
func (e *emitter) predicate(x Expr) {
	not := func(not bool, word string) {
		if not {
			e.text(" NOT")
		}
		e.text(word)
	}
	e.text("(")
	switch x := x.(type) {
	case *In:
		e.expr(x.X)
		not(x.Not, " IN (")
		if x.Array != nil {
			e.open("array")
			e.expr(x.Array)
			e.shut()
		}
		e.exprs(x.List)
		e.text(")")
	case *Between:
		e.expr(x.X)
		not(x.Not, " BETWEEN ")
		e.expr(x.Lo)
		e.text(" AND ")
		e.expr(x.Hi)
	case *Like:
		e.expr(x.X)
		not(x.Not, " LIKE ")
		if x.Escape != '\\' {
			e.open("escape")
			e.value(vec.IntValue(int64(x.Escape)))
			e.comma()
		}
		e.expr(x.Pattern)
		if x.Escape != '\\' {
			e.shut()
		}
	case *IsNull:
		e.expr(x.X)
		e.text(" IS")
		not(x.Not, " NULL")
	}
	e.text(")")
}
