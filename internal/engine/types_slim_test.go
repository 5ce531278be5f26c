//go:build slim

package engine

import (
	"strings"
	"testing"

	"github.com/weir-engine/weir/internal/api"
)

// What a slim build goes without is refused by that name, and is not listed.
func TestSlim(t *testing.T) {
	r := newRig(t, Options{})
	for typ, props := range map[string]map[string]any{"redis": {"addr": "h:1", "dataType": "string"}, "sql": {"dburl": "sqlite:///x.db"}} {
		want := "type " + typ + " is not part of this slim build of weir: the full build has it"
		_, table := r.ExecStatement(`CREATE TABLE t () WITH (TYPE="` + typ + `", DATASOURCE="1", KIND="lookup")`)
		_, stream := r.ExecStatement(`CREATE STREAM t () WITH (TYPE="` + typ + `", DATASOURCE="1")`)
		for what, err := range map[string]error{
			"table": table, "stream": stream,
			"settings":   r.PutConfKey(api.ConfSources, typ, "x", props),
			"connection": r.PutConnection(api.Connection{ID: "x", Type: typ, Props: props}),
			"ping":       r.PingConnection(t.Context(), api.ConfSources, typ, props),
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of type %s: got %v, want %s", what, typ, err, want)
			}
		}
	}
	if got := strings.Join(r.LookupTypes(), " "); got != "file httppull memory" {
		t.Errorf("lookup types: got %s", got)
	}
}
