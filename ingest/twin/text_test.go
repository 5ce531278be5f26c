package twin

import (
	"fmt"
	"testing"

	"github.com/weir-engine/weir/ingest/twin/model"
	"github.com/weir-engine/weir/vec"
)

func TestSetText(t *testing.T) {
	for _, c := range []struct {
		typ        model.Type
		text, want string
	}{
		{model.Int, "26", "bigint 26"},
		{model.Int, "-26", "bigint -26"},
		{model.Int, "+5", "bigint 5"},
		{model.Int, "26.0", "bigint 26"},
		{model.Int, "2.6e1", "bigint 26"},
		{model.Int, "26.5", "-"},
		{model.Int, "25C", "-"},
		{model.Int, "", "-"},
		{model.Int, "-", "-"},
		{model.Int, " 1", "-"},
		{model.Int, "9223372036854775807", "bigint 9223372036854775807"},
		{model.Int, "-9223372036854775808", "bigint -9223372036854775808"},
		{model.Int, "9223372036854775808", "-"},
		{model.Int, "1e300", "-"},
		{model.Int, "9007199254740993", "bigint 9007199254740993"},
		{model.Float, "25.1", "float 25.1"},
		{model.Float, "-0.5", "float -0.5"},
		{model.Float, ".5", "float 0.5"},
		{model.Float, "5.", "float 5"},
		{model.Float, "+5", "float 5"},
		{model.Float, "1e2", "float 100"},
		{model.Float, "0.1234567890123456789", "float 0.12345678901234568"},
		{model.Float, "123456789012345678", "float 123456789012345678"},
		{model.Float, "-9007199254740993", "float -9007199254740993"},
		{model.Float, "18446744073709551615", "float 18446744073709552000"},
		{model.Float, "1e400", "-"},
		{model.Int, "1e400", "-"},
		{model.Float, "NaN", "-"},
		{model.Float, "Inf", "-"},
		{model.Float, "0x10", "-"},
		{model.Float, "1_000", "-"},
		{model.Float, "", "-"},
		{model.Float, ".", "-"},
		{model.Float, "1.2.3", "-"},
		{model.Bool, "true", "boolean 1"},
		{model.Bool, "FALSE", "boolean 0"},
		{model.Bool, "1", "boolean 1"},
		{model.Bool, "0", "boolean 0"},
		{model.Bool, "t", "boolean 1"},
		{model.Bool, "on", "-"},
		{model.Bool, "", "-"},
		{model.String, "25C", "string 25C"},
		{model.Unknown, "", "string "},
		{model.Bytes, "AAEC", "string AAEC"},
	} {
		var col vec.Column
		col.Reset(1)
		got := "-"
		if setText(c.typ, &col, 0, []byte(c.text)) {
			v := col.Value(0)
			switch v.Kind {
			case vec.Float64:
				got = fmt.Sprint(v.Kind, " ", vec.NumberText(v))
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
