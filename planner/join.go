package planner

import (
	"slices"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// JoinSource is a stream or table that is joined.
type JoinSource struct {
	Stream    string // its name
	Label     string // what its columns are qualified with
	Num       uint32 // its number, see NewJoinBuilder
	Table     bool
	Lookup    bool
	External  bool        // lookup table: a store is asked for its rows
	Cache     LookupCache // external lookup table
	Key       string      // lookup table: the field that rows are kept by
	Retain    int64       // scan table: how many rows are kept, 0: all
	Fields    []vec.Field // nil: not declared
	Timestamp string
	Where     []*Node // conditions that a row of it meets before anything else, over the columns of the join

	timeCall *Node // see binder.timeCall
}

// LookupCache says what is kept of the answers of an external lookup table.
type LookupCache struct {
	On      bool
	Missing bool  // that there is no row for a key, too
	TTLMs   int64 // how long; 0: as long as rules use the table
}

// BoundJoin is FROM and JOIN of a rule, with names resolved. What is over it
// reads columns whose paths begin with the label of a source, or with "" for
// the first source that has the rest; the empty path is the merged row.
type BoundJoin struct {
	Sources   []JoinSource
	Steps     []BoundJoinStep // Steps[i] joins Sources[i+1] to those before it
	EventTime bool
	Late      int64  // lateTolerance, ms
	Drift     int64  // maxFutureDrift, ms; 0: none
	Apart     bool   // no rows are joined: those of all sources stand beside each other, in order
	Text      string // equal for joins that are the same
}

// BoundJoinStep joins one source. Left[i] and Right[i], the one over the sources
// before it and the other over it alone, must be equal, and Rest must hold. LeftIf[i]
// are those of Rest that stand before Left[i] in the text and look at what it looks
// at: where one of them does not hold it does not count that Left[i] failed.
type BoundJoinStep struct {
	Kind            sql.JoinKind
	Left, Right     []*Node
	LeftIf, RightIf [][]*Node
	Rest            []*Node

	on []string // the parts of the condition, in order
}

// Fields returns the columns of an external lookup table that its store is asked
// for, in order of Left.
func (s *BoundJoinStep) Fields() []string {
	var out []string
	for _, n := range s.Right {
		out = append(out, n.Col.Path[1])
	}
	return out
}

// JoinPlan is what a program does before its rules: it joins rows that the
// programs of several streams hand to it.
type JoinPlan struct {
	Sources []JoinSource
	Steps   []JoinStep
	Before  [][]StepID // Before[i] are the conditions on single rows of Sources[i]; nil: there are none
	// BeforeCols[i] are the columns that Before[i] reads.
	BeforeCols [][]int
	Apart      bool // see BoundJoin
	EventTime  bool
	Late       int64
}

// JoinStep is a BoundJoinStep as steps of the program, and the columns that they
// read.
type JoinStep struct {
	Kind        sql.JoinKind
	Left, Right JoinKey
	Rest        []StepID
	RestCols    []int
	Keys        []string // external lookup table: its columns that must equal Left
}

// JoinKey is the values of one side that those of the other must equal.
type JoinKey struct {
	Steps []StepID
	If    [][]StepID // see BoundJoinStep
	Cols  []int      // that all of them read
}

// divide finds the equalities of a condition that a hash table can look up.
func (s *BoundJoinStep) divide(srcs []JoinSource, right int, conds []*Node) {
	own, before := uint64(1)<<right, uint64(1)<<right-1
	for _, c := range conds {
		if c.Op == OpEq {
			l, r := c.Args[0], c.Args[1]
			lm, rm := reads(srcs, l), reads(srcs, r)
			if lm == own {
				l, r, lm, rm = r, l, rm, lm
			}
			if rm == own && lm != 0 && lm&^before == 0 && (!srcs[right].External || srcs[right].isField(r)) {
				s.LeftIf = append(s.LeftIf, s.looking(srcs, before))
				s.RightIf = append(s.RightIf, s.looking(srcs, own))
				s.Left, s.Right = append(s.Left, l), append(s.Right, r)
				s.on = append(s.on, l.Text+" = "+r.Text)
				continue
			}
		}
		s.Rest = append(s.Rest, c)
		s.on = append(s.on, c.Text)
	}
}

// looking returns the conditions so far that look at the sources of mask alone.
func (s *BoundJoinStep) looking(srcs []JoinSource, mask uint64) []*Node {
	var out []*Node
	for _, c := range s.Rest {
		if reads(srcs, c)&^mask == 0 {
			out = append(out, c)
		}
	}
	return out
}

// isField tells whether n is a column of s itself, which a store can be asked for.
func (s *JoinSource) isField(n *Node) bool {
	return n.Op == OpColumn && n.From == nil && !n.Col.Meta && len(n.Col.Path) == 2 && n.Col.Path[0] == s.Label
}

// reads returns the set of sources whose columns n reads.
func reads(srcs []JoinSource, n *Node) uint64 {
	var mask uint64
	n.walk(func(x *Node) bool {
		if x.Op == OpColumn {
			for i := range srcs {
				if srcs[i].gives(x.Col) {
					mask |= 1 << i
				}
			}
		}
		return true
	})
	return mask
}

// gives tells whether a column of the join may take its value from s.
func (s *JoinSource) gives(c vec.ColumnSpec) bool {
	switch {
	case len(c.Path) == 0:
		return true
	case c.Path[0] == "":
		return c.Meta || s.Fields == nil || s.field(c.Path[1]) >= 0
	}
	return c.Path[0] == s.Label
}

// field returns the position of the declared column called name, -1: there is none.
func (s *JoinSource) field(name string) int {
	return slices.IndexFunc(s.Fields, func(f vec.Field) bool { return f.Name == name })
}

// Needs calls f for each column of s that column c of the join is made of.
func (s *JoinSource) Needs(c vec.ColumnSpec, f func(vec.ColumnSpec)) {
	switch {
	case !s.gives(c):
	case len(c.Path) > 0 && c.Path[0] == "" && s.Fields != nil && !c.Meta:
		if t, ok := typeAt(s.Fields[s.field(c.Path[1])].Type, c.Path[2:]); ok {
			f(vec.ColumnSpec{Path: c.Path[1:], Type: t})
		}
	case len(c.Path) > 0:
		f(vec.ColumnSpec{Path: c.Path[1:], Meta: c.Meta, Type: c.Type})
	case s.Fields == nil:
		f(vec.ColumnSpec{})
	default:
		for _, x := range s.Fields {
			f(vec.ColumnSpec{Path: []string{x.Name}, Type: x.Type})
		}
	}
}

// typeAt returns the type of what path leads to below a field of type t; ok is false
// if t is declared without it.
func typeAt(t vec.Type, path []string) (of vec.Type, ok bool) {
	for _, key := range path {
		if t.Kind == vec.Missing {
			break
		}
		i := slices.IndexFunc(t.Fields, func(f vec.Field) bool { return f.Name == key })
		if i < 0 {
			return t, false
		}
		t = t.Fields[i].Type
	}
	return t, true
}

func (j *BoundJoin) text() string {
	var b strings.Builder
	for i, s := range j.Sources {
		if i > 0 {
			k := &j.Steps[i-1]
			b.WriteString(" " + k.Kind.String() + " JOIN ")
		}
		b.WriteString(quoteName(s.Stream))
		if s.Label != s.Stream {
			b.WriteString(" AS " + quoteName(s.Label))
		}
		for _, n := range s.Where {
			b.WriteString(" WHERE " + n.Text)
		}
		if i > 0 {
			if on := strings.Join(j.Steps[i-1].on, " AND "); on != "" {
				b.WriteString(" ON " + on)
			}
		}
	}
	if j.EventTime {
		b.WriteString(" event time " + strconv.FormatInt(j.Late, 10) + " " + strconv.FormatInt(j.Drift, 10))
	}
	return b.String()
}

// NewJoinBuilder makes the builder of a join's program. nums has the numbers of
// the streams and tables by name. Rules can be added until the first Program is
// taken, or they would share rows from before they came.
func NewJoinBuilder(j *BoundJoin, nums map[string]uint32) *Builder {
	b := NewBuilder()
	p := &JoinPlan{Sources: slices.Clone(j.Sources), Apart: j.Apart, EventTime: j.EventTime, Late: j.Late}
	steps := func(ns []*Node, cols []int) ([]StepID, []int) {
		var ids []StepID
		for _, n := range ns {
			id := b.intern(n)
			ids = append(ids, id)
			cols = b.inputs(id, cols)
		}
		return ids, cols
	}
	key := func(ns []*Node, ifs [][]*Node) (k JoinKey) {
		k.Steps, k.Cols = steps(ns, nil)
		for _, c := range ifs {
			var ids []StepID
			ids, k.Cols = steps(c, k.Cols)
			k.If = append(k.If, ids)
		}
		return k
	}
	for i := range p.Sources {
		s := &p.Sources[i]
		s.Num = nums[s.Stream]
		if len(s.Where) == 0 {
			continue
		}
		if p.Before == nil {
			p.Before, p.BeforeCols = make([][]StepID, len(p.Sources)), make([][]int, len(p.Sources))
		}
		p.Before[i], p.BeforeCols[i] = steps(s.Where, nil)
	}
	for i, s := range j.Steps {
		k := JoinStep{Kind: s.Kind}
		if p.Sources[i+1].External {
			k.Keys = s.Fields()
		}
		k.Left, k.Right = key(s.Left, s.LeftIf), key(s.Right, s.RightIf)
		k.Rest, k.RestCols = steps(s.Rest, nil)
		p.Steps = append(p.Steps, k)
	}
	b.prog.Join = p
	return b
}

// inputs appends the input columns that step id reads to cols, each once.
func (b *Builder) inputs(id StepID, cols []int) []int {
	s := &b.prog.Steps[id]
	if s.Op == OpColumn && !slices.Contains(cols, s.Col) {
		cols = append(cols, s.Col)
	}
	for _, a := range s.In {
		cols = b.inputs(a, cols)
	}
	return cols
}

// Feed returns what the program of stream does for the join whose program has
// number num: a stream hands rows on, a table keeps them.
func (q *Query) Feed(stream string, num uint32) *Bound {
	over := &Bound{Limit: -1}
	seen := map[string]bool{}
	need := func(c vec.ColumnSpec) {
		if k := c.Key(); !seen[k] {
			seen[k] = true
			over.Fields = append(over.Fields, BoundField{Name: k, Node: (&Node{Op: OpColumn, Col: c}).seal()})
		}
	}
	feed := &BoundFeed{Stream: stream, Join: num, Over: over}
	var table *BoundTable
	for i := range q.Join.Sources {
		s := &q.Join.Sources[i]
		switch {
		case s.Stream != stream:
		case s.Table: // the same for every rule, so that all share what is kept
			s.Needs(vec.ColumnSpec{}, need)
			table = s.table(over)
		default:
			q.walk(func(n *Node) bool {
				if n.Op == OpColumn && n.From == nil {
					s.Needs(n.Col, need)
				}
				return true
			})
			if i == 0 {
				over.Where = q.early()
			}
			if q.Join.EventTime {
				feed.Time = timeOf((&Node{Op: OpColumn, Col: s.column(s.Timestamp)}).seal(), s.timeCall)
				feed.DriftMs = q.Join.Drift
			}
		}
	}
	if table != nil {
		return &Bound{Limit: -1, Stage: table}
	}
	return &Bound{Limit: -1, Stage: feed}
}

// table returns what keeps the rows of s, which is a table.
func (s *JoinSource) table(over *Bound) *BoundTable {
	if !s.Lookup || s.External {
		return &BoundTable{Retain: s.Retain, Over: over}
	}
	return &BoundTable{
		Key:     (&Node{Op: OpColumn, Col: s.column(s.Key)}).seal(),
		RowKind: (&Node{Op: OpColumn, Col: vec.ColumnSpec{Meta: true, Path: []string{"rowkind"}}}).seal(),
		Over:    over,
	}
}

// column returns the column of a declared or undeclared field.
func (s *JoinSource) column(name string) vec.ColumnSpec {
	c := vec.ColumnSpec{Path: []string{name}}
	for _, f := range s.Fields {
		if f.Name == name {
			c.Type = f.Type
		}
	}
	return c
}

// walk calls f for the nodes of the query, and for what those of a window's output
// stand for, as deep as f returns true.
func (q *Query) walk(f func(*Node) bool) {
	list := func(ns []*Node) {
		for _, n := range ns {
			n.reach(f)
		}
	}
	for _, s := range q.Join.Sources {
		list(s.Where)
	}
	for _, s := range q.Join.Steps {
		list(s.Left)
		list(s.Right)
		list(s.Rest)
	}
	q.Root.reach(f)
}

// reach calls f for the nodes of n, and for what those of a window's output stand for, as
// deep as f returns true.
func (n *Node) reach(f func(*Node) bool) {
	if n == nil {
		return
	}
	n.walk(func(x *Node) bool {
		if !f(x) {
			return false
		}
		if x.Op == OpColumn {
			x.From.reach(f)
		}
		return true
	})
}

// reach calls f for the nodes of r and of its window as Node.reach does.
func (r *Bound) reach(f func(*Node) bool) {
	again := func(n *Node) bool {
		n.reach(f)
		return false
	}
	for r != nil {
		r.each(again)
		w, ok := r.Stage.(*BoundWindow)
		if !ok {
			return
		}
		for _, n := range slices.Concat(w.Where, w.Parts, w.Keys, []*Node{w.Filter, w.When, w.Emit}) {
			n.reach(f)
		}
		r = w.Over
	}
}
