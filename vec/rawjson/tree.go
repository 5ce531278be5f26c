package rawjson

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"

	"github.com/valyala/fastjson"

	"github.com/weir-engine/weir/vec"
)

// Parse returns raw as a tree of []any, map[string]any, string, float64, bool and
// nil, with memory of its own. With ints, whole numbers that fit are int64. It is
// as strict as Valid; a number beyond the range of float64 is an error too.
func Parse(raw []byte, ints bool) (any, error) {
	c := checker{raw: raw}
	if err := c.all(); err != nil {
		return nil, err
	}
	p := getParser(len(raw))
	defer putParser(p)
	if c.lone {
		// fastjson keeps the escape of half a surrogate pair as it is.
		raw = p.mend(raw)
	}
	v, err := p.fast.ParseBytes(raw)
	if err != nil {
		return nil, fmt.Errorf("json: %w", err)
	}
	return p.tree(v, ints)
}

// mend returns valid text with \ufffd for each half of a surrogate pair.
func (p *parser) mend(raw []byte) []byte {
	b := append(p.text[:0], raw...)
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		r := hex4(b, i)
		if r < 0 {
			i++
			continue
		}
		if r >= 0xd800 && r < 0xe000 {
			if lo := hex4(b, i+6); r < 0xdc00 && lo >= 0xdc00 && lo < 0xe000 {
				i += 6
			} else {
				copy(b[i:], `\ufffd`)
			}
		}
		i += 5
	}
	p.text = b
	return b
}

func (p *parser) tree(v *fastjson.Value, ints bool) (any, error) {
	switch v.Type() {
	case fastjson.TypeObject:
		o := v.GetObject()
		m := make(map[string]any, o.Len())
		var err error
		o.Visit(func(key []byte, v *fastjson.Value) {
			x, e := p.tree(v, ints)
			if e != nil {
				err = e
			}
			m[validText(key)] = x
		})
		return m, err
	case fastjson.TypeArray:
		elems := v.GetArray()
		l := make([]any, len(elems))
		for i, e := range elems {
			var err error
			if l[i], err = p.tree(e, ints); err != nil {
				return nil, err
			}
		}
		return l, nil
	case fastjson.TypeString:
		return validText(v.GetStringBytes()), nil
	case fastjson.TypeNumber:
		// The text, not GetFloat64: that rounds twice beyond 15 digits.
		p.text = v.MarshalTo(p.text[:0])
		return number(p.text, ints)
	case fastjson.TypeTrue:
		return true, nil
	case fastjson.TypeFalse:
		return false, nil
	}
	return nil, nil
}

// validText returns b as a string, with U+FFFD for what is no UTF-8.
func validText(b []byte) string {
	return view(appendUTF8(make([]byte, 0, len(b)), b))
}

// number returns the number that raw stands for: a float64, or an int64 with ints; an
// Exact one where a float64 would lose digits.
func number(raw []byte, ints bool) (any, error) {
	if ints {
		if i, err := strconv.ParseInt(view(raw), 10, 64); err == nil {
			return i, nil
		}
	}
	v, ok := vec.ParseNumber(view(raw))
	if !ok {
		return nil, fmt.Errorf("json: number %q is out of range", string(raw))
	}
	return float(v), nil
}

// float returns a Float64 value as it is in a tree.
func float(v vec.Value) any {
	if i, ok := v.Whole(); ok && (i > 1<<53 || i < -1<<53) {
		return vec.Exact(i)
	}
	return v.F
}

// Tree returns v as a Go value: nil for null and missing, bool, int64, float64,
// string, []byte, time.Time (UTC, or its own offset) for an instant, and a tree of them for a nested
// value. A tree that v already holds is returned itself and must not be written;
// all else has memory of its own. Raw text that does not parse gives nil.
func Tree(v vec.Value) any {
	switch v.Kind {
	case vec.Bool:
		return v.I != 0
	case vec.Int64:
		return v.I
	case vec.Float64:
		return float(v)
	case vec.String:
		return v.Clone().S
	case vec.Timestamp:
		return v.Instant(time.UTC)
	case vec.Bytes:
		return []byte(v.S)
	case vec.JSON:
		if v.X != nil {
			return v.X
		}
		x, err := Parse(bytesOf(v.S), v.Ints)
		if err != nil {
			return nil
		}
		return x
	}
	return nil
}

// FromAny returns a Go value as a Value: numbers of all sizes, strings, booleans,
// []byte, time.Time, and slices and maps with string keys as nested values, which
// keep x itself. An unsigned number beyond int64 becomes a float. nil, and what
// none of this fits, gives null.
func FromAny(x any) vec.Value {
	switch x := x.(type) {
	case nil:
		return vec.NullValue
	case bool:
		return vec.BoolValue(x)
	case int64:
		return vec.IntValue(x)
	case int:
		return vec.IntValue(int64(x))
	case float64:
		return vec.FloatValue(x)
	case vec.Exact:
		return vec.ExactValue(int64(x))
	case string:
		return vec.StringValue(x)
	case []byte:
		return vec.BytesValue(x)
	case time.Time:
		if _, offset := x.Zone(); offset != 0 || x.Nanosecond()%1e6 != 0 {
			return vec.InstantValue(x)
		}
		return vec.TimeValue(x.UnixMilli())
	case []any, map[string]any:
		return vec.TreeValue(x)
	case vec.Value:
		return x
	}
	return fromOther(reflect.ValueOf(x))
}

// fromOther converts the types that are not in trees of our own making.
func fromOther(v reflect.Value) vec.Value {
	switch v.Kind() {
	case reflect.Bool:
		return vec.BoolValue(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return vec.IntValue(v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if u := v.Uint(); u <= math.MaxInt64 {
			return vec.IntValue(int64(u))
		}
		return vec.FloatValue(float64(v.Uint()))
	case reflect.Float32, reflect.Float64:
		return vec.FloatValue(v.Float())
	case reflect.String:
		return vec.StringValue(v.String())
	case reflect.Slice, reflect.Array:
		l := make([]any, v.Len())
		for i := range l {
			l[i] = Tree(FromAny(v.Index(i).Interface()))
		}
		return vec.TreeValue(l)
	case reflect.Map:
		if v.Type().Key().Kind() != reflect.String {
			return vec.NullValue
		}
		m := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = Tree(FromAny(it.Value().Interface()))
		}
		return vec.TreeValue(m)
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return FromAny(v.Elem().Interface())
		}
	}
	return vec.NullValue
}
