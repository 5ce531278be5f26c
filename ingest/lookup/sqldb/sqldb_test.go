package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// database makes a file with the tables that text creates.
func database(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a b?.db")
	db, err := sql.Open("sqlite", "file:"+strings.ReplaceAll(filepath.ToSlash(path), "?", "%3f"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(text); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func keys(values ...[]vec.Value) []lookup.Key {
	var out []lookup.Key
	for _, vs := range values {
		out = append(out, lookup.Key{Values: vs})
	}
	return out
}

func show(a lookup.Answer) string {
	var out []string
	for _, r := range a.Rows {
		out = append(out, fmt.Sprint(rawjson.Tree(r)))
	}
	return strings.Join(out, " ")
}

func TestFetch(t *testing.T) {
	path := database(t, "CREATE TABLE \"odd \"\"name\" (id INTEGER, `select` TEXT, f REAL, b BLOB);"+
		`INSERT INTO "odd ""name" VALUES (1,'x',1.5,NULL),(1,'y',2,x'00ff'),(2,'1',NULL,NULL)`)
	url := "sqlite://" + strings.ReplaceAll(filepath.ToSlash(path), "?", "%3f")
	s := open(t, Options{DBURL: url, Table: `odd "name`})
	got, err := s.Fetch(t.Context(), []string{"id"}, keys(
		[]vec.Value{vec.IntValue(1)}, []vec.Value{vec.StringValue("2")}, []vec.Value{vec.IntValue(3)}, []vec.Value{vec.StringValue(`'; --`)}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"map[b:<nil> f:1.5 id:1 select:x] map[b:[0 255] f:2 id:1 select:y]", "map[b:<nil> f:<nil> id:2 select:1]", "", ""}
	for i, w := range want {
		if text := show(got[i]); text != w {
			t.Errorf("key %d: got %s, want %s", i, text, w)
		}
	}
	got, err = s.Fetch(t.Context(), []string{"select", "id"}, keys([]vec.Value{vec.IntValue(1), vec.IntValue(2)}, []vec.Value{vec.StringValue("x"), vec.IntValue(2)}))
	if err != nil {
		t.Fatal(err)
	}
	if show(got[0]) != want[1] || show(got[1]) != "" {
		t.Errorf("two columns: got %s and %s", show(got[0]), show(got[1]))
	}
	s = open(t, Options{DBURL: url, Table: `odd "name`, Columns: []string{"f", "id"}})
	if got, err = s.Fetch(t.Context(), []string{"f"}, keys([]vec.Value{vec.FloatValue(1.5)})); err != nil || show(got[0]) != "map[f:1.5 id:1]" {
		t.Errorf("declared columns: got %v, %v", got, err)
	}
}

// More keys than go in one statement.
func TestManyKeys(t *testing.T) {
	path := database(t, `CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER);
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999) INSERT INTO t SELECT i, i * i FROM n`)
	s := open(t, Options{DBURL: "sqlite:" + path[:len(path)-len("a b?.db")] + "a b%3f.db", Table: "t"})
	var list []lookup.Key
	for i := range 1000 {
		list = append(list, keys([]vec.Value{vec.IntValue(int64(999 - i))})...)
	}
	got, err := s.Fetch(t.Context(), []string{"id"}, list)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		id := 999 - i
		if want := fmt.Sprintf("map[id:%d v:%d]", id, id*id); show(got[i]) != want {
			t.Fatalf("key %d: got %s, want %s", i, show(got[i]), want)
		}
	}
}

func TestFaults(t *testing.T) {
	path := database(t, `CREATE TABLE t (id INTEGER)`)
	url := "sqlite://" + strings.ReplaceAll(path, "?", "%3f")
	one := keys([]vec.Value{vec.IntValue(1)})
	if _, err := open(t, Options{DBURL: url, Table: "u"}).Fetch(t.Context(), []string{"id"}, one); !lookup.IsFinal(err) || !strings.Contains(err.Error(), `sql: table "u": `) {
		t.Errorf("no such table: got %v", err)
	}
	missing := filepath.Join(t.TempDir(), "none.db")
	if _, err := open(t, Options{DBURL: "sqlite://" + missing, Table: "t"}).Fetch(t.Context(), []string{"id"}, one); err == nil || lookup.IsFinal(err) {
		t.Errorf("no such file: got %v", err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a file was made")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := open(t, Options{DBURL: url, Table: "t"}).Fetch(ctx, []string{"id"}, one); err == nil || lookup.IsFinal(err) {
		t.Errorf("canceled: got %v", err)
	}
	s := open(t, Options{DBURL: url, Table: "t"})
	if _, err := s.db.Exec("INSERT INTO t VALUES (1)"); err == nil {
		t.Error("the database was written")
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping: got %v", err)
	}
}

func TestProps(t *testing.T) {
	for _, c := range []struct {
		props map[string]any
		table string
		want  string
	}{
		{map[string]any{"dburl": "sqlite://x.db"}, "t", ""},
		{map[string]any{"url": "sqlite3:x.db?_pragma=busy_timeout(5)"}, "t", ""},
		{nil, "t", `property "dburl" is required: the URL of a database`},
		{map[string]any{"dburl": "sqlite://x.db"}, "", `DATASOURCE ""`},
		{map[string]any{"dburl": "sqlite://"}, "t", "names no file"},
		{map[string]any{"dburl": "sqlite::memory:"}, "t", "names no file"},
		{map[string]any{"dburl": "postgres://u:secret@h/d"}, "t", `there is no driver "postgres": want sqlite`},
		{map[string]any{"dburl": 5}, "t", "want a text, got 5"},
		{map[string]any{"dburl": "sqlite://x.db", "templateSqlQueryCfg": map[string]any{}}, "t", "not supported yet"},
	} {
		_, err := ParseProps(c.props, c.table, "/d", nil)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%v: got %v, want %s", c.props, err, c.want)
		}
	}
}

func BenchmarkFetch(b *testing.B) {
	path := database(b, `CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);
		WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) INSERT INTO t SELECT i, 'name ' || i FROM n`)
	s := open(b, Options{DBURL: "sqlite://" + strings.ReplaceAll(path, "?", "%3f"), Table: "t"})
	var list []lookup.Key
	for i := range 1000 {
		list = append(list, keys([]vec.Value{vec.IntValue(int64(i * 7))})...)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Fetch(b.Context(), []string{"id"}, list); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(list))/b.Elapsed().Seconds(), "keys/s")
}
