//go:build !slim

package sql

import (
	"strconv"

	"github.com/weir-engine/weir/vec"
)

// emitter writes the canonical statement that TiDB's parser reads, and notes in
// the same order what stands outside of it: the place of every node and the
// value of every literal. builder reads TiDB's tree in this order too, which is how
// the two meet again.
//
// Sources are numbered (s0, s1; a0 for one that is named by its alias), because
// rules over 8,000 streams often differ in nothing else. What MySQL does not have
// is a call of a name with a backquote in it, which no user can write.
type emitter struct {
	buf     []byte
	sources []Source
	places  []Pos
	values  []vec.Value
	marks   []int // offset of the placeholder of each value
}

// reset empties e and forgets the user's texts. Buffers that a long statement
// needed are let go.
func (e *emitter) reset() {
	if cap(e.buf) > memoText || cap(e.values) > memoText/8 {
		*e = emitter{}
		return
	}
	clear(e.sources)
	clear(e.values)
	e.buf, e.sources, e.places, e.values, e.marks = e.buf[:0], e.sources[:0], e.places[:0], e.values[:0], e.marks[:0]
}

func (e *emitter) text(s string) { e.buf = append(e.buf, s...) }

// ident writes a quoted identifier.
func (e *emitter) ident(s string) {
	e.buf = append(e.buf, '`')
	e.buf = append(e.buf, s...)
	e.buf = append(e.buf, '`')
}

// open begins a call of one of our own operators.
func (e *emitter) open(op string) {
	e.text("```")
	e.text(op)
	e.text("`(")
}

func (e *emitter) shut() { e.buf = append(e.buf, ')') }

// comma separates from what follows, unless nothing stands before it.
func (e *emitter) comma() {
	if e.buf[len(e.buf)-1] != '(' {
		e.buf = append(e.buf, ',')
	}
}

// place notes where the next thing stands in the user's text.
func (e *emitter) place(at Pos) { e.places = append(e.places, at) }

// value writes a placeholder for v.
func (e *emitter) value(v vec.Value) {
	e.marks = append(e.marks, len(e.buf))
	e.values = append(e.values, v)
	e.buf = append(e.buf, '?')
}

// label writes the number of the source that is called name.
func (e *emitter) label(name string) {
	kind, n := byte('s'), 0
	for i, s := range e.sources {
		if s.Alias == name {
			kind, n = 'a', i
			break
		}
		if s.Name == name {
			kind, n = 's', i
			break
		}
	}
	e.buf = append(e.buf, '`', kind)
	e.buf = strconv.AppendInt(e.buf, int64(n), 10)
	e.buf = append(e.buf, '`')
}

func (e *emitter) query(s *Select) {
	e.sources = append(e.sources, s.From)
	for _, j := range s.Joins {
		e.sources = append(e.sources, j.Source)
	}
	e.text("SELECT ")
	if s.Distinct {
		e.text("DISTINCT ")
	}
	for i := range s.Fields {
		if i > 0 {
			e.text(",")
		}
		e.field(&s.Fields[i])
	}
	e.from(s)
	if s.Where != nil {
		e.text(" WHERE ")
		e.expr(s.Where)
	}
	e.groupBy(s)
	if s.Having != nil {
		e.text(" HAVING ")
		e.expr(s.Having)
	}
	for i, o := range s.OrderBy {
		if i == 0 {
			e.text(" ORDER BY ")
		} else {
			e.text(",")
		}
		e.place(o.At)
		e.expr(o.Expr)
		if o.Desc {
			e.text(" DESC")
		}
	}
	e.limit(s)
}

func (e *emitter) field(f *Field) {
	e.place(f.At)
	if !f.Star {
		if f.Invisible {
			e.open("invisible")
		}
		e.expr(f.Expr)
		if f.Invisible {
			e.shut()
		}
		if f.Alias != "" {
			e.text(" AS ")
			e.ident(f.Alias)
		}
		return
	}
	if f.Stream != "" {
		e.label(f.Stream)
		e.text(".*")
		return
	}
	if f.Except == nil && f.Replace == nil {
		e.text("*")
		return
	}
	e.open("all")
	if f.Except != nil {
		e.open("except")
		for _, name := range f.Except {
			e.comma()
			e.ident(name)
		}
		e.shut()
	}
	for i := range f.Replace {
		e.comma()
		e.open("replace")
		e.place(f.Replace[i].At)
		e.expr(f.Replace[i].Expr)
		e.comma()
		e.ident(f.Replace[i].Alias)
		e.shut()
	}
	e.shut()
}

// from writes the joins as a tree in parentheses that leans to the left. FULL
// JOIN is a LEFT JOIN on a mark; a condition that is left out is a mark too.
func (e *emitter) from(s *Select) {
	e.text(" FROM ")
	for range s.Joins {
		e.text("(")
	}
	e.text("`s0`")
	for i, j := range s.Joins {
		switch j.Kind {
		case InnerJoin:
			e.text(" INNER JOIN ")
		case RightJoin:
			e.text(" RIGHT JOIN ")
		case CrossJoin:
			e.text(" CROSS JOIN ")
		default:
			e.text(" LEFT JOIN ")
		}
		e.buf = append(e.buf, "`s"...)
		e.buf = strconv.AppendInt(e.buf, int64(i+1), 10)
		e.text("`")
		if j.Kind != CrossJoin {
			e.text(" ON ")
			if j.Kind == FullJoin {
				e.open("full")
			}
			e.optional(j.On)
			if j.Kind == FullJoin {
				e.shut()
			}
		}
		e.text(")")
	}
}

func (e *emitter) groupBy(s *Select) {
	if s.Window == nil && s.GroupBy == nil {
		return
	}
	e.text(" GROUP BY ")
	if w := s.Window; w != nil {
		e.window(w)
	}
	for i, x := range s.GroupBy {
		if i > 0 || s.Window != nil {
			e.text(",")
		}
		e.expr(x)
	}
}

func (e *emitter) window(w *Window) {
	e.open("window")
	e.place(w.At)
	e.ident(w.Kind.String())
	e.comma()
	e.ident("u" + w.Unit)
	for _, n := range [...]int64{w.Length, w.Interval, w.Delay} {
		e.comma()
		e.value(vec.IntValue(n))
	}
	e.list("args", w.Args)
	e.clause("filter", w.Filter)
	e.clause("when", w.When)
	e.list("partition", w.Partition)
	e.shut()
}

// limit writes LIMIT and OFFSET. MySQL has no OFFSET without LIMIT: its manual
// says to write the greatest number then.
func (e *emitter) limit(s *Select) {
	if s.Limit != nil {
		e.text(" LIMIT ")
		e.value(vec.IntValue(*s.Limit))
	} else if s.Offset != nil {
		e.text(" LIMIT 18446744073709551615")
	}
	if s.Offset != nil {
		e.text(" OFFSET ")
		e.value(vec.IntValue(*s.Offset))
	}
}
