package vec

// Kind is the type of a value or of a column in one batch.
type Kind uint8

// The kinds. Missing and Null are kinds of a single value; a column whose kind
// is Null has no value in any row.
const (
	Missing   Kind = iota // the row does not have the field
	Null                  // the field is there and is null
	Bool                  // true or false
	Int64                 // whole number
	Float64               // IEEE 754 double
	String                // UTF-8 text
	Timestamp             // instant, milliseconds since 1970-01-01 UTC
	Bytes                 // binary data
	JSON                  // nested value: an array or an object
	Variant               // column only: the kind differs from row to row
)

var kindNames = [...]string{"missing", "null", "boolean", "bigint", "float", "string", "datetime", "bytea", "json", "variant"}

// String returns the dialect's name of k.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "invalid"
}

// Numeric tells whether k is Int64 or Float64.
func (k Kind) Numeric() bool { return k == Int64 || k == Float64 }

// Type is the declared type of a stream's field. The zero Type is "not
// declared": the column takes the kind that each batch shows.
type Type struct {
	Kind   Kind    // Missing when not declared; JSON for arrays and structs
	Elem   *Type   // element of an array, nil for a struct
	Fields []Field // fields of a struct
}

// Array tells whether t is an array type.
func (t Type) Array() bool { return t.Kind == JSON && t.Elem != nil }

// Field is a named, typed part of a struct or a declared stream schema.
type Field struct {
	Name    string
	Type    Type
	Default *Value // nil: none
}
