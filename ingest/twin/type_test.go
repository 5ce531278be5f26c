package twin

import (
	"fmt"
	"testing"

	"github.com/weir-engine/weir/vec"
)

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

func TestSetText(t *testing.T) {
	for _, c := range []struct {
		typ        Type
		text, want string
	}{
		{Int, "26", "bigint 26"},
		{Int, "-26", "bigint -26"},
		{Int, "+5", "bigint 5"},
		{Int, "26.0", "bigint 26"},
		{Int, "2.6e1", "bigint 26"},
		{Int, "26.5", "-"},
		{Int, "25C", "-"},
		{Int, "", "-"},
		{Int, "-", "-"},
		{Int, " 1", "-"},
		{Int, "9223372036854775807", "bigint 9223372036854775807"},
		{Int, "-9223372036854775808", "bigint -9223372036854775808"},
		{Int, "9223372036854775808", "-"},
		{Int, "1e300", "-"},
		{Int, "9007199254740993", "bigint 9007199254740993"},
		{Float, "25.1", "float 25.1"},
		{Float, "-0.5", "float -0.5"},
		{Float, ".5", "float 0.5"},
		{Float, "5.", "float 5"},
		{Float, "+5", "float 5"},
		{Float, "1e2", "float 100"},
		{Float, "0.1234567890123456789", "float 0.12345678901234568"},
		{Float, "123456789012345678", "float 1.2345678901234568e+17"},
		{Float, "1e400", "-"},
		{Float, "NaN", "-"},
		{Float, "Inf", "-"},
		{Float, "0x10", "-"},
		{Float, "1_000", "-"},
		{Float, "", "-"},
		{Float, ".", "-"},
		{Float, "1.2.3", "-"},
		{Bool, "true", "boolean 1"},
		{Bool, "FALSE", "boolean 0"},
		{Bool, "1", "boolean 1"},
		{Bool, "0", "boolean 0"},
		{Bool, "t", "boolean 1"},
		{Bool, "on", "-"},
		{Bool, "", "-"},
		{String, "25C", "string 25C"},
		{Unknown, "", "string "},
		{Bytes, "AAEC", "string AAEC"},
	} {
		var col vec.Column
		col.Reset(1)
		got := "-"
		if c.typ.setText(&col, 0, []byte(c.text)) {
			v := col.Value(0)
			switch v.Kind {
			case vec.Float64:
				got = fmt.Sprint(v.Kind, " ", v.F)
			case vec.String:
				got = fmt.Sprint(v.Kind, " ", v.S)
			default:
				got = fmt.Sprint(v.Kind, " ", v.I)
			}
		} else if col.Present.Has(0) {
			t.Errorf("%s %q: refused, but the row is set", c.typ, c.text)
		}
		if got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.typ, c.text, got, c.want)
		}
	}
}
