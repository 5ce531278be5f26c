package engine

import (
	"encoding/json"
	"strings"
	"testing"
)

// What always fails, and what is never true, is told in the answer that creates the
// rule, with its place: in every clause, alone or in an expression.
func TestDoubts(t *testing.T) {
	d := newDesk(t, Options{}, nil)
	d.send("POST", "/streams", object{"sql": `CREATE STREAM u () WITH (DATASOURCE="in/u", TYPE="memory")`})
	d.send("POST", "/streams", object{"sql": `CREATE STREAM typed (n int, f double, s text, p bool, o STRUCT(x real), l ARRAY(bigint), at timestamp) WITH (DATASOURCE="in/t", TYPE="memory")`})
	nop := object{"nop": object{}}
	for _, c := range []struct{ sql, want string }{
		{"SELECT a FROM calm WHERE 1", "line 1 column 26: the condition 1 is neither true nor false: it fails for every row"},
		{`SELECT a FROM calm WHERE "x"`, `line 1 column 26: the condition "x" is neither`},
		{`SELECT 1 + "x" AS v FROM calm`, `line 1 column 10: (1 + "x") always fails: invalid operation int64(1) + string(x)`},
		{`SELECT a + "x" AS v FROM calm`, `(a + "x") fails for every row`},
		{`SELECT a FROM calm WHERE a > 1 AND "t" > 5`, `"t" is a text, a column is written without quotes`},
		{"SELECT a / 0 AS v FROM calm", "divided by zero"},
		{"SELECT a FROM calm WHERE a = NULL", "is never true: nothing equals null, write IS NULL"},
		{"SELECT a FROM calm WHERE a > 1 AND b != NULL", "is never true"},
		{"SELECT a FROM calm WHERE false", "the condition false is never true"},
		{"SELECT a FROM calm WHERE a > 1 || b > 2", "write OR if that is meant"},
		{"SELECT a FROM calm WHERE a + 1", "neither true nor false"},
		{"SELECT a FROM calm WHERE NOT 5", "NOT (5) always fails"},
		{`SELECT a FROM calm WHERE a IN ("x", "y") AND 1 IN ("x")`, `(1 IN ("x")) always fails`},
		{"SELECT a FROM calm WHERE a LIKE 5", "fails for every row"},
		{`SELECT a FROM calm WHERE a BETWEEN 1 AND "x"`, "fails for every row"},
		{`SELECT a["x"] AS v FROM calm`, "fails for every row"},
		{`SELECT abs(1 + "x") AS v FROM calm`, `(1 + "x") always fails`},
		{`SELECT CASE WHEN a > 1 THEN 2 - "x" ELSE 1 END AS v FROM calm`, `(2 - "x") always fails`},
		{"SELECT count(*) AS c FROM calm GROUP BY STATEWINDOW(1)", "line 1 column 53: the condition 1 is neither"},
		{`SELECT count(*) AS c FROM calm GROUP BY STATEWINDOW(a > 1, "x")`, `the condition "x" is neither`},
		{"SELECT count(*) AS c FROM calm GROUP BY SLIDINGWINDOW(ss, 1) OVER (WHEN 5)", "the condition 5 is neither"},
		{"SELECT count(*) AS c FROM calm GROUP BY TUMBLINGWINDOW(ss, 1) FILTER (WHERE 5)", "the condition 5 is neither"},
		{"SELECT count(*) AS c FROM calm GROUP BY TUMBLINGWINDOW(ss, 1) HAVING 5", "the condition 5 is neither"},
		{"SELECT sum(a) FILTER (WHERE 5) AS c FROM calm GROUP BY TUMBLINGWINDOW(ss, 1)", "the condition 5 is neither"},
		{"SELECT lag(a) OVER (WHEN 5) AS c FROM calm", "the condition 5 is neither"},
		{"SELECT calm.a FROM calm INNER JOIN u ON 5 GROUP BY TUMBLINGWINDOW(ss, 1)", "the condition 5 is neither"},
		{"SELECT calm.a FROM calm INNER JOIN u ON calm.a = w.a GROUP BY TUMBLINGWINDOW(ss, 1)", "line 1 column 50: w is none of the sources calm, u: w.a is taken as the member a of a column w; write w->a"},
		{"SELECT w.a FROM calm INNER JOIN u ON calm.a = u.a GROUP BY TUMBLINGWINDOW(ss, 1)", "line 1 column 8: w is none of the sources"},
		{"SELECT u.a FROM calm INNER JOIN u ON calm.a = u.a\n WHERE\n  x.b > 1 GROUP BY TUMBLINGWINDOW(ss, 1)", "line 3 column 3: x is none of the sources"},
		{`SELECT a FROM calm WHERE regexp_matches(a, "((")`, "regular expression"},
		{`SELECT regexp_replace(a, "[", "") AS v FROM calm`, "regular expression"},
		{`SELECT json_path_query(a, "$[") AS v FROM calm`, "JSON path"},
		{`SELECT json_path_exists(a, "$[") AS v FROM calm`, "JSON path"},
		{`SELECT format_time(a, "yyy") AS v FROM calm`, "time format"},
		{`SELECT convert_tz(a, "Mars/Olympus") AS v FROM calm`, `unknown time zone "Mars/Olympus"`},
		{`SELECT date_calc(a, "1 hour") AS v FROM calm`, "want a duration"},
		{"SELECT now(9) AS v FROM calm", "0 to 6 decimals"},
		{`SELECT format(a, 2, "xx") AS v FROM calm`, "unknown locale"},
		{`SELECT cast("1.9", "bigint") AS v FROM calm`, "cannot convert string(1.9) to bigint"},
		{`SELECT hex2dec("zz") AS v FROM calm`, "hexadecimal"},
		{`SELECT array_contains("x", a) AS v FROM calm`, "want an array"},
		{"SELECT s + 1 AS v FROM typed", "(s + 1) fails for every row"},
		{"SELECT n FROM typed WHERE s > 5", "(s > 5) fails for every row"},
		{"SELECT n FROM typed WHERE s", "neither true nor false"},
		{`SELECT n FROM typed WHERE n = "7"`, "fails for every row"},
		{"SELECT n FROM typed WHERE p > true", "fails for every row"},
		{"SELECT n FROM typed WHERE o = 1", "fails for every row"},
		{"SELECT n FROM typed WHERE (n > 1) + 1 = 2", "fails for every row"},
	} {
		got := d.send("POST", "/rules", object{"id": "r", "sql": c.sql, "actions": []object{nop}})
		if !strings.HasPrefix(got, "Rule r was created successfully.\nwarning: ") || !strings.Contains(got, c.want) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s\n got  %s\n want %s", c.sql, got, c.want)
		}
		d.send("DELETE", "/rules/r", nil)
	}
	var status struct{ Warnings []string }
	d.must(json.Unmarshal([]byte(d.send("POST", "/rules/validate", ruleOf("v", nil, nop))), &status))
	if len(status.Warnings) > 0 {
		t.Errorf("validate: got %q", status.Warnings)
	}
}

// Nothing is told of a statement that some row can pass.
func TestNoDoubts(t *testing.T) {
	d := newDesk(t, Options{}, nil)
	d.send("POST", "/streams", object{"sql": `CREATE STREAM u () WITH (DATASOURCE="in/u", TYPE="memory")`})
	d.send("POST", "/streams", object{"sql": `CREATE STREAM typed (n int, f double, s text, p bool, o STRUCT(x real), l ARRAY(bigint), at timestamp, b bytea) WITH (DATASOURCE="in/t", TYPE="memory")`})
	for _, sql := range []string{
		"SELECT a FROM calm WHERE a", "SELECT a FROM calm WHERE true", `SELECT a FROM calm WHERE a = "x" OR a > 5`, `SELECT a FROM calm WHERE a IN (1, "x", true)`,
		`SELECT a[100] AS v, a[-7] AS w, a[3:900] AS x FROM calm WHERE isnull(a) = false`, "SELECT a % 3 = 0 AS v, -a AS w, NOT a AS n, a & 3 AS b, a || 5 AS c FROM calm",
		`SELECT a FROM calm WHERE a > "2024-01-01" AND a BETWEEN "a" AND "b" AND a LIKE "x%"`, "SELECT a FROM calm WHERE a IS NULL OR a = 1 AND NOT (a = 2)",
		`SELECT split_value(a, ",", 500) AS v, element_at(a, 500) AS w, json_path_query(a, "$.x.y") AS x, substring(a, 900) AS y FROM calm`,
		"SELECT calm.a, payload->x AS x FROM calm INNER JOIN u ON calm.a = u.a GROUP BY TUMBLINGWINDOW(ss, 1)", "SELECT a.b.c AS x FROM calm",
		"SELECT calm.a, u.a->b AS x FROM calm FULL JOIN u ON FALSE GROUP BY TUMBLINGWINDOW(ss, 1)",
		`SELECT n FROM typed WHERE n > 5.5 AND s = "x" AND p AND o->x > 1 AND l[0] = 3 AND at > "2024-01-01" AND at > 5 AND n / 2 = 3 AND (n > 1) = p`,
		"SELECT n FROM typed WHERE n > f AND p = true AND (n & 3) = 1 AND CASE WHEN n > 1 THEN p ELSE false END AND b = b",
		"SELECT count(*) AS c FROM calm GROUP BY STATEWINDOW(a) HAVING count(*) > 1", "SELECT a FROM calm WHERE lag(a) AND had_changed(true, a) AND a->b",
		"SELECT n FROM typed WHERE n IN l AND s LIKE s AND abs(n) IN (1, 2) AND -n < 0 AND (p OR NOT p)", "SELECT coalesce(a / b, 1) AS v FROM calm WHERE abs(a) = 5 OR length(a) = 3",
	} {
		if got := d.send("POST", "/rules", object{"id": "r", "sql": sql, "actions": []object{{"nop": object{}}}}); got != "Rule r was created successfully." {
			t.Errorf("%s\n got %s", sql, got)
		}
		d.send("DELETE", "/rules/r", nil)
	}
}

// A TIMESTAMP_FORMAT that no time is written in is refused when the stream is defined,
// and a time of another form is named in the fault of its row.
func TestTimestampFormat(t *testing.T) {
	d := newDesk(t, Options{}, nil)
	for _, format := range []string{"nonsense", "YYYY-MM-DD", "yyy", "'text'"} {
		_, err := d.ExecStatement(`CREATE STREAM bad () WITH (DATASOURCE="x", TYPE="memory", TIMESTAMP="ts", TIMESTAMP_FORMAT="` + format + `")`)
		if err == nil || !strings.Contains(err.Error(), "option TIMESTAMP_FORMAT: time format") {
			t.Errorf("%s: got %v", format, err)
		}
	}
	d.sql(`CREATE STREAM s () WITH (DATASOURCE="in", TYPE="memory", FORMAT="json", TIMESTAMP="ts", TIMESTAMP_FORMAT="YYYY-MM-dd")`)
	out := d.listen("out")
	d.options("timed", "SELECT a FROM s", `{"isEventTime":true,"lateTolerance":0,"sendError":true}`, toMemory("out"))
	d.publish("in", `{"ts":"2024-03-31","a":1}`, `{"ts":"31.3.2024","a":2}`)
	out.want(`{"a":1}`)
	if text := out.next(1)[0]; !strings.Contains(text, "31.3.2024") {
		t.Errorf("got fault %q, want the time in it", text)
	}
}

// A rule over a table that keeps rows runs as one over a stream.
func TestTableAlone(t *testing.T) {
	d := newDesk(t, Options{}, nil)
	d.sql(`CREATE TABLE tab () WITH (TYPE="memory", DATASOURCE="in/tab", FORMAT="json")`)
	out := d.listen("tab")
	d.rule("tab", "SELECT a + 1 AS b FROM tab", "tab")
	d.publish("in/tab", `{"a":1}`)
	out.want(`{"b":2}`)
	d.sql(`CREATE TABLE keyed () WITH (TYPE="memory", DATASOURCE="in/keyed", KIND="lookup", KEY="id")`)
	if err := d.CreateRule(d.def("keyed", "SELECT * FROM keyed", `{"nop":{}}`)); err == nil || !strings.Contains(err.Error(), "lookup table") {
		t.Errorf("a lookup table alone: got %v", err)
	}
}

// DESCRIBE and GET name the types that other dialects' names stand for.
func TestTypesOfOtherDialects(t *testing.T) {
	d := newDesk(t, Options{}, nil)
	d.sql(`CREATE STREAM typed (a int, b double, c text, d bool, e varchar(20), f timestamp, g STRUCT(h real, i ARRAY(integer))) WITH (DATASOURCE="in/t", TYPE="memory")`)
	got := string(d.get("/streams/typed"))
	for _, want := range []string{`{"FieldType":"bigint","Name":"a"}`, `{"FieldType":"float","Name":"b"}`, `{"FieldType":"string","Name":"c"}`, `{"FieldType":"boolean","Name":"d"}`, `{"FieldType":"string","Name":"e"}`, `{"FieldType":"datetime","Name":"f"}`, `{"FieldType":"float","Name":"h"}`, `"ElementType":"bigint"`} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	out := d.listen("typed")
	d.rule("typed", "SELECT a + 1 AS x, upper(c) AS y, g->h AS z FROM typed", "typed")
	d.publish("in/t", `{"a":1,"b":2.5,"c":"k","d":true,"e":"x","f":5,"g":{"h":1.5,"i":[1]}}`)
	out.want(`{"x":2,"y":"K","z":1.5}`)
}
