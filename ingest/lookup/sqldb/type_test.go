package sqldb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-engine/weir/ingest/lookup"
)

// A group of settings may leave out what another has, and must be right all the
// same.
func TestGroup(t *testing.T) {
	group := NewType(t.TempDir()).Group
	for _, c := range []struct {
		given map[string]any
		want  string // a part of the fault; empty: none
	}{
		{map[string]any{}, ""},
		{map[string]any{"url": "sqlite:///plant.db"}, ""},
		{map[string]any{"dburl": "plant.db"}, "is no URL"},
		{map[string]any{"dburl": "oracle://u:secret@h/x"}, `there is no driver "oracle"`},
		{map[string]any{"templateSqlQueryCfg": map[string]any{}}, "not supported yet"},
	} {
		err := group(c.given)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%v: got %v, want %s", c.given, err, c.want)
		}
	}
}

// A ping without a table tells whether there is a database.
func TestPingWithoutTable(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "text.db"), []byte(strings.Repeat("no database ", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "empty.db"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	typ := NewType(dir)
	for name, good := range map[string]bool{"text.db": false, "gone.db": false, "empty.db": true} {
		err := typ.Ping(t.Context(), lookup.Def{Props: map[string]any{"dburl": "sqlite:" + name, "timeout": "1s"}})
		if (err == nil) != good {
			t.Errorf("%s: got %v, want it reached %v", name, err, good)
		}
	}
	err := typ.Ping(t.Context(), lookup.Def{DataSource: "nosuch", Props: map[string]any{"dburl": "sqlite:empty.db"}})
	if err == nil || !strings.Contains(err.Error(), `table "nosuch"`) {
		t.Errorf("a table that is not there: got %v", err)
	}
}
