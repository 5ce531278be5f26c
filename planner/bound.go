package planner

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/weir-engine/weir/vec"
)

// Bound is one rule's work over one input, with names resolved: select rows by
// Where, then either send a projection of them or hand them to a stage, over whose
// output the rest of the rule is Bound again. It is immutable.
type Bound struct {
	Where   []*Node // all must hold
	Fields  []BoundField
	Star    *Node // the whole row, nil without SELECT *
	Except  []string
	SendNil bool
	// Distinct sends equal rows of one message once.
	Distinct bool
	Meta     *Node
	Spread   *Node
	// SpreadFunc is the function that Spread is the result of: over a window Spread
	// is a column of what the window emits and names none itself.
	SpreadFunc *FuncSig
	SpreadAs   string // the alias of unnest, "" without
	Order      []BoundOrder
	Limit      int64 // -1: none
	Offset     int64

	Stage BoundStage // nil: the rule is over the input itself
}

// BoundField is one output column.
type BoundField struct {
	Name  string
	Node  *Node
	Plain bool
}

// BoundOrder is one ORDER BY key.
type BoundOrder struct {
	Node *Node
	Desc bool
}

// conjuncts splits a condition at its ANDs, constants on the right. The parts stay in
// the order of the text: a row is selected if all of them are true, in whatever order
// they are looked at, but what a row is lost by is the first of them that is not, and
// only a fault is counted.
func conjuncts(n *Node) []*Node {
	var parts []*Node
	var split func(n *Node)
	split = func(n *Node) {
		switch {
		case n.Op == OpAnd:
			split(n.Args[0])
			split(n.Args[1])
		case n.Op == OpBetween && !n.Not && n.Args[1].Op == OpConst && n.Args[2].Op == OpConst:
			parts = append(parts, newNode(OpGe, n.Args[0], n.Args[1]), newNode(OpLe, n.Args[0], n.Args[2]))
		case n.Op == OpConst && n.Value.Truth():
		case n.Op.Comparison() && n.Args[0].Op == OpConst && n.Args[1].Op != OpConst:
			parts = append(parts, newNode(n.Op.flip(), n.Args[1], n.Args[0]))
		default:
			parts = append(parts, n)
		}
	}
	if n != nil {
		split(n)
	}
	out := parts[:0]
	for _, p := range parts {
		if !slices.ContainsFunc(out, func(o *Node) bool { return o.Text == p.Text }) {
			out = append(out, p)
		}
	}
	return out
}

// number is a numeric constant: the float64 nearest to it and, where that is another
// number, the whole number that it is.
type number struct {
	f float64
	i int64
}

// numberOf returns a constant that is a number.
func numberOf(v vec.Value) (n number, ok bool) {
	switch v.Kind {
	case vec.Float64:
		return number{v.F, v.I}, !math.IsNaN(v.F)
	case vec.Int64:
		if n.f, ok = vec.ExactFloat(v.I); !ok {
			n.i = v.I
		}
		return n, true
	}
	return n, false
}

// compare orders numbers by their float64, and those that share one by i.
func (n number) compare(o number) int {
	return cmp.Or(cmp.Compare(n.f, o.f), cmp.Compare(n.i, o.i))
}

// atom is a condition in a form that an index may take: a value and what it is
// compared with.
type atom struct {
	node  *Node // the value, or the whole condition for AtomTrue
	kind  AtomKind
	op    Op
	nums  []number // one; several for IN
	texts []string
}

// atomOf takes a condition apart.
func atomOf(n *Node) atom {
	whole := atom{node: n, kind: AtomTrue}
	switch {
	case n.Op.Comparison():
		x, c, op := n.Args[0], n.Args[1], n.Op
		if x.Op == OpConst {
			x, c, op = c, x, op.flip()
		}
		if c.Op != OpConst || x.Op == OpConst {
			return whole
		}
		if f, ok := numberOf(c.Value); ok && op != OpNe && (f.i == 0 || op == OpEq) {
			return atom{node: x, kind: AtomNum, op: op, nums: []number{f}}
		}
		if c.Value.Kind == vec.String && op == OpEq {
			return atom{node: x, kind: AtomText, op: op, texts: []string{c.Value.S}}
		}
	case n.Op == OpIn && !n.Not && n.Args[0].Op != OpConst:
		a := atom{node: n.Args[0], op: OpIn}
		for _, c := range n.Args[1:] {
			f, ok := numberOf(c.Value)
			switch {
			case c.Op != OpConst:
				return whole
			case ok:
				a.nums = append(a.nums, f)
			case c.Value.Kind == vec.String:
				a.texts = append(a.texts, c.Value.S)
			default:
				return whole
			}
		}
		if len(a.nums) > 0 == (len(a.texts) > 0) {
			return whole // nothing, or kinds mixed
		}
		slices.SortFunc(a.nums, number.compare)
		sort.Strings(a.texts)
		return a
	}
	return whole
}

func (a atom) equality() bool { return a.op == OpEq || a.op == OpIn }

// wide tells whether a compares with numbers that float64 has not. Only an index
// checks that; single rows take the whole condition.
func (a atom) wide() bool {
	return slices.ContainsFunc(a.nums, func(n number) bool { return n.i != 0 })
}

func (a atom) comparison() bool {
	return a.kind == AtomNum && a.op != OpEq && a.op != OpIn
}

// access is how the candidates of a rule are found, and what is left to check, in the
// order of the text.
type access struct {
	pivot *atom // nil: every row is a candidate
	rest  []*Node
	early int // how many of rest stand before the pivot
}

// plan chooses the access for a condition: an equality if there is one, for it
// selects fewest rows; else a comparison; else whatever comes first.
func plan(where []*Node) access {
	if len(where) == 0 {
		return access{}
	}
	best, score := 0, 0
	atoms := make([]atom, len(where))
	for i, n := range where {
		atoms[i] = atomOf(n)
		s := 1
		switch {
		case i > 0 && atoms[i].wide():
		case atoms[i].equality() && len(atoms[i].texts) > 0:
			s = 4
		case atoms[i].equality():
			s = 3
		case atoms[i].comparison():
			s = 2
		}
		if s > score {
			best, score = i, s
		}
	}
	ac := access{pivot: &atoms[best], early: best}
	for i, n := range where {
		if i != best {
			ac.rest = append(ac.rest, n)
		}
	}
	return ac
}

// serial tells whether what r does with a row depends on what it did with those
// before.
func (r *Bound) serial() bool {
	for _, n := range r.Where {
		if n.hits {
			return true
		}
	}
	for _, f := range r.Fields {
		if f.Node.hits && !f.Node.agg {
			return true
		}
	}
	return r.Spread != nil && r.Spread.hits && !r.Spread.agg
}

// counting returns the stateful calls of r that count what r sent before, in their
// order.
func (r *Bound) counting() []*Node {
	var out []*Node
	look := func(n *Node) {
		n.walk(func(x *Node) bool {
			if x.Op == OpAnalytic && x.hits && !slices.Contains(out, x) {
				out = append(out, x)
			}
			return x.hits
		})
	}
	for _, n := range r.Where {
		look(n)
	}
	for _, f := range r.Fields {
		look(f.Node)
	}
	if r.Spread != nil {
		look(r.Spread)
	}
	return out
}
