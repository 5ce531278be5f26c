package planner

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// Source is what the binder must know of a stream or table.
type Source struct {
	Name       string
	Table      bool
	Lookup     bool        // a lookup table
	External   bool        // a lookup table whose rows a store is asked for
	Cache      LookupCache // of an external lookup table
	Fields     []vec.Field // nil: schemaless
	Timestamp  string      // field with the event time, or ""
	TimeFormat string      // pattern of the event time where it is text, "" for the usual ones
	Key        string      // lookup table: the field that rows are kept by
	Retain     int64       // scan table: how many rows are kept, 0: all
}

// Catalog resolves the names in FROM and JOIN.
type Catalog interface {
	// Source returns the stream or table called name.
	Source(name string) (*Source, bool)
}

// Env is what binding needs beside the rule.
type Env struct {
	Funcs   FuncSet
	Catalog Catalog
	// Fold evaluates an expression without columns; an error leaves it as it is,
	// to fail for each row.
	Fold func(*Node) (vec.Value, error)
	// Compute computes an operation or a scalar call for values of its operands. With
	// it Bind looks for what can only fail, see Query.Doubts; nil: it does not.
	Compute func(n *Node, args []vec.Value) (vec.Value, error)
}

// Settings are the rule's options as far as they change what it computes.
type Settings struct {
	EventTime   bool
	LateMs      int64
	DriftMs     int64 // maxFutureDrift; 0: none
	SendMeta    bool
	SendNil     bool
	RuleStartMs int64
	// After applies WHERE behind the window, whatever its kind.
	After bool
	// Before are conditions on the rows of single sources, by their labels, before
	// they are joined.
	Before map[string][]sql.Expr
	// Part counts the statements of a rule that has several, from 0.
	Part int
	// Epoch is the program in which the rule will start: rules that start together
	// share what depends on the rows since. See Builder.Next.
	Epoch uint64
}

// Query is a rule that was bound: its input and what to do with it.
type Query struct {
	Streams []string   // inputs, each once; the first is FROM
	Root    *Bound     // over the first stream, or over what Join gives
	Join    *BoundJoin // nil: one stream
	// Since is the epoch that the query was bound for, if what it sends depends on the
	// rows since it starts; 0: it may start in any.
	Since uint64
	// Doubts are what the rule can only lose rows by, each with its place: what fails
	// for every row, and conditions that are never true.
	Doubts []string
}

// Bind resolves every name of sel and checks what can be checked before data
// comes. The error lists each fault with its place in the text.
func Bind(env Env, name string, sel *sql.Select, set Settings) (*Query, error) {
	b := &binder{env: env, name: name, self: name, set: set, sel: sel, aliases: map[string]*alias{}}
	if set.Part > 0 {
		b.self += "/" + strconv.Itoa(set.Part)
	}
	q := b.query()
	if len(b.faults) > 0 {
		return nil, errors.Join(b.faults...)
	}
	q.Doubts = b.odd.texts
	return q, nil
}

type alias struct {
	expr sql.Expr
	node *Node
}

type binder struct {
	env     Env
	name    string
	set     Settings
	self    string // name, and which statement of several this is
	sel     *sql.Select
	src     *Source  // of FROM
	srcs    []source // FROM and every JOIN
	stars   uint64   // sources whose rows r.Star has
	aliases map[string]*alias
	stack   []string // aliases whose definitions are being bound
	faults  []error
	calls   int         // volatile calls so far
	since   uint64      // see Query
	reads   []*Node     // see declared
	states  [2]stateful // analytic calls so far: those over rows, those over aggregates
	window  bool        // the query has a window
	inAgg   bool        // inside an aggregate's arguments
	clause  string
	odd     doubts
}

// fault notes an error at a place of the text.
func (b *binder) fault(at sql.Pos, format string, args ...any) {
	where := ""
	if at.Line > 0 {
		where = fmt.Sprintf("line %d column %d: ", at.Line, at.Col)
	}
	b.faults = append(b.faults, fmt.Errorf("%s%s", where, fmt.Sprintf(format, args...)))
}

// query binds the whole statement.
func (b *binder) query() *Query {
	s := b.sel
	b.window = s.Window != nil
	if !b.sources() {
		return nil
	}
	if len(s.GroupBy) > 0 && !b.window {
		b.fault(s.GroupBy[0].Pos(), "select stmt group by should be used with window")
	}
	if b.set.SendMeta && (b.window || b.joins()) {
		b.fault(s.From.At, "sendMetaToSink cannot be used with a window or several streams")
	}
	b.collectAliases()
	root := b.selectList()
	b.clauses(root)
	if b.joins() {
		j := b.bindJoin()
		return &Query{Streams: b.streams(), Root: root, Join: j, Since: b.since}
	}
	if b.set.EventTime && len(b.faults) == 0 {
		root = b.inOrder(root)
	}
	return &Query{Streams: []string{s.From.Name}, Root: root, Since: b.since}
}

// epoch returns the epoch in which the rule will start, for what depends on the rows
// since.
func (b *binder) epoch() uint64 {
	b.since = b.set.Epoch
	return b.set.Epoch
}

// inOrder puts what orders rows by their event time below root.
func (b *binder) inOrder(root *Bound) *Bound {
	o := &BoundOrdering{
		Time: timeOf(b.column(b.sel.From.At, "", b.src.Timestamp), b.timeCall(b.src)), LateMs: b.set.LateMs,
		DriftMs: b.set.DriftMs, Start: b.epoch(), NowMs: b.set.RuleStartMs, Over: root,
	}
	if w, ok := root.Stage.(*BoundWindow); ok {
		o.Guard, w.Guard = w.Guard, nil
	} else {
		o.Guard = b.guard(root, &BoundWindow{}, nil)
	}
	return &Bound{Limit: -1, Stage: o}
}

// timeCall returns what reads the event time of s where it is text of a pattern
// of its own; nil elsewhere. Its first argument is the field.
func (b *binder) timeCall(s *Source) *Node {
	if sig, ok := b.env.Funcs.Lookup("parse_time"); ok && s.TimeFormat != "" {
		return &Node{Op: OpCall, Func: sig, Args: []*Node{nil, constNode(vec.StringValue(s.TimeFormat))}}
	}
	return nil
}

// timeOf returns the event time of a row, of which col is the field.
func timeOf(col, call *Node) *Node {
	if call == nil || col == nil {
		return col
	}
	n := *call
	n.Args = []*Node{col, call.Args[1]}
	return n.inherit().seal()
}

// collectAliases enters the names that AS gives; two alike are a fault.
func (b *binder) collectAliases() {
	add := func(f sql.Field) {
		if f.Alias == "" || f.Expr == nil {
			return
		}
		if b.aliases[f.Alias] != nil {
			b.fault(f.At, "duplicate alias %s", f.Alias)
		}
		b.aliases[f.Alias] = &alias{expr: f.Expr}
	}
	for _, f := range b.sel.Fields {
		add(f)
	}
}

// selectList binds the SELECT list.
func (b *binder) selectList() *Bound {
	b.clause = "SELECT"
	r := &Bound{Limit: -1, SendNil: b.set.SendNil, Distinct: b.sel.Distinct}
	seen := map[string]bool{}
	unnamed := 0
	fromStar := map[string]int{} // columns of a declared stream that * gave
	add := func(at sql.Pos, name string, n *Node, plain bool) {
		if i, ok := fromStar[name]; ok {
			r.Fields[i] = BoundField{Name: name, Node: n, Plain: plain}
			delete(fromStar, name)
			seen[name] = true
			return
		}
		if seen[name] {
			b.fault(at, "duplicate field definition %s", name)
			return
		}
		seen[name] = true
		r.Fields = append(r.Fields, BoundField{Name: name, Node: n, Plain: plain})
	}
	for _, f := range b.sel.Fields {
		if f.Star {
			b.star(r, f, fromStar, add)
			continue
		}
		name := f.Alias
		if name == "" {
			switch e := f.Expr.(type) {
			case *sql.Ident:
				name = e.Name
			case *sql.Call:
				name = e.Name
			default:
				name = "kuiper_field_" + strconv.Itoa(unnamed)
				unnamed++
			}
		}
		if n, ok := b.spread(f.Expr); ok {
			b.setSpread(r, f, n)
			continue
		}
		var n *Node
		if f.Alias != "" {
			n = b.aliasNode(f.Alias)
		} else {
			n = b.expr(f.Expr)
		}
		_, ident := f.Expr.(*sql.Ident)
		if n != nil && !f.Invisible {
			add(f.At, name, n, ident && f.Alias == "" && n.Op == OpColumn)
		}
	}
	if b.set.SendMeta {
		r.Meta = (&Node{Op: OpColumn, Col: vec.ColumnSpec{Meta: true}}).seal()
	}
	return r
}

// setSpread makes n, of field f, what spreads the rows of r; nil: it has a fault.
func (b *binder) setSpread(r *Bound, f sql.Field, n *Node) {
	if n == nil {
		return
	}
	if r.Spread != nil {
		b.fault(f.At, "only one of unnest, extract and changed_cols can stand in a SELECT list")
	}
	r.Spread, r.SpreadFunc = n, n.Func
	if n.Func.Kind == FuncSRF {
		r.SpreadAs = f.Alias
	}
}

// clauses binds everything after the SELECT list and puts the window between
// the stream and the list.
func (b *binder) clauses(r *Bound) {
	s := b.sel
	var where, late, having, keys []*Node
	if s.Where != nil {
		b.clause = "WHERE"
		n := b.expr(s.Where)
		b.noNumber(s.Where.Pos(), n)
		b.condition(s.Where.Pos(), n)
		for _, n := range conjuncts(n) {
			if n.agg {
				late = append(late, n)
			} else {
				where = append(where, n)
			}
		}
	}
	for _, k := range s.GroupBy {
		b.clause = "GROUP BY"
		if n := b.expr(k); n != nil {
			if n.agg {
				b.fault(k.Pos(), "an aggregate cannot stand in GROUP BY")
			}
			b.noNumber(k.Pos(), n)
			keys = append(keys, n)
		}
	}
	b.clause = "HAVING"
	if s.Having != nil {
		n := b.expr(s.Having)
		b.noNumber(s.Having.Pos(), n)
		b.condition(s.Having.Pos(), n)
		if n != nil {
			if !b.window || makesGroups(r, keys) {
				b.checkHaving(s.Having.Pos(), n, keys)
			}
			if having = append(having, conjuncts(n)...); len(having) == 0 {
				having = []*Node{n} // it always holds, but not of an empty window
			}
		}
	}
	b.clause = "ORDER BY"
	for _, o := range s.OrderBy {
		if n := b.expr(o.Expr); n != nil {
			r.Order = append(r.Order, BoundOrder{Node: n, Desc: o.Desc})
		}
	}
	if s.Limit != nil {
		r.Limit = *s.Limit
	}
	if s.Offset != nil {
		r.Offset = *s.Offset
	}
	b.checkWhere(r, late, keys)
	if len(b.faults) > 0 {
		return
	}
	having = append(late, having...)
	if !b.window && !(b.joins() && aggregates(r, having)) {
		r.Where = append(where, having...)
		return
	}
	b.over(r, where, having, keys)
}

// checkWhere refuses aggregates in WHERE where others follow: those are over the
// rows that WHERE lets through, which would have to be known before.
func (b *binder) checkWhere(r *Bound, where, keys []*Node) {
	if !b.window || len(where) == 0 || !makesGroups(r, keys) && b.sel.Having == nil {
		return
	}
	if len(keys) > 0 || slices.ContainsFunc(where, func(n *Node) bool { return bare(n, nil, false) }) {
		b.fault(b.sel.Where.Pos(), "an aggregate in WHERE of a query that aggregates is not supported yet: use HAVING, or two rules")
	}
}

// checkHaving refuses a HAVING that reads a column of single rows where groups are
// chosen among. Where rows are sent it chooses among these.
func (b *binder) checkHaving(at sql.Pos, n *Node, keys []*Node) {
	if bare(n, keys, true) {
		b.fault(at, "HAVING reads a column that is neither grouped by nor aggregated")
	}
}

// bare tells whether n reads a column outside of aggregates that is no key, and, if
// stateful is set, outside of stateful calls: a group has those of its first row.
func bare(n *Node, keys []*Node, stateful bool) bool {
	found := false
	n.walk(func(x *Node) bool {
		if x.Op == OpAgg || stateful && x.Op == OpAnalytic || slices.ContainsFunc(keys, func(k *Node) bool { return k.Text == x.Text }) {
			return false
		}
		found = found || x.Op == OpColumn
		return true
	})
	return found
}

// aliasNode binds the definition of an alias.
func (b *binder) aliasNode(name string) *Node {
	a := b.aliases[name]
	if a.node == nil {
		b.stack = append(b.stack, name)
		a.node = b.expr(a.expr)
		b.stack = b.stack[:len(b.stack)-1]
	}
	return a.node
}

// ident resolves a name: inside an alias's own definition it is the column,
// everywhere else an alias comes before a column.
func (b *binder) ident(e *sql.Ident) *Node {
	if e.Stream != "" || b.clause == "ON" {
		return b.column(e.Pos(), e.Stream, e.Name)
	}
	if a := b.aliases[e.Name]; a != nil && (len(b.stack) == 0 || b.stack[len(b.stack)-1] != e.Name) {
		if slices.Contains(b.stack, e.Name) {
			b.fault(e.Pos(), "alias %s is defined by itself: %s", e.Name, strings.Join(append(b.stack, e.Name), " -> "))
			return nil
		}
		return b.aliasNode(e.Name)
	}
	return b.column(e.Pos(), "", e.Name)
}

// column returns the column called name; stream says of which source, or is "".
func (b *binder) column(at sql.Pos, stream, name string) *Node {
	if b.joins() {
		return b.joinColumn(at, stream, name)
	}
	spec := vec.ColumnSpec{Path: []string{name}}
	if b.src.Fields != nil {
		i := slices.IndexFunc(b.src.Fields, func(f vec.Field) bool { return f.Name == name })
		if i < 0 {
			b.fault(at, "unknown column %q in stream %q", name, b.src.Name)
			return nil
		}
		spec.Type = b.src.Fields[i].Type
	}
	return (&Node{Op: OpColumn, Col: spec}).seal()
}
