package fn

import (
	"testing"
	"time"

	"github.com/weir-engine/weir/vec"
)

// Every type is cast to every type, cell by cell of the table in docs/sql.md. "!" is a
// fault.
func TestCastTable(t *testing.T) {
	c := &Ctx{Location: time.UTC}
	at := vec.TimeValue(1_710_498_030_123)
	for _, row := range []struct {
		from vec.Value
		want map[string]string
	}{
		{vec.BoolValue(true), map[string]string{"boolean": "bool(true)", "bigint": "int64(1)", "float": "float64(1)", "string": "string(true)", "datetime": "!", "bytea": "true"}},
		{vec.BoolValue(false), map[string]string{"boolean": "bool(false)", "bigint": "int64(0)", "float": "float64(0)", "string": "string(false)", "datetime": "!", "bytea": "false"}},
		{vec.IntValue(-7), map[string]string{"boolean": "bool(true)", "bigint": "int64(-7)", "float": "float64(-7)", "string": "string(-7)", "datetime": "datetime(1969-12-31 23:59:59.993 +0000 UTC)", "bytea": "-7"}},
		{vec.IntValue(0), map[string]string{"boolean": "bool(false)", "bigint": "int64(0)", "float": "float64(0)", "string": "string(0)", "datetime": "datetime(1970-01-01 00:00:00 +0000 UTC)", "bytea": "0"}},
		{vec.FloatValue(2.75), map[string]string{"boolean": "bool(true)", "bigint": "int64(2)", "float": "float64(2.75)", "string": "string(2.75)", "datetime": "datetime(1970-01-01 00:00:00.002 +0000 UTC)", "bytea": "2.75"}},
		{vec.FloatValue(1e30), map[string]string{"boolean": "bool(true)", "bigint": "!", "float": "float64(1000000000000000000000000000000)", "string": "string(1000000000000000000000000000000)", "datetime": "!", "bytea": "1000000000000000000000000000000"}},
		{vec.StringValue("12"), map[string]string{"boolean": "!", "bigint": "int64(12)", "float": "float64(12)", "string": "string(12)", "datetime": "datetime(1970-01-01 12:00:00 +0000 UTC)", "bytea": "12"}},
		{vec.StringValue("T"), map[string]string{"boolean": "bool(true)", "bigint": "!", "float": "!", "string": "string(T)", "datetime": "!", "bytea": "T"}},
		{vec.StringValue(""), map[string]string{"boolean": "!", "bigint": "!", "float": "!", "string": "string()", "datetime": "!", "bytea": ""}},
		{vec.StringValue("2024-03-15 10:20:30"), map[string]string{"boolean": "!", "bigint": "!", "float": "!", "string": "string(2024-03-15 10:20:30)", "datetime": "datetime(2024-03-15 10:20:30 +0000 UTC)", "bytea": "2024-03-15 10:20:30"}},
		{vec.BytesValue([]byte("12")), map[string]string{"boolean": "!", "bigint": "!", "float": "!", "string": "string(12)", "datetime": "!", "bytea": "12"}},
		{at, map[string]string{"boolean": "!", "bigint": "!", "float": "!", "string": "string(2024-03-15 10:20:30.123 +0000 UTC)", "datetime": "datetime(2024-03-15 10:20:30.123 +0000 UTC)", "bytea": "2024-03-15 10:20:30.123 +0000 UTC"}},
		{vec.TreeValue([]any{int64(1)}), map[string]string{"boolean": "!", "bigint": "!", "float": "!", "string": "!", "datetime": "!", "bytea": "!"}},
		{vec.TreeValue(map[string]any{"a": int64(1)}), map[string]string{"boolean": "!", "bigint": "!", "float": "!", "string": "!", "datetime": "!", "bytea": "!"}},
		{vec.NullValue, map[string]string{"boolean": "null", "bigint": "null", "float": "null", "string": "null", "datetime": "null", "bytea": "null"}},
		{vec.Value{}, map[string]string{"boolean": "null", "bigint": "null", "float": "null", "string": "null", "datetime": "null", "bytea": "null"}},
	} {
		for _, name := range castNames {
			v, err := c.cast(row.from, castKinds[name])
			got := Show(v)
			switch {
			case err != nil:
				got = "!"
			case v.Kind == vec.Bytes:
				got = v.S
			}
			if got != row.want[name] {
				t.Errorf("cast(%s, %q): got %s, want %s", Show(row.from), name, got, row.want[name])
			}
		}
	}
}
