// Package rawjson reads raw JSON text where it lies: one member, one element, the
// type of a value, without making a tree of the rest. It also checks and compacts
// text, makes trees of text and of vec.Values, and is the home of the fastjson
// library in this program.
//
// Functions that look into a value never panic and never read beyond it, whatever
// it holds, and answer "not there" for what they cannot read; they do not check
// what they skip. Valid, Parse and AppendCompact are strict. Of duplicate keys the
// last one counts, as in encoding/json. Results borrow their input unless a
// comment says that they are copies. Nothing here keeps state between calls, so
// every function may be called from any goroutine.
package rawjson

import "github.com/weir-engine/weir/vec"

// MaxDepth is the deepest nesting of arrays and objects that Valid, Parse and
// AppendCompact accept. It is the depth at which fastjson gives up.
const MaxDepth = 300

// Type is the type of a JSON value as its text shows it.
type Type uint8

// The types of JSON values. Invalid is text that starts no value.
const (
	Invalid Type = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// TypeOf returns the type of the value that raw starts with.
func TypeOf(raw []byte) Type {
	i := space(raw, 0)
	if i == len(raw) {
		return Invalid
	}
	switch c := raw[i]; c {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return Number
		}
	}
	return Invalid
}

// Get follows path from key to key and returns the value it leads to, without
// white space around it. ok is false where a key is missing or a value on the
// way is no object.
func Get(raw []byte, path ...string) (value []byte, ok bool) {
	v0, v1, _ := seek(raw, space(raw, 0), path)
	return raw[v0:v1], v1 > v0
}

// seek finds what path leads to from the value at i, in one pass over that value:
// a member that matches is entered while it is skipped. It returns the place of
// what it found, empty if there is nothing, and the end of the value at i, -1 if
// the text ends before.
func seek(raw []byte, i int, path []string) (v0, v1, end int) {
	if len(path) == 0 || i >= len(raw) || raw[i] != '{' {
		end = skip(raw, i)
		if len(path) > 0 || end < 0 {
			return 0, 0, end
		}
		return i, end, end
	}
	i = space(raw, i+1)
	for i < len(raw) && raw[i] == '"' {
		k1 := skipString(raw, i)
		if k1 < 0 {
			return 0, 0, -1
		}
		val := space(raw, k1)
		if val == len(raw) || raw[val] != ':' {
			return 0, 0, -1
		}
		val = space(raw, val+1)
		if KeyIs(raw[i+1:k1-1], path[0]) {
			v0, v1, end = seek(raw, val, path[1:])
		} else {
			end = skip(raw, val)
		}
		if end < 0 {
			return 0, 0, -1
		}
		if i = space(raw, end); i < len(raw) && raw[i] == ',' {
			i = space(raw, i+1)
			continue
		}
		break
	}
	if i >= len(raw) || raw[i] != '}' {
		return 0, 0, -1
	}
	return v0, v1, i + 1
}

// Index returns element i of an array, counted from 0.
func Index(raw []byte, i int) (value []byte, ok bool) {
	if i < 0 {
		return nil, false
	}
	Each(raw, func(elem []byte) bool {
		if i == 0 {
			value, ok = elem, true
		}
		i--
		return !ok
	})
	return value, ok
}

// Len returns the number of elements of an array, or of distinct keys of an
// object, and -1 for anything else.
func Len(raw []byte) int {
	switch TypeOf(raw) {
	case Array:
		n := 0
		Each(raw, func([]byte) bool { n++; return true })
		return n
	case Object:
		return len(Keys(raw))
	}
	return -1
}

// Keys returns the distinct keys of an object as copies, in the order of their
// first appearance, and nil for anything else.
func Keys(raw []byte) []string {
	var keys []string
	var seen map[string]struct{}
	m := members{raw: raw}
	for m.next() {
		key := m.key()
		if len(keys) < smallObject {
			if contains(keys, key) {
				continue
			}
		} else {
			if seen == nil {
				seen = make(map[string]struct{}, 2*len(keys))
				for _, k := range keys {
					seen[k] = struct{}{}
				}
			}
			if _, ok := seen[key]; ok {
				continue
			}
			seen[key] = struct{}{}
		}
		keys = append(keys, key)
	}
	return keys
}

func contains(keys []string, key string) bool {
	for _, k := range keys {
		if k == key {
			return true
		}
	}
	return false
}

// Each calls f for the elements of an array, in order, until f returns false. It
// tells whether raw is an array.
func Each(raw []byte, f func(elem []byte) bool) bool {
	i := space(raw, 0)
	if i == len(raw) || raw[i] != '[' {
		return false
	}
	i = space(raw, i+1)
	for i < len(raw) && raw[i] != ']' {
		end := skip(raw, i)
		if end < 0 || !f(raw[i:end]) {
			break
		}
		i = space(raw, end)
		if i == len(raw) || raw[i] != ',' {
			break
		}
		i = space(raw, i+1)
	}
	return true
}

// Members calls f for the members of an object, in order and duplicates included,
// until f returns false. key is a string's content as it stands in the text, with
// its escapes; UnescapeKey makes the name of it. It tells whether raw is an object.
func Members(raw []byte, f func(key, value []byte) bool) bool {
	if TypeOf(raw) != Object {
		return false
	}
	m := members{raw: raw}
	for m.next() && f(m.rawKey(), m.value()) {
	}
	return true
}

// Value returns raw as a vec.Value: scalars as their kind, text unescaped, arrays
// and objects as raw JSON that borrows raw. With ints, whole numbers that fit are
// int64, otherwise all numbers are float64. Text that is no value gives the
// missing value.
func Value(raw []byte, ints bool) vec.Value {
	raw = trim(raw)
	switch TypeOf(raw) {
	case Null:
		return vec.NullValue
	case Bool:
		return vec.BoolValue(raw[0] == 't')
	case Number:
		x, err := number(raw, ints)
		if err != nil {
			return vec.Value{}
		}
		return FromAny(x)
	case String:
		if s, ok := Unquote(raw); ok {
			return vec.StringValue(s)
		}
	case Array, Object:
		return vec.Value{Kind: vec.JSON, S: view(raw), Ints: ints}
	}
	return vec.Value{}
}
