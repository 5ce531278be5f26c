package props

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// all has a field of each kind.
type all struct {
	Text, Scalar, Secret, Choice string
	Flag, Old                    bool
	Whole                        int
	Small                        uint8
	Number                       float64
	Time, Short                  time.Duration
	Size                         int64
	List                         []string
	Map                          []Header
	Inner                        int64
	Other                        any
}

func fresh() *all {
	return &all{Text: "t", Choice: "none", Whole: 7, Time: time.Second, Size: 16 << 20, List: []string{"x"}}
}

func (a *all) table() Table {
	return Table{
		Text(&a.Text, "text", "some text").Alias("words", "speech"),
		Scalar(&a.Scalar, "version", "a version").Notice(func(v any) string {
			if v == "6" {
				return "taken as 5"
			}
			return ""
		}),
		Text(&a.Secret, "password", "what nobody sees").Hidden(),
		OneOf(&a.Choice, "method", "how", "none", "GET", "POST"),
		Flag(&a.Flag, "sendSingle", "one by one"),
		Flag(&a.Old, "debug", "writes a log").Ignored("the log has one level for all"),
		Whole(&a.Whole, "count", 0, 1000, "how many"),
		Whole(&a.Small, "small", 0, 255, "how few"),
		Number(&a.Number, "rate", -1, 1e9, "how often").In("messages a second"),
		Duration(&a.Time, "timeout", "how long"),
		Duration(&a.Short, "pause", "how long between").In("s").Between(0, time.Minute),
		Bytes(&a.Size, "limit", 0, 1<<40, "how much"),
		List(&a.List, "fields", "which"),
		Map(&a.Map, "headers", "names and values"),
		Group("lookup", "how answers are kept", Table{Whole(&a.Inner, "cacheTtl", 0, 9, "how long").In("s")}),
		Other("linger", "auto or a time", "how long to wait", func(v any) error {
			if v == "never" {
				return errors.New("want auto or a time")
			}
			a.Other = v
			return nil
		}),
		Refused("oauth", "not supported yet"),
	}
}

func read(t *testing.T, text string) (*all, Faults) {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	a := fresh()
	return a, a.table().Read(m)
}

func TestForms(t *testing.T) {
	for _, c := range []struct {
		given string
		want  func(a *all)
	}{
		{`{}`, func(*all) {}},
		{`{"text": null, "count": null}`, func(*all) {}},
		{`{"text": ""}`, func(a *all) { a.Text = "" }},
		{`{"TEXT": "A"}`, func(a *all) { a.Text = "A" }},
		{`{"Speech": "A"}`, func(a *all) { a.Text = "A" }},
		{`{"speech": "B", "words": "A"}`, func(a *all) { a.Text = "A" }},
		{`{"words": "B", "text": "A"}`, func(a *all) { a.Text = "A" }},
		{`{"version": 5}`, func(a *all) { a.Scalar = "5" }},
		{`{"version": 3.1}`, func(a *all) { a.Scalar = "3.1" }},
		{`{"version": "3.1.1"}`, func(a *all) { a.Scalar = "3.1.1" }},
		{`{"method": "post"}`, func(a *all) { a.Choice = "POST" }},
		{`{"method": ""}`, func(*all) {}},
		{`{"sendSingle": true}`, func(a *all) { a.Flag = true }},
		{`{"sendSingle": "tRUE"}`, func(a *all) { a.Flag = true }},
		{`{"sendSingle": " true "}`, func(a *all) { a.Flag = true }},
		{`{"sendSingle": "1"}`, func(a *all) { a.Flag = true }},
		{`{"sendSingle": "False"}`, func(*all) {}},
		{`{"count": 5}`, func(a *all) { a.Whole = 5 }},
		{`{"count": "5"}`, func(a *all) { a.Whole = 5 }},
		{`{"count": 5.0}`, func(a *all) { a.Whole = 5 }},
		{`{"count": "5.0"}`, func(a *all) { a.Whole = 5 }},
		{`{"count": 1e3}`, func(a *all) { a.Whole = 1000 }},
		{`{"count": " 1e3 "}`, func(a *all) { a.Whole = 1000 }},
		{`{"small": 255}`, func(a *all) { a.Small = 255 }},
		{`{"rate": 0.5}`, func(a *all) { a.Number = 0.5 }},
		{`{"rate": "-1"}`, func(a *all) { a.Number = -1 }},
		{`{"timeout": 5}`, func(a *all) { a.Time = 5 * time.Millisecond }},
		{`{"timeout": "5"}`, func(a *all) { a.Time = 5 * time.Millisecond }},
		{`{"timeout": 1.5}`, func(a *all) { a.Time = 1500 * time.Microsecond }},
		{`{"timeout": 1e3}`, func(a *all) { a.Time = time.Second }},
		{`{"timeout": "5s"}`, func(a *all) { a.Time = 5 * time.Second }},
		{`{"timeout": " 1h30m "}`, func(a *all) { a.Time = 90 * time.Minute }},
		{`{"timeout": ""}`, func(a *all) { a.Time = 0 }},
		{`{"pause": 5}`, func(a *all) { a.Short = 5 * time.Second }},
		{`{"pause": "5ms"}`, func(a *all) { a.Short = 5 * time.Millisecond }},
		{`{"limit": 1024}`, func(a *all) { a.Size = 1024 }},
		{`{"limit": "64 MiB"}`, func(a *all) { a.Size = 64 << 20 }},
		{`{"limit": "2kb"}`, func(a *all) { a.Size = 2048 }},
		{`{"limit": "100b"}`, func(a *all) { a.Size = 100 }},
		{`{"fields": ["a", "b"]}`, func(a *all) { a.List = []string{"a", "b"} }},
		{`{"fields": "a"}`, func(a *all) { a.List = []string{"a"} }},
		{`{"fields": "[\"a\", \"b\"]"}`, func(a *all) { a.List = []string{"a", "b"} }},
		{`{"fields": ""}`, func(a *all) { a.List = nil }},
		{`{"headers": {"b": 1234567, "a": "x", "c": true}}`, func(a *all) { a.Map = []Header{{"a", "x"}, {"b", "1234567"}, {"c", "true"}} }},
		{`{"headers": "{\"a\": \"x\"}"}`, func(a *all) { a.Map = []Header{{"a", "x"}} }},
		{`{"headers": ""}`, func(*all) {}},
		{`{"lookup": {"CacheTTL": "5"}}`, func(a *all) { a.Inner = 5 }},
		{`{"linger": "auto"}`, func(a *all) { a.Other = "auto" }},
		{`{"oauth": "", "unknown": 1}`, func(*all) {}},
	} {
		got, f := read(t, c.given)
		want := fresh()
		c.want(want)
		if f != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", c.given, *got, f, *want)
		}
	}
}

// The numbers of a configuration file are of other types than those of JSON.
func TestGoValues(t *testing.T) {
	for _, five := range []any{5, int64(5), uint64(5), 5.0, json.Number("5"), json.Number("5.0"), "5"} {
		a := fresh()
		f := a.table().Read(map[string]any{"count": five, "rate": five, "timeout": five, "limit": five, "version": five})
		if f != nil || a.Whole != 5 || a.Number != 5 || a.Time != 5*time.Millisecond || a.Size != 5 || !strings.HasPrefix(a.Scalar, "5") {
			t.Errorf("%T: got %+v, %v", five, *a, f)
		}
	}
	a := fresh()
	if f := a.table().Read(map[string]any{"fields": []string{"a"}, "headers": map[string]string{"a": "b"}}); f != nil || a.List[0] != "a" || a.Map[0].Value != "b" {
		t.Errorf("got %+v, %v", *a, f)
	}
}

func TestFaults(t *testing.T) {
	for given, want := range map[string]string{
		`{"text": 5}`:                        `property "text": want a text, got 5`,
		`{"Words": ["a"]}`:                   `property "Words": want a text, got ["a"]`,
		`{"version": {}}`:                    `property "version": want a text, got {}`,
		`{"password": 5}`:                    `property "password": want a text, got a value that is not shown`,
		`{"method": "fetch"}`:                `property "method": want none, GET or POST, got "fetch"`,
		`{"sendSingle": "maybe"}`:            `property "sendSingle": want true or false, got "maybe"`,
		`{"sendSingle": 1}`:                  `property "sendSingle": want true or false, got 1`,
		`{"count": "5s"}`:                    `property "count": want a whole number from 0 to 1000, got "5s"`,
		`{"count": 1.5}`:                     `property "count": want a whole number from 0 to 1000, got 1.5`,
		`{"count": 1001}`:                    `property "count": want a whole number from 0 to 1000, got 1001`,
		`{"count": -1}`:                      `property "count": want a whole number from 0 to 1000, got -1`,
		`{"count": "0x10"}`:                  `property "count": want a whole number from 0 to 1000, got "0x10"`,
		`{"rate": "inf"}`:                    `property "rate": want a number from -1 to 1000000000, got "inf"`,
		`{"timeout": "5 parsecs"}`:           `property "timeout": want a duration such as "5s", or a number of milliseconds, got "5 parsecs"`,
		`{"timeout": -1}`:                    `property "timeout": must not be negative, got -1`,
		`{"timeout": 1e300}`:                 `property "timeout": want a duration such as "5s", or a number of milliseconds, got 1e+300`,
		`{"pause": "2m"}`:                    `property "pause": want a duration such as "5s", or a number of seconds from 0s to 1m0s, got "2m"`,
		`{"limit": "2 apples"}`:              `property "limit": want a size such as "16MB", or a number of bytes from 0 to 1024GB, got "2 apples"`,
		`{"fields": [1]}`:                    `property "fields": want a list of texts, got [1]`,
		`{"fields": "[1]"}`:                  `property "fields": want a list of texts, got "[1]"`,
		`{"headers": "{"}`:                   `property "headers": want an object of texts, or the text of a JSON object, got "{"`,
		`{"headers": {"a": {}}}`:             `property "headers": want an object of texts, or the text of a JSON object, got {"a":{}}`,
		`{"lookup": 5}`:                      `property "lookup": want an object with cacheTtl, got 5`,
		`{"lookup": {"cacheTTL": 10}}`:       `property "lookup.cacheTTL": want a whole number from 0 to 9, got 10`,
		`{"linger": "never"}`:                `property "linger": want auto or a time`,
		`{"oauth": {"url": "x"}}`:            `property "oauth": not supported yet`,
		`{"count": 1, "Count": 1}`:           `property "count": is there as "Count", too: names are the same in any case of letters`,
		`{"count": "a", "text": 5}`:          "property \"text\": want a text, got 5\nproperty \"count\": want a whole number from 0 to 1000, got \"a\"",
		`{"text": ` + long("[1,", 500) + `}`: `property "text": want a text, got [` + strings.Repeat("1,", 48) + `...`,
	} {
		_, f := read(t, given)
		if err := f.Err(); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", given, err, want)
		}
	}
}

func long(open string, n int) string { return open + strings.Repeat("1,", n) + "1]" }

func TestRequired(t *testing.T) {
	var topic string
	table := Table{Text(&topic, "topic", "where messages go").Required()}
	for _, m := range []map[string]any{{}, {"topic": ""}, {"topic": nil}} {
		if err := table.Read(m).Err(); err == nil || err.Error() != `property "topic" is required: where messages go` {
			t.Errorf("%v: got %v", m, err)
		}
	}
	if f := table.Read(map[string]any{"topic": "a"}); f.Err() != nil {
		t.Errorf("got %v", f)
	}
}

func TestWarnings(t *testing.T) {
	for given, want := range map[string]string{
		`{"text": "a", "SENDSINGLE": true, "speech": "x"}`: ``,
		`{"sendSingel": true}`:                             `unknown property "sendSingel": did you mean "sendSingle"?`,
		`{"timout": 5}`:                                    `unknown property "timout": did you mean "timeout"?`,
		`{"wrods": 5}`:                                     `unknown property "wrods": did you mean "words"?`,
		`{"nosuch": 5}`:                                    `unknown property "nosuch"`,
		`{"lookup": {"cacheTtk": 1, "cacheTtl": 2}}`:       `unknown property "lookup.cacheTtk": did you mean "lookup.cacheTtl"?`,
		`{"version": "6"}`:                                 `property "version": taken as 5`,
		`{"version": "5"}`:                                 ``,
		`{"debug": false}`:                                 ``,
		`{"debug": "false"}`:                               ``,
		`{"debug": "what"}`:                                ``,
		`{"Debug": "true"}`:                                `property "Debug" has no effect: the log has one level for all`,
	} {
		m := map[string]any{}
		if err := json.Unmarshal([]byte(given), &m); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(Warnings("property", m, fresh().table()), "\n"); got != want {
			t.Errorf("%s: got %s, want %s", given, got, want)
		}
	}
}

func TestDefaults(t *testing.T) {
	var got []string
	for _, p := range fresh().table() {
		got = append(got, p.Name+"="+p.Default())
	}
	want := "text=t version= password= method=none sendSingle=false debug=false count=7 small=0 rate= timeout=1s pause= limit=16MB fields=x headers= lookup= linger= oauth="
	if strings.Join(got, " ") != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMerge(t *testing.T) {
	under, over := map[string]any{"Server": "a", "qos": 1, "x": 1}, map[string]any{"server": "b", "QoS": 2}
	if got, want := fmt.Sprint(Merge(under, over)), "map[QoS:2 server:b x:1]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := fmt.Sprint(Merge(nil, over)); got != "map[QoS:2 server:b]" || len(under) != 3 {
		t.Errorf("got %s", got)
	}
}

func TestAnd(t *testing.T) {
	var a, b string
	table := Table{Text(&a, "url", "mine").Alias("dburl")}.And(Table{Text(&b, "DBURL", "theirs"), Text(&b, "more", "theirs")})
	if got := strings.Join(table.Names(), " "); got != "url more" {
		t.Errorf("got %s", got)
	}
	if p := table.find("DBURL"); p == nil || p.Doc != "mine" {
		t.Errorf("got %+v", p)
	}
}

// FuzzRead gives the reader any object. Each value is taken or is a fault, and what
// was taken is taken again as it is shown.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"text":"a","version":5,"sendSingle":"tRUE","count":"1e3","rate":".5","timeout":1.5,"pause":"5s","limit":"16MB"}`,
		`{"fields":"[\"a\"]","headers":"{\"a\":1}","lookup":{"cacheTtl":5},"linger":0,"oauth":false,"Text":1}`,
		`{"count":9223372036854775807,"timeout":9e18,"limit":"9999999999GB","small":256,"rate":"NaN"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := map[string]any{}
		if json.Unmarshal([]byte(text), &m) != nil {
			return
		}
		a := fresh()
		table := a.table()
		for _, err := range table.Read(m) {
			if !strings.HasPrefix(err.Error(), `property "`) {
				t.Errorf("%s: got fault %q", text, err)
			}
		}
		Warnings("property", m, fresh().table())
		for i := range table {
			p := &table[i]
			if p.Kind == KindText || p.Kind == KindScalar || p.Kind > KindBytes {
				continue
			}
			again := fresh()
			copied := again.table()
			if f := copied.Read(map[string]any{p.Name: p.show()}); f != nil || copied[i].show() != p.show() {
				t.Errorf("%s: %s is %s, and is read as %s, %v", text, p.Name, p.show(), copied[i].show(), f)
			}
		}
	})
}
