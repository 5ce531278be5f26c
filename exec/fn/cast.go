package fn

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/timefmt"
)

// castKinds are the type names that cast knows.
var castKinds = map[string]vec.Kind{
	"bigint": vec.Int64, "float": vec.Float64, "string": vec.String,
	"boolean": vec.Bool, "datetime": vec.Timestamp, "bytea": vec.Bytes,
}

// castNames are the same in the order of eKuiper's texts.
var castNames = []string{"bigint", "float", "string", "boolean", "datetime", "bytea"}

// cast converts v to kind: numbers are cut off to whole numbers, text must be a
// literal of the type (0x10 is 16, 1.9 is no bigint), 1 and 0 and T and F are
// booleans, milliseconds and text are instants, null stays null. Text without a
// time zone is local time, any other keeps its offset. A failed cast is an error.
func (c *Ctx) cast(v vec.Value, kind vec.Kind) (vec.Value, error) {
	if v.IsNull() {
		return vec.NullValue, nil
	}
	if v.Kind == kind {
		return v, nil
	}
	switch kind {
	case vec.Int64:
		return castInt(v)
	case vec.Float64:
		return castFloat(v)
	case vec.String:
		if s, ok := plain(c, v); ok {
			return vec.StringValue(s), nil
		}
	case vec.Bool:
		return castBool(v)
	case vec.Timestamp:
		t, err := c.time(v)
		if err != nil {
			return vec.Value{}, castError(v, kind)
		}
		return c.instant(t), nil
	case vec.Bytes: // those of its text
		if s, ok := plain(c, v); ok {
			return vec.Value{Kind: vec.Bytes, S: s}, nil
		}
	}
	return vec.Value{}, castError(v, kind)
}

func castError(v vec.Value, kind vec.Kind) error {
	return fmt.Errorf("cannot convert %s to %s", Show(v), kind)
}

func castInt(v vec.Value) (vec.Value, error) {
	switch v.Kind {
	case vec.Float64:
		if i, ok := v.WholePart(); ok {
			return vec.IntValue(i), nil
		}
	case vec.Bool:
		return vec.IntValue(v.I), nil
	case vec.String:
		if i, err := strconv.ParseInt(v.S, 0, 64); err == nil {
			return vec.IntValue(i), nil
		}
	}
	return vec.Value{}, castError(v, vec.Int64)
}

func castFloat(v vec.Value) (vec.Value, error) {
	switch v.Kind {
	case vec.Int64, vec.Bool:
		return vec.ExactValue(v.I), nil
	case vec.String:
		if n, ok := vec.ParseNumber(v.S); ok {
			return n, nil
		}
		if f, err := strconv.ParseFloat(v.S, 64); err == nil && !math.IsInf(f, 0) { // 0x1p-2
			return vec.FloatValue(f), nil
		}
	}
	return vec.Value{}, castError(v, vec.Float64)
}

func castBool(v vec.Value) (vec.Value, error) {
	switch v.Kind {
	case vec.Int64:
		return vec.BoolValue(v.I != 0), nil
	case vec.Float64:
		return vec.BoolValue(v.F != 0), nil
	case vec.String:
		if b, err := strconv.ParseBool(v.S); err == nil {
			return vec.BoolValue(b), nil
		}
	}
	return vec.Value{}, castError(v, vec.Bool)
}

// time returns v as an instant: milliseconds, or text in one of many layouts. Text
// that names an offset keeps it.
func (c *Ctx) time(v vec.Value) (time.Time, error) {
	switch v.Kind {
	case vec.Timestamp:
		return v.Instant(c.location()), nil
	case vec.Int64:
		return time.UnixMilli(v.I).In(c.location()), nil
	case vec.Float64:
		if ms, ok := v.WholePart(); ok {
			return time.UnixMilli(ms).In(c.location()), nil
		}
	case vec.String:
		if t, ok := timefmt.Parse(v.S, c.location(), c.now()); ok {
			return t, nil
		}
	}
	return time.Time{}, Wrong("a time", v)
}

// instant returns t as a value: as plain milliseconds where local time says as much.
func (c *Ctx) instant(t time.Time) vec.Value {
	_, own := t.Zone()
	if _, local := t.In(c.location()).Zone(); own == local && t.Nanosecond()%1e6 == 0 {
		return vec.TimeValue(t.UnixMilli())
	}
	return vec.InstantValue(t)
}

// ParseTime reads s, in one of many layouts, as an instant in milliseconds since
// 1970. Text without a time zone is local time in loc (nil: UTC); text without a
// date is of 1970-01-01.
func ParseTime(s string, loc *time.Location) (ms int64, ok bool) {
	t, ok := timefmt.Parse(s, loc, 0)
	return t.UnixMilli(), ok
}

// castRow is cast with a type that only the row knows.
func castRow(c *Ctx, args []vec.Value) (vec.Value, error) {
	kind, ok := castKinds[args[1].S]
	if args[1].Kind != vec.String || !ok {
		return vec.Value{}, fmt.Errorf("unknown type %s, want one of %s", Show(args[1]), strings.Join(castNames, ", "))
	}
	return c.cast(args[0], kind)
}

func prepareCast(l Lits) Row {
	name, ok := l.text(1)
	kind, known := castKinds[name]
	if !ok || !known {
		return nil
	}
	return func(c *Ctx, args []vec.Value) (vec.Value, error) { return c.cast(args[0], kind) }
}
