// Package rawjson reads raw JSON text where it lies: one member, one element, the
// kind of a value, without making a tree of the rest. It also makes trees of
// text, text of trees, and both of vec.Values, and it is the home of the fastjson
// library in this program.
//
// Text is trusted to be JSON only as far as it was checked: functions that look
// into a value never panic and never read beyond it, whatever it holds, and
// answer "not there" for what they cannot read. Valid is the strict check. Of
// duplicate keys the last one counts, as in encoding/json. Nesting beyond
// MaxDepth is an error everywhere. Results borrow their input unless a comment
// says that they are copies.
package rawjson

// MaxDepth is the deepest nesting of arrays and objects that is read.
const MaxDepth = 512

// Type is the kind of a JSON value as its text shows it.
type Type uint8

// The types of JSON values. Invalid is text that is no value.
const (
	Invalid Type = iota
	Null
	Bool
	Number
	String
	Array
	Object
)
