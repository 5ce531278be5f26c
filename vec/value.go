package vec

import "time"

// Value is one value outside a column: an argument or result of a row function,
// a constant, a slot of a variant column. Hot paths use columns instead.
//
// A nested value (kind JSON) is either raw JSON text in S with X nil, as
// received, or a computed tree in X made of []any, map[string]any, nil, bool,
// int64, float64, Exact, string, []byte and time.Time; rawjson.Tree gives the tree of both.
// Numbers in raw text are float64, as eKuiper has it for streams without declared
// fields, unless Ints says that whole ones are int64.
//
// A number (kind Float64) with I other than zero is the whole number I, of which F is
// only the nearest float: what counts whole numbers, time or devices goes beyond 2^53.
// It is compared, grouped, written and sent as I, and computed with as F. ExactValue
// makes it, and I is zero wherever F says all.
//
// An instant (kind Timestamp) that its milliseconds do not say all about, since it
// has an offset of its own or more digits, is a time.Time in X besides.
//
// A Value that came from a column borrows that column's memory: S is valid only
// as long as the batch. Clone makes it independent.
type Value struct {
	Kind Kind
	Ints bool    // raw JSON text: whole numbers are int64
	I    int64   // Int64; Bool as 0 or 1; Timestamp in ms; Float64: see above
	F    float64 // Float64
	S    string  // String, Bytes, raw JSON text
	X    any     // computed nested value; the time.Time of an InstantValue
}

// NullValue is null.
var NullValue = Value{Kind: Null}

// IsNull tells whether v is null or missing, which expressions do not tell apart.
func (v Value) IsNull() bool { return v.Kind <= Null }

// Truth tells whether v is the boolean true.
func (v Value) Truth() bool { return v.Kind == Bool && v.I != 0 }

// BoolValue, IntValue, FloatValue, StringValue, TimeValue and BytesValue make a
// Value of their kind. TimeValue takes milliseconds since 1970.
func BoolValue(b bool) Value {
	v := Value{Kind: Bool}
	if b {
		v.I = 1
	}
	return v
}

// IntValue makes an Int64 value.
func IntValue(i int64) Value { return Value{Kind: Int64, I: i} }

// FloatValue makes a Float64 value.
func FloatValue(f float64) Value { return Value{Kind: Float64, F: f} }

// ExactValue makes a Float64 value of a whole number and keeps all its digits.
func ExactValue(i int64) Value {
	f, ok := ExactFloat(i)
	if ok {
		return FloatValue(f)
	}
	return Value{Kind: Float64, F: f, I: i}
}

// StringValue makes a String value.
func StringValue(s string) Value { return Value{Kind: String, S: s} }

// TimeValue makes a Timestamp value from milliseconds since 1970.
func TimeValue(ms int64) Value { return Value{Kind: Timestamp, I: ms} }

// InstantValue makes a Timestamp value that keeps t's offset and all its digits.
func InstantValue(t time.Time) Value { return Value{Kind: Timestamp, I: t.UnixMilli(), X: t} }

// Instant returns a Timestamp as time.Time: with the offset that it has of its own,
// else in loc.
func (v Value) Instant(loc *time.Location) time.Time {
	if t, ok := v.X.(time.Time); ok {
		return t
	}
	return time.UnixMilli(v.I).In(loc)
}

// BytesValue makes a Bytes value.
func BytesValue(b []byte) Value { return Value{Kind: Bytes, S: string(b)} }

// JSONValue makes a nested value of raw JSON text, which must be valid.
func JSONValue(raw string) Value { return Value{Kind: JSON, S: raw} }

// TreeValue makes a nested value of a []any or map[string]any.
func TreeValue(x any) Value { return Value{Kind: JSON, X: x} }

// Float returns a number as float64; ok is false for other kinds.
func (v Value) Float() (f float64, ok bool) {
	switch v.Kind {
	case Float64:
		return v.F, true
	case Int64:
		return float64(v.I), true
	}
	return 0, false
}

// Clone returns v with memory of its own.
func (v Value) Clone() Value {
	if v.S != "" {
		v.S = string(append([]byte(nil), v.S...))
	}
	return v
}
