package model

import "testing"

func TestParseType(t *testing.T) {
	for name, want := range map[string]Type{
		"int": Int, "INT": Int, "Integer": Int, "float": Float, "DOUBLE": Float, "boolean": Bool, "bool": Bool,
		"string": String, "BYTES": Bytes, "STREAM": Bytes, "": Unknown, "Updated": Unknown, "deleted": Unknown, "complex128": Unknown,
	} {
		if got := ParseType(name); got != want {
			t.Errorf("ParseType(%q): got %s, want %s", name, got, want)
		}
	}
}
