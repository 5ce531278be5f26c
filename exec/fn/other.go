package fn

import (
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

var stateNames = []string{"bigint", "float", "string", "boolean", "datetime"}

func otherFuncs() []*Func {
	const group = "other"
	stateType := oneOf(1, "expect one of following value for the 2nd parameter: "+strings.Join(stateNames, ", "), stateNames, literals(wantText, wantText, anyLiteral))
	return []*Func{
		scalar(group, "bypass(x)", "The value itself.", `bypass(1)`, first).seesNulls().internal(),
		scalar(group, "coalesce(x, ...)", "The first argument that is not null.", `coalesce("a", "b")`, coalesce).seesNulls(),
		scalar(group, "delay(ms, x)", "The value x, at once: waiting would hold up every rule.", `delay(10, "x")`, delay).checked(literals(wantInt, anyLiteral)).seesNulls(),
		scalar(group, "get_keyed_state(key, type, default)", "The value under key of `PUT /keyed-state/{key}`, cast to the type, or the default.",
			`get_keyed_state("setpoint", "bigint", 5)`, keyedState).checked(stateType).seesNulls().volatile(),
		scalar(group, "holds(x)", "Tells whether the condition is true: it is not if it is null or fails.", `holds(1)`,
			func(_ *Ctx, args []vec.Value) (vec.Value, error) { return truth(args[0].Truth()) }).seesNulls().catches().internal(),
		scalar(group, "isnull(x)", "Tells whether the value is null or missing.", `isnull(1)`,
			func(_ *Ctx, args []vec.Value) (vec.Value, error) { return truth(args[0].IsNull()) }).seesNulls(),
		scalar(group, "newuuid()", "A new UUID (version 1).", `newuuid()`, newUUID).volatile(),
		scalar(group, "props(name)", `A static property of the process: "et" is when it started, in ms.`, `props("et")`, props).checked(literals(wantText)).volatile(),
		scalar(group, "tstamp()", "The present in milliseconds since 1970.", `tstamp()`,
			func(c *Ctx, _ []vec.Value) (vec.Value, error) { return integer(c.now()) }).volatile(),
	}
}

// catches marks a function to which an argument that failed is null.
func (f *Func) catches() *Func {
	f.Catches = true
	return f
}

// internal marks a function that exists but is not one that users are told of.
func (f *Func) internal() *Func {
	f.Group = "internal"
	return f
}

func first(_ *Ctx, args []vec.Value) (vec.Value, error) { return args[0], nil }

func coalesce(_ *Ctx, args []vec.Value) (vec.Value, error) {
	for _, a := range args {
		if !a.IsNull() {
			return a, nil
		}
	}
	return null()
}

func delay(_ *Ctx, args []vec.Value) (vec.Value, error) {
	_, err := whole(args[0])
	return args[1], err
}

func keyedState(c *Ctx, args []vec.Value) (vec.Value, error) {
	if args[0].Kind != vec.String {
		return vec.Value{}, Wrong("a key", args[0])
	}
	kind, ok := castKinds[args[1].S]
	if args[1].Kind != vec.String || !ok {
		return vec.Value{}, fmt.Errorf("unknown type %s, want one of %s", Show(args[1]), strings.Join(stateNames, ", "))
	}
	if c.State != nil {
		if v, ok := c.State(args[0].S); ok {
			return c.cast(v, kind)
		}
	}
	return args[2], nil
}

func newUUID(*Ctx, []vec.Value) (vec.Value, error) {
	id, err := uuid.NewUUID()
	if err != nil {
		return vec.Value{}, fmt.Errorf("newuuid: %w", err)
	}
	return text(id.String())
}

func props(c *Ctx, args []vec.Value) (vec.Value, error) {
	if Text(args[0]) == "et" && c.Started > 0 {
		return integer(c.Started)
	}
	return null()
}

// contextFuncs say where a row stands: in which rule, in which window. What is the
// same for all rows of a rule the binder makes constants of, and what a window knows
// are columns of what it emits; a row that is not of a window has none of these.
func contextFuncs() []*Func {
	whereabouts := func(group, name, doc string, row Row) *Func {
		f := scalar(group, name+"()", doc, name+"()", row)
		f.Kind = planner.FuncContext
		return f
	}
	ofRule := func(group, name, doc string, ms func(c *Ctx) int64) *Func {
		var row Row
		if ms != nil {
			row = func(c *Ctx, _ []vec.Value) (vec.Value, error) { return integer(ms(c)) }
		}
		f := whereabouts(group, name, doc, row)
		f.PerRule = true
		return f
	}
	nowhere := func(*Ctx, []vec.Value) (vec.Value, error) { return null() }
	const other, agg = "other", "aggregate"
	return []*Func{
		whereabouts(other, "event_time", "The row's time, or its window's end, in milliseconds since 1970.",
			func(c *Ctx, _ []vec.Value) (vec.Value, error) { return integer(c.EventTime) }),
		ofRule(other, "last_hit_count", "How many rows the rule selected before this one.", func(c *Ctx) int64 { return c.HitCount }),
		ofRule(other, "last_hit_time", "When the rule selected its last row before this one, in milliseconds since 1970; 0 if never.",
			func(c *Ctx) int64 { return c.HitTime }),
		ofRule(agg, "last_agg_hit_count", "How many results the aggregating rule gave before this one.", func(c *Ctx) int64 { return c.AggHits }),
		ofRule(agg, "last_agg_hit_time", "When the aggregating rule gave its last result before this one, in milliseconds since 1970; 0 if never.",
			func(c *Ctx) int64 { return c.AggTime }),
		ofRule(other, "rule_id", "The id of the rule.", nil),
		ofRule(other, "rule_start", "When the rule started, in milliseconds since 1970.", nil),
		whereabouts(other, "window_end", "The end of the window in milliseconds since 1970; null without a window.", nowhere),
		whereabouts(other, "window_start", "The start of the window in milliseconds since 1970; null without a window.", nowhere),
		whereabouts(other, "window_trigger", "When the window was emitted, in milliseconds since 1970; null without a window.", nowhere),
	}
}
