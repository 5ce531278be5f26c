package planner

import (
	"slices"

	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// source is a stream or table of FROM or JOIN, and what its columns are
// qualified with.
type source struct {
	*Source
	label string
	at    sql.Pos
}

// maxSources bounds the sources of one rule.
const maxSources = 32

// joins tells whether the query has several sources.
func (b *binder) joins() bool { return len(b.srcs) > 1 }

// sources resolves the names in FROM and JOIN and checks that they go together.
func (b *binder) sources() bool {
	before := len(b.faults)
	b.source(b.sel.From)
	for _, j := range b.sel.Joins {
		b.source(j.Source)
	}
	if len(b.faults) > before {
		return false
	}
	b.src = b.srcs[0].Source
	if len(b.srcs) > maxSources {
		b.fault(b.srcs[maxSources].at, "%d sources are too many: at most %d can be joined", len(b.srcs), maxSources)
		return false
	}
	streams := 0
	for i, s := range b.srcs {
		if j := slices.IndexFunc(b.srcs, func(o source) bool { return o.label == s.label }); j < i {
			b.fault(s.at, "source %s stands twice: give it another name with AS", s.label)
		}
		if s.Table && (s.Lookup || b.joins()) {
			continue
		}
		streams++
		if b.set.EventTime && s.Timestamp == "" {
			b.fault(s.at, "stream %s has no TIMESTAMP option, which isEventTime needs", s.Name)
		}
	}
	switch {
	case streams == 0 && b.joins():
		b.fault(b.sel.From.At, "table %s cannot be joined with tables alone: select from a stream", b.src.Name)
	case b.src.Lookup:
		b.fault(b.sel.From.At, "lookup table %s can only be joined to a stream, not stand in FROM", b.src.Name)
	case streams > 1 && !b.window:
		b.fault(b.sel.Joins[0].At, "a time window or count window is required to join multiple streams")
	}
	return len(b.faults) == before
}

func (b *binder) source(s sql.Source) {
	src, ok := b.env.Catalog.Source(s.Name)
	if !ok {
		b.fault(s.At, "fail to get stream %s, please check if stream is created", s.Name)
		return
	}
	b.srcs = append(b.srcs, source{src, s.Label(), s.At})
}

// streams returns the names of the sources, each once.
func (b *binder) streams() []string {
	var out []string
	for _, s := range b.srcs {
		if !slices.Contains(out, s.Name) {
			out = append(out, s.Name)
		}
	}
	return out
}

// sourceOf returns the position of the source that is called name, -1: none is.
func (b *binder) sourceOf(name string) int {
	if i := slices.IndexFunc(b.srcs, func(s source) bool { return s.label == name }); i >= 0 {
		return i
	}
	return slices.IndexFunc(b.srcs, func(s source) bool { return s.Name == name })
}

// joinColumn resolves a column where there are several sources. A name without
// a source is that of the one declared source that has it; sources without a
// declaration are asked from left to right, for each row.
func (b *binder) joinColumn(at sql.Pos, stream, name string) *Node {
	if stream != "" {
		i := b.sourceOf(stream)
		if i < 0 {
			b.fault(at, "unknown stream %q in %s.%s", stream, stream, name)
			return nil
		}
		return b.sourceColumn(at, i, name)
	}
	if b.apart() && slices.ContainsFunc(b.srcs, func(s source) bool { return s.Fields == nil || s.has(name) }) {
		return anyColumn(name) // a row has one source
	}
	found := -1
	var loose []int
	for i, s := range b.srcs {
		switch {
		case s.Fields == nil:
			loose = append(loose, i)
		case !s.has(name):
		case found >= 0:
			b.fault(at, "ambiguous field %s: %s and %s have it", name, b.srcs[found].label, s.label)
			return nil
		default:
			found = i
		}
	}
	switch {
	case found >= 0:
		return b.sourceColumn(at, found, name)
	case len(loose) == 0:
		b.fault(at, "unknown column %q: no source has it", name)
		return nil
	case len(loose) == 1:
		return b.sourceColumn(at, loose[0], name)
	}
	return anyColumn(name)
}

// anyColumn returns the column called name of the first source in a joined row that
// has it.
func anyColumn(name string) *Node {
	return &Node{Op: OpColumn, Col: vec.ColumnSpec{Path: []string{"", name}}, Text: quoteName(name)}
}

func (s *Source) has(name string) bool {
	return slices.ContainsFunc(s.Fields, func(f vec.Field) bool { return f.Name == name })
}

// sourceColumn returns the column called name of source i.
func (b *binder) sourceColumn(at sql.Pos, i int, name string) *Node {
	s := b.srcs[i]
	spec := vec.ColumnSpec{Path: []string{s.label, name}}
	if s.Fields != nil {
		f := slices.IndexFunc(s.Fields, func(f vec.Field) bool { return f.Name == name })
		if f < 0 {
			b.fault(at, "unknown column %q in stream %q", name, s.Name)
			return nil
		}
		spec.Type = s.Fields[f].Type
	}
	return &Node{Op: OpColumn, Col: spec, Text: quoteName(s.label) + "." + quoteName(name)}
}

// declaredIn returns the declared columns that n, a column, is made of: itself, or
// those of the sources whose rows it is.
func (b *binder) declaredIn(n *Node) []*Node {
	path := n.Col.Path
	switch {
	case n.Col.Meta:
		return nil
	case n.Col.Type.Kind != vec.Missing:
		return []*Node{n}
	case !b.joins() || len(path) > 0 && path[0] != "" && len(path) > 1:
		return nil
	}
	var out []*Node
	for i, s := range b.srcs {
		switch {
		case s.Table:
		case len(path) > 1 && s.has(path[1]): // whichever source has it
			return []*Node{n}
		case len(path) == 0, len(path) == 1 && path[0] == s.label:
			for _, f := range s.Fields {
				out = append(out, b.sourceColumn(sql.Pos{}, i, f.Name))
			}
		}
	}
	return out
}

// joinStar binds `*` or `source.*` over several sources. Of columns that are
// called alike the one of the earlier source is sent.
func (b *binder) joinStar(r *Bound, f sql.Field, fromStar map[string]int, add func(sql.Pos, string, *Node, bool)) {
	which := b.srcs
	if f.Stream != "" {
		i := b.sourceOf(f.Stream)
		if i < 0 {
			b.fault(f.At, "unknown stream %q in %s.*", f.Stream, f.Stream)
			return
		}
		which = b.srcs[i : i+1]
	}
	if slices.ContainsFunc(which, func(s source) bool { return s.Fields == nil }) {
		b.wholeRows(r, f, which)
	} else {
		for _, s := range which {
			i := b.sourceOf(s.label)
			for _, c := range s.Fields {
				if _, ok := fromStar[c.Name]; ok || slices.Contains(f.Except, c.Name) {
					continue
				}
				n := b.sourceColumn(f.At, i, c.Name)
				if f.Stream == "" {
					n = b.firstColumn(i, c.Name)
				}
				add(f.At, c.Name, n, true)
				fromStar[c.Name] = len(r.Fields) - 1
			}
		}
	}
	b.replace(f, add)
}

// firstColumn returns the column called name of source i or, where a joined row
// lacks it, of the sources behind it: all sources are declared.
func (b *binder) firstColumn(i int, name string) *Node {
	n := b.sourceColumn(sql.Pos{}, i, name)
	spec := vec.ColumnSpec{Path: []string{"", name}, Type: n.Col.Type}
	more := false
	for _, s := range b.srcs[i+1:] {
		if at := slices.IndexFunc(s.Fields, func(f vec.Field) bool { return f.Name == name }); at >= 0 {
			more = true
			if k := spec.Type.Kind; k == vec.JSON || s.Fields[at].Type.Kind != k { // of any type
				spec.Type = vec.Type{}
			}
		}
	}
	if !more {
		return n
	}
	return &Node{Op: OpColumn, Col: spec, Text: quoteName(name)}
}

// wholeRows makes r.Star the rows of the sources in which, merged with those
// that it has already.
func (b *binder) wholeRows(r *Bound, f sql.Field, which []source) {
	for _, s := range which {
		b.stars |= 1 << b.sourceOf(s.label)
	}
	n := &Node{Op: OpColumn, Text: "*"}
	switch {
	case b.stars == 1<<len(b.srcs)-1:
	case r.Star == nil:
		n.Col.Path, n.Text = []string{which[0].label}, quoteName(which[0].label)+".*"
	default:
		b.fault(f.At, "the rows of some sources only cannot be merged: write * and leave columns out with EXCEPT")
		return
	}
	r.Star = n
	b.except(r, f)
}

// apart tells whether nothing is joined: every join is a full one whose condition
// is FALSE.
func (b *binder) apart() bool {
	return b.joins() && !slices.ContainsFunc(b.sel.Joins, func(j sql.Join) bool {
		on, ok := j.On.(*sql.Literal)
		return j.Kind != sql.FullJoin || !ok || on.Value.Kind != vec.Bool || on.Value.Truth()
	})
}

// before binds the conditions on single rows of the source called label.
func (b *binder) before(label string) []*Node {
	var out []*Node
	for _, e := range b.set.Before[label] {
		if n := b.expr(e); n != nil {
			b.onlyRow(e.Pos(), n, "a condition on rows before they are joined")
			b.condition(e.Pos(), n)
			out = append(out, conjuncts(n)...)
		}
	}
	return out
}

// onlyRow refuses a condition that does not depend on its row alone.
func (b *binder) onlyRow(at sql.Pos, n *Node, where string) {
	n.walk(func(n *Node) bool {
		if n.Op == OpAgg || n.Op == OpAnalytic {
			b.fault(at, "%s cannot stand in %s", n.Func.Name, where)
		}
		return true
	})
}

// bindJoin binds the conditions of the joins; nil means that a fault was noted.
func (b *binder) bindJoin() *BoundJoin {
	j := &BoundJoin{EventTime: b.set.EventTime, Late: b.set.LateMs, Drift: b.set.DriftMs, Apart: b.apart()}
	b.clause = "ON"
	for _, s := range b.srcs {
		j.Sources = append(j.Sources, JoinSource{
			Stream: s.Name, Label: s.label, Table: s.Table, Lookup: s.Lookup, External: s.External, Cache: s.Cache,
			Key: s.Key, Retain: s.Retain,
			Fields: s.Fields, Timestamp: s.Timestamp, timeCall: b.timeCall(s.Source),
			Where: b.before(s.label),
		})
	}
	for i, k := range b.sel.Joins {
		s := BoundJoinStep{Kind: k.Kind}
		if k.On != nil {
			on := b.expr(k.On)
			if on == nil {
				continue
			}
			b.onlyRow(k.On.Pos(), on, "ON")
			b.condition(k.On.Pos(), on)
			s.divide(j.Sources, i+1, conjuncts(on))
		}
		if b.srcs[i+1].Lookup {
			if s.Kind != sql.InnerJoin && s.Kind != sql.LeftJoin {
				b.fault(k.At, "lookup table %s can be joined with INNER or LEFT JOIN only, not %s", k.Name, k.Kind)
			} else if len(s.Left) == 0 {
				b.fault(k.At, "lookup table %s: ON wants an equality between a value of the stream and one of the table", k.Name)
			}
		}
		j.Steps = append(j.Steps, s)
	}
	if len(b.faults) > 0 {
		return nil
	}
	j.Text = j.text()
	return j
}
