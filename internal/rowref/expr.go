package rowref

import (
	"math"
	"slices"
	"time"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// scope is where an expression stands: a row, or a group of rows of a window.
type scope struct {
	r       *Rule
	row     map[string]any // the row; of a group its first
	calls   results        // of the row, and of the group
	group   []timed        // rows of the group
	over    bool           // a group: aggregates are over it
	columns bool           // names are columns, not aliases
	ts      int64          // event time of the row, or end of the window
	start   int64          // of the window
	inside  []string       // aliases whose definitions are being evaluated
}

// passes tells whether all of conditions hold.
func (s *scope) passes(list []sql.Expr, more ...sql.Expr) (bool, error) {
	for _, e := range append(slices.Clone(list), more...) {
		if ok, err := s.holds(e); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// holds tells whether a condition is true; none is.
func (s *scope) holds(e sql.Expr) (bool, error) {
	if e == nil {
		return true, nil
	}
	v, err := s.eval(e)
	if err != nil || v == nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, fault("condition is %v", v)
	}
	return b, nil
}

// eval computes an expression. A number that is none is null.
func (s *scope) eval(e sql.Expr) (any, error) {
	v, err := s.value(e)
	if f, ok := v.(float64); ok && math.IsNaN(f) {
		return nil, err
	}
	return v, err
}

// list evaluates expressions in turn.
func (s *scope) list(es ...sql.Expr) ([]any, error) {
	out := make([]any, len(es))
	for i, e := range es {
		v, err := s.eval(e)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (s *scope) value(e sql.Expr) (any, error) {
	switch e := e.(type) {
	case *sql.Literal:
		return native(e.Value), nil
	case *sql.Ident:
		return s.ident(e)
	case *sql.Unary:
		return s.unary(e)
	case *sql.Binary:
		return s.binary(e)
	case *sql.Arrow:
		x, err := s.eval(e.X)
		if m, ok := x.(map[string]any); ok {
			return m[e.Key], err
		}
		return nil, err
	case *sql.Index:
		return s.index(e)
	case *sql.Slice:
		return s.slice(e)
	case *sql.Case:
		return s.caseOf(e)
	case *sql.In:
		return s.in(e)
	case *sql.Between:
		return s.between(e)
	case *sql.Like:
		return s.like(e)
	case *sql.IsNull:
		x, err := s.eval(e.X)
		return (x == nil) != e.Not, err
	case *sql.Call:
		return s.call(e)
	}
	return nil, fault("%T is not known here", e)
}

// ident looks a name up: an alias, but in its own definition the column.
func (s *scope) ident(e *sql.Ident) (any, error) {
	def, ok := s.r.aliases[e.Name]
	if !ok || e.Stream != "" || s.columns || slices.Contains(s.inside, e.Name) {
		v, _ := s.r.column(s.row, e.Stream, e.Name)
		return v, nil
	}
	s.inside = append(s.inside, e.Name)
	defer func() { s.inside = s.inside[:len(s.inside)-1] }()
	return s.eval(def)
}

func (s *scope) unary(e *sql.Unary) (any, error) {
	x, err := s.eval(e.X)
	if err != nil || x == nil {
		return nil, err
	}
	switch x := x.(type) {
	case bool:
		if e.Op == sql.OpNot {
			return !x, nil
		}
	case int64:
		if e.Op == sql.OpNeg {
			return -x, nil
		}
	case vec.Exact:
		if e.Op == sql.OpNeg && x != math.MinInt64 {
			return -x, nil
		} else if e.Op == sql.OpNeg {
			return -float64(x), nil
		}
	case float64:
		if e.Op == sql.OpNeg {
			return -x, nil
		}
	}
	return nil, fault("cannot compute %s %v", e.Op, x)
}

func (s *scope) binary(e *sql.Binary) (any, error) {
	if e.Op == sql.OpAnd || e.Op == sql.OpOr {
		return s.logic(e)
	}
	v, err := s.list(e.L, e.R)
	if err != nil {
		return nil, err
	}
	null := v[0] == nil || v[1] == nil
	switch {
	case e.Op != sql.OpConcat && isNested(v[0]):
		return nil, fault("%s of %v is not defined", e.Op, v[0])
	case e.Op.Comparison():
		if null {
			return false, nil
		}
		return compare(e.Op, v[0], v[1])
	case null:
		return nil, nil
	case e.Op == sql.OpConcat:
		return fn.Text(rawjson.FromAny(v[0])) + fn.Text(rawjson.FromAny(v[1])), nil
	}
	return arith(e.Op, v[0], v[1])
}

// logic is AND and OR: null on the left is false, on the right too, and the right
// is looked at only if the left does not decide.
func (s *scope) logic(e *sql.Binary) (any, error) {
	l, err := s.eval(e.L)
	if err != nil {
		return nil, err
	}
	if l == nil {
		return false, nil
	}
	x, ok := l.(bool)
	if !ok {
		return nil, fault("%v is neither true nor false", l)
	}
	if x == (e.Op == sql.OpOr) {
		return x, nil
	}
	return s.holds(e.R)
}

func (s *scope) index(e *sql.Index) (any, error) {
	v, err := s.list(e.X, e.I)
	if err != nil {
		return nil, err
	}
	l, isList := v[0].([]any)
	i, ok := position(v[1], len(l))
	if ok && v[0] == nil {
		return nil, nil
	}
	if !isList || !ok || i < 0 || i >= len(l) {
		return nil, fault("no element %v of %v", v[1], v[0])
	}
	return l[i], nil
}

func (s *scope) slice(e *sql.Slice) (any, error) {
	x, err := s.eval(e.X)
	if err != nil || x == nil {
		return nil, err
	}
	l, isList := x.([]any)
	lo, hi, ok, ok2 := 0, len(l), true, true
	if e.From != nil {
		var v any
		if v, err = s.eval(e.From); err != nil {
			return nil, err
		}
		if v != nil { // open, as a bound that was left out
			lo, ok = position(v, len(l))
		}
	}
	if e.To != nil {
		var v any
		if v, err = s.eval(e.To); err != nil {
			return nil, err
		}
		if v != nil {
			hi, ok2 = position(v, len(l))
		}
	}
	if !isList || !ok || !ok2 || lo < 0 || lo >= len(l) || hi > len(l) || lo > hi {
		return nil, fault("no elements %d to %d of %v", lo, hi, x)
	}
	return l[lo:hi:hi], nil
}

func (s *scope) caseOf(e *sql.Case) (any, error) {
	var x any
	var err error
	if e.X != nil {
		if x, err = s.eval(e.X); err != nil {
			return nil, err
		}
	}
	for _, w := range e.Whens {
		var taken bool
		if e.X == nil {
			taken, err = s.holds(w.Cond)
		} else {
			var v any
			if v, err = s.eval(w.Cond); err == nil && x != nil && v != nil {
				taken, err = compare(sql.OpEq, x, v)
			}
		}
		if err != nil {
			return nil, err
		}
		if taken {
			return s.eval(w.Result)
		}
	}
	if e.Else == nil {
		return nil, nil
	}
	return s.eval(e.Else)
}

func (s *scope) in(e *sql.In) (any, error) {
	x, err := s.eval(e.X)
	if err != nil {
		return nil, err
	}
	var list []any
	if e.Array == nil {
		if list, err = s.list(e.List...); err != nil {
			return nil, err
		}
	} else {
		a, err := s.eval(e.Array)
		if err != nil {
			return nil, err
		}
		var ok bool
		if list, ok = a.([]any); !ok && a != nil && x != nil {
			return nil, fault("%v is no list", a)
		}
	}
	if x == nil {
		return false, nil
	}
	if isNested(x) {
		return nil, fault("%v cannot be in a list", x)
	}
	for _, y := range list {
		if y == nil {
			continue
		}
		if same, err := compare(sql.OpEq, x, y); err != nil || same {
			return !e.Not, err
		}
	}
	return e.Not, nil
}

func (s *scope) between(e *sql.Between) (any, error) {
	v, err := s.list(e.X, e.Lo, e.Hi)
	if err != nil {
		return nil, err
	}
	if isNested(v[0]) {
		return nil, fault("%v cannot lie between values", v[0])
	}
	if v[0] == nil || v[1] == nil || v[2] == nil {
		return false, nil
	}
	a, err := compare(sql.OpGe, v[0], v[1])
	if err != nil {
		return nil, err
	}
	b, err := compare(sql.OpLe, v[0], v[2])
	return (a && b) != e.Not, err
}

func (s *scope) like(e *sql.Like) (any, error) {
	v, err := s.list(e.X, e.Pattern)
	if err != nil {
		return nil, err
	}
	if v[0] == nil || v[1] == nil {
		return false, nil
	}
	text, ok := v[0].(string)
	pattern, ok2 := v[1].(string)
	if !ok || !ok2 {
		return nil, fault("%v LIKE %v", v[0], v[1])
	}
	return matches([]rune(text), []rune(pattern), e.Escape) != e.Not, nil
}

// call computes a function of the row, or an aggregate.
func (s *scope) call(e *sql.Call) (any, error) {
	f, ok := fn.Lookup(e.Name)
	if !ok {
		return nil, fault("no function %s", e.Name)
	}
	switch {
	case f.Kind == planner.FuncAgg:
		return s.aggregate(e, f)
	case f.Kind == planner.FuncAnalytic:
		return s.calls[e].v, s.calls[e].err
	case e.Name == "last_hit_count", e.Name == "last_agg_hit_count":
		return s.r.sent, nil
	case (e.Name == "window_start" || e.Name == "window_end") && s.r.sel.Window == nil:
		return nil, nil
	case e.Name == "window_start" && s.over:
		return s.start, nil
	case e.Name == "window_end" && s.over, e.Name == "event_time":
		return s.ts, nil
	case f.Kind != planner.FuncScalar:
		return nil, fault("%s is not known here", e.Name)
	}
	args, err := s.list(e.Args...)
	switch {
	case err != nil && f.Catches: // of one argument
		args = []any{nil}
	case err != nil:
		return nil, err
	}
	if e.Name == "to_json" && s.absent(e.Args[0]) {
		return "null", nil
	}
	v, err := f.Call(&fn.Ctx{Location: time.UTC}, values(args))
	return native(v), err
}

// absent tells whether e is a column, or a member of one, that the row does not have.
func (s *scope) absent(e sql.Expr) bool {
	switch e := e.(type) {
	case *sql.Ident:
		if def := s.r.aliases[e.Name]; def != nil && e.Stream == "" && !slices.Contains(s.inside, e.Name) {
			s.inside = append(s.inside, e.Name)
			defer func() { s.inside = s.inside[:len(s.inside)-1] }()
			return s.absent(def)
		}
		_, ok := s.row[e.Name]
		return !ok && e.Stream == ""
	case *sql.Arrow:
		if _, column := e.X.(*sql.Ident); !column {
			if _, path := e.X.(*sql.Arrow); !path {
				return false
			}
		}
		x, err := s.eval(e.X)
		m, _ := x.(map[string]any)
		_, ok := m[e.Key]
		return !ok && err == nil
	}
	return false
}

// values returns values of rows as functions take them.
func values(args []any) []vec.Value {
	out := make([]vec.Value, len(args))
	for i, a := range args {
		out[i] = rawjson.FromAny(a)
	}
	return out
}

// native returns v as a value of a row.
func native(v vec.Value) any {
	switch v.Kind {
	case vec.Missing, vec.Null:
		return nil
	case vec.Bool:
		return v.I != 0
	}
	return rawjson.Tree(v)
}
