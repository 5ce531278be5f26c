package model

import "strings"

// Type is the type of a property, from the device model or from a message's
// metadata.
type Type uint8

// The types of properties. Values arrive as text; Bytes stays text.
const (
	Unknown Type = iota // nothing says what it is: text
	String
	Int
	Float
	Bool
	Bytes
)

var typeNames = [...]string{"unknown", "string", "int", "float", "boolean", "bytes"}

// String returns the name of t in device models.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "unknown"
}

// ParseType returns the type that a device model or a message calls name, in
// any case, or Unknown: messages carry "Updated" and the like there.
func ParseType(name string) Type {
	switch name { // as mappers write them
	case "int", "integer":
		return Int
	case "float", "double":
		return Float
	case "string":
		return String
	case "boolean":
		return Bool
	}
	for _, n := range [...]struct {
		name string
		t    Type
	}{
		{"string", String},
		{"int", Int},
		{"float", Float},
		{"double", Float},
		{"boolean", Bool},
		{"bool", Bool},
		{"integer", Int},
		{"bytes", Bytes},
		{"stream", Bytes},
	} {
		if strings.EqualFold(n.name, name) {
			return n.t
		}
	}
	return Unknown
}
