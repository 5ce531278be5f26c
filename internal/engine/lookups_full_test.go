//go:build !slim

package engine

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/weir-engine/weir/internal/api"
)

// plant makes a database with a table of devices, and returns its URL.
func plant(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plant.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`CREATE TABLE devices (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, low REAL);
		INSERT INTO devices VALUES (1, 'pump', 'a', 0.5), (2, 'valve', 'b', NULL), (3, 'fan', 'a', 2);
		CREATE TABLE kinds (kind TEXT, maker TEXT);
		INSERT INTO kinds VALUES ('a', 'x'), ('a', 'y'), ('b', 'z')`)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return "sqlite://" + path
}

func TestLookupSQL(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in/s")
	r.conf("sql", "plant", map[string]any{"dburl": plant(t)})
	for _, name := range []string{"devices", "kinds"} {
		r.sql(`CREATE TABLE %s () WITH (TYPE="sql", DATASOURCE="%s", CONF_KEY="plant", KIND="lookup")`, name, name)
	}
	r.sql(`CREATE TABLE typed (id BIGINT, low FLOAT) WITH (TYPE="sql", DATASOURCE="devices", CONF_KEY="plant", KIND="lookup")`)
	left, inner, chain, star, window := r.listen("left"), r.listen("inner"), r.listen("chain"), r.listen("star"), r.listen("window")
	r.rule("left", "SELECT v, name, low FROM s LEFT JOIN devices ON s.id = devices.id", "left")
	r.rule("inner", `SELECT v, name FROM s INNER JOIN devices ON devices.id = s.id AND devices.kind = "a"`, "inner")
	r.rule("chain", `SELECT v, maker FROM s INNER JOIN devices ON s.id = devices.id INNER JOIN kinds ON devices.kind = kinds.kind WHERE maker != "y"`, "chain")
	r.rule("star", "SELECT * FROM s INNER JOIN typed ON s.id = typed.id", "star")
	r.rule("window", "SELECT name, count(*) AS n FROM s LEFT JOIN devices ON s.id = devices.id GROUP BY name, COUNTWINDOW(4)", "window")
	r.publish("in/s", `{"id":2,"v":1}`, `{"id":9,"v":2}`, `{"id":"1","v":3}`, `{"v":4}`)
	left.want(`{"low":null,"name":"valve","v":1}`, `{"v":2}`, `{"low":0.5,"name":"pump","v":3}`, `{"v":4}`)
	inner.want(`{"name":"pump","v":3}`)
	chain.want(`{"maker":"z","v":1}`, `{"maker":"x","v":3}`)
	star.want(`{"id":2,"low":null,"v":1}`, `{"id":"1","low":0.5,"v":3}`)
	got := strings.Join(window.next(3), " ")
	if got != `{"n":1,"name":"valve"} {"n":2} {"n":1,"name":"pump"}` {
		t.Errorf("window: got %s", got)
	}
	r.wantStatus("left", "source_devices_0_connection_status", 1)
	r.wantStatus("left", "op_3_project_0_exceptions_total", 0)
}

// A wrong name in the database is an exception of each row, at once.
func TestLookupSQLFault(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in/s")
	r.conf("sql", "plant", map[string]any{"dburl": plant(t)})
	r.sql(`CREATE TABLE nosuch () WITH (TYPE="sql", DATASOURCE="nosuch", CONF_KEY="plant", KIND="lookup")`)
	r.rule("j", "SELECT v FROM s LEFT JOIN nosuch ON s.id = nosuch.id", "out")
	out := r.listen("out")
	r.publish("in/s", `{"id":1,"v":1}`, `{"id":2,"v":2}`, `{"v":3}`)
	out.want(`{"v":3}`)
	r.wantStatus("j", "op_3_project_0_exceptions_total", 2)
	if got := fmt.Sprint(r.status("j", "op_3_project_0_last_exception")); !strings.Contains(got, `sql: table "nosuch"`) || !strings.Contains(got, "no such table") {
		t.Errorf("last exception: got %s", got)
	}
	r.wantStatus("j", "source_nosuch_0_connection_status", -1)
}

func TestLookupRedis(t *testing.T) {
	r := newRig(t, Options{})
	m := miniredis.RunT(t)
	m.DB(3).Set("1", `{"name":"pump"}`)
	m.DB(3).Set("bad", `{"name":`)
	if _, err := m.DB(3).Push("list", `{"n":1}`, `{"n":2}`); err != nil {
		t.Fatal(err)
	}
	r.memoryStream("s", "in/s")
	r.conf("redis", "one", map[string]any{"addr": m.Addr(), "dataType": "string"})
	r.conf("redis", "many", map[string]any{"addr": m.Addr(), "dataType": "list"})
	r.sql(`CREATE TABLE one () WITH (TYPE="redis", DATASOURCE="3", CONF_KEY="one", KIND="lookup")`)
	r.sql(`CREATE TABLE many () WITH (TYPE="redis", DATASOURCE="3", CONF_KEY="many", KIND="lookup")`)
	one, many := r.listen("one"), r.listen("many")
	r.rule("one", "SELECT v, name FROM s LEFT JOIN one ON s.id = one.id", "one")
	r.rule("many", "SELECT v, n FROM s INNER JOIN many ON s.id = many.id", "many")
	r.publish("in/s", `{"id":1,"v":1}`, `{"id":"bad","v":2}`, `{"id":7,"v":3}`, `{"id":"list","v":4}`, `{"id":8,"v":5}`)
	one.want(`{"name":"pump","v":1}`, `{"v":3}`)
	one.want(`{"v":5}`) // a list is not an object: an error of its key alone
	many.want(`{"n":1,"v":4}`, `{"n":2,"v":4}`)
	r.wantStatus("one", "op_3_project_0_exceptions_total", 2)
	if got := fmt.Sprint(r.status("one", "op_3_project_0_last_exception")); !strings.Contains(got, `redis: key "list"`) {
		t.Errorf("last exception: got %s", got)
	}
	err := r.CreateRule(r.def("x", "SELECT v FROM s INNER JOIN one ON s.id = one.id AND s.v = one.v", toMemory("x")))
	if err == nil || !strings.Contains(err.Error(), "lookup table one: redis: a row is found by one key: want one equality in ON, found 2") {
		t.Errorf("two keys: got %v", err)
	}
}

// A file is read at the first question, and again when it has changed.
func TestLookupStoreRefused(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in/s")
	r.refuse([]refused{
		{`CREATE TABLE t () WITH (TYPE="sql", DATASOURCE="x", KIND="lookup")`, `property "dburl" is required: the URL of a database`},
		{`CREATE TABLE t () WITH (TYPE="sql", DATASOURCE="x", KIND="lookup", EXTRA="{\"dburl\":\"mysql://u:secret@h/x\"}")`, `there is no driver "mysql": want sqlite`},
		{`CREATE TABLE t () WITH (TYPE="redis", DATASOURCE="x", KIND="lookup", EXTRA="{\"addr\":\"h:1\",\"dataType\":\"hash\"}")`, `property "dataType": want string or list, got "hash"`},
		{`CREATE TABLE t () WITH (TYPE="redis", DATASOURCE="x", KIND="lookup", EXTRA="{\"addr\":\"h:1\",\"dataType\":\"list\"}")`, `DATASOURCE "x": want the number of a Redis database`},
	}...)
	err := r.PutConfKey(api.ConfSources, "sql", "bad", map[string]any{"dburl": "plant.db"})
	if err == nil || !strings.Contains(err.Error(), `"plant.db" is no URL`) {
		t.Errorf("settings: got %v", err)
	}
	late := refused{`CREATE TABLE late () WITH (TYPE="sql", DATASOURCE="devices", CONF_KEY="late", KIND="lookup")`, "CONF_KEY late: source type sql has no such group"}
	r.refuse(late)
	rule := r.def("j", "SELECT name FROM s LEFT JOIN late ON s.id = late.id", toMemory("out"))
	r.must(r.PutConnection(api.Connection{ID: "db", Type: "sql", Props: map[string]any{"dburl": plant(t)}}))
	r.conf("sql", "late", map[string]any{"connectionSelector": "db"})
	r.sql("%s", late.sql)
	r.must(r.CreateRule(rule))
	if got := r.LookupTypes(); strings.Join(got, " ") != "file httppull memory redis sql" {
		t.Errorf("lookup types: got %v", got)
	}
}

func TestLookupStorePing(t *testing.T) {
	m := miniredis.RunT(t)
	newRig(t, Options{}).ping([]pinged{
		{"sql", map[string]any{"dburl": plant(t)}, true},
		{"sql", map[string]any{"dburl": "sqlite:///no/such/file.db"}, false},
		{"redis", map[string]any{"addr": m.Addr(), "dataType": "string"}, true},
		{"redis", map[string]any{"addr": "127.0.0.1:1", "dataType": "string"}, false},
		{"sql", map[string]any{"dburl": plant(t), "datasource": "nosuch"}, false},
	}...)
}
