package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/api"
)

// TestNames has one rule for the names of everything that is defined, wherever the
// definition comes from.
func TestNames(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("plainest", "in")
	const options = ` () WITH (TYPE="memory", DATASOURCE="in", FORMAT="json")`
	for _, c := range []struct {
		name string
		good bool
	}{
		{"plain", true},
		{"a-b", true},
		{"A_1", true},
		{"9lives", true},
		{"_x", true},
		{"-", true},
		{"select", true},
		{"STREAM", true},
		{"a b", false},
		{"a/b", false},
		{"ä", false},
		{"a.b", false},
		{"a#", false},
		{"温度", false},
		{"a\tb", false},
		{"a%", false},
	} {
		quoted := "`" + c.name + "`"
		for what, do := range map[string]func() error{
			"stream":  func() error { _, err := r.ExecStatement("CREATE STREAM " + quoted + options); return err },
			"table":   func() error { return r.ReplaceStream(api.Table, c.name+"t", "CREATE TABLE `"+c.name+"t`"+options) },
			"setting": func() error { return r.PutConfKey(api.ConfSources, "memory", c.name, map[string]any{}) },
			"connection": func() error {
				return r.PutConnection(api.Connection{ID: c.name, Type: "mqtt", Props: map[string]any{"server": "tcp://127.0.0.1:1"}})
			},
			"rule": func() error {
				d, err := parseRule([]byte(fmt.Sprintf(`{"id":%q,"sql":"SELECT 1 AS a FROM plainest","actions":[{"nop":{}}],"triggered":false}`, c.name)))
				if err == nil {
					err = r.CreateRule(d)
				}
				return err
			},
			"import": func() error {
				bad := r.ImportDefinitions(api.Definitions{Streams: map[string]string{c.name + "i": "CREATE STREAM `" + c.name + "i`" + options}})
				for _, text := range bad.Streams {
					return fmt.Errorf("%s", text)
				}
				return nil
			},
		} {
			err := do()
			switch {
			case c.good && err != nil:
				t.Errorf("%s %q: %v", what, c.name, err)
			case !c.good && (err == nil || !strings.Contains(err.Error(), "contains invalid characters: only alphanumeric, hyphens and underscores are allowed")):
				t.Errorf("%s %q: got %v, want eKuiper's words", what, c.name, err)
			}
		}
		if c.good {
			sql := fmt.Sprintf("SELECT %s.a FROM %s INNER JOIN plainest ON %s.a = plainest.a GROUP BY COUNTWINDOW(2)", quoted, quoted, quoted)
			r.must(r.CreateRule(r.def("reads", sql, `{"nop":{}}`)))
			r.must(r.DeleteRule("reads"))
		}
	}
}
