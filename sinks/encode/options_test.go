package encode

import (
	"encoding/json"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestFaultyProperties(t *testing.T) {
	for props, want := range map[string]string{
		`{"sendSingle":"yes"}`:                                 `property "sendSingle": want true or false, got "yes"`,
		`{"fields":["a",1]}`:                                   `property "fields": want a list of texts, got ["a",1]`,
		`{"dataField":["a","b"]}`:                              `property "dataField": want a text, got ["a","b"]`,
		`{"fields":["a"],"excludeFields":["b"]}`:               `property "excludeFields": excludes fields, which is there, too`,
		`{"format":"xml"}`:                                     `property "format": unknown format "xml", want json, delimited, urlencoded or protobuf`,
		`{"format":"binary"}`:                                  `property "format": "binary" is one of sources, want json, delimited, urlencoded or protobuf`,
		`{"format":"custom"}`:                                  `property "format": "custom" is not supported yet, want json, delimited, urlencoded or protobuf`,
		`{"format":"protobuf"}`:                                `property "schemaId": missing, format protobuf wants the name of a schema, a dot and the name of a message`,
		`{"format":"protobuf","schemaId":"a.B"}`:               `schemaId "a.B": there are no schemas here`,
		`{"format":"protobuf","schemaId":"a.B","batchSize":2}`: `property "batchSize": format protobuf has no lists of messages, neither with lingerInterval`,
		`{"compression":"rar"}`:                                `property "compression": unknown method "rar", want zlib, gzip, flate or zstd`,
		`{"encryption":"aes"}`:                                 `property "encryption": "aes" is not supported yet`,
		`{"batchSize":1.5}`:                                    `property "batchSize": want a whole number, at least 0, got 1.5`,
		`{"batchSize":-1}`:                                     `property "batchSize": want a whole number, at least 0, got -1`,
		`{"batchSize":"two"}`:                                  `property "batchSize": want a whole number, at least 0, got "two"`,
		`{"lingerInterval":"soon"}`:                            `property "lingerInterval": want a duration such as "5s", or a number of milliseconds, got "soon"`,
		`{"lingerInterval":-5}`:                                `property "lingerInterval": must not be negative, got -5`,
		`{"dataTemplate":"{{.a"}`:                              `dataTemplate:1: unclosed action`,
		`{"dataTemplate":"{{nope .a}}"}`:                       `dataTemplate:1: function "nope" not defined`,
		`{"dataTemplate":"{{env \"HOME\"}}"}`:                  `dataTemplate:1: function "env" not defined`,
		`{"dataTemplate":"{{expandenv \"$HOME\"}}"}`:           `dataTemplate:1: function "expandenv" not defined`,
		`{"dataTemplate":"{{getHostByName \"a\"}}"}`:           `dataTemplate:1: function "getHostByName" not defined`,
		`{"dataTemplate":7}`:                                   `property "dataTemplate": want a text, got 7`,
		`{"sendSingle":1,"omitIfEmpty":2,"format":3}`:          "property \"format\": want a text, got 3\nproperty \"sendSingle\": want true or false, got 1\nproperty \"omitIfEmpty\": want true or false, got 2",
		`{"dataTemplate":"` + strings.Repeat("x", maxTemplateBytes+1) + `"}`: `property "dataTemplate": 262145 bytes, at most 262144 are allowed`,
	} {
		m := map[string]any{}
		if err := json.Unmarshal([]byte(props), &m); err != nil {
			t.Fatal(err)
		}
		if _, err := New(m); err == nil || err.Error() != want {
			t.Errorf("%.80s: got %v, want %s", props, err, want)
		}
	}
}

func TestKey(t *testing.T) {
	same := [][2]string{
		{`{}`, `{"topic":"a","server":"b","format":"JSON","sendSingle":false,"delimiter":";"}`},
		{`{"fields":["a","b"]}`, `{"fields":["b","a","a"]}`},
		{`{"lingerInterval":"200ms"}`, `{"lingerInterval":200}`},
		{`{"lingerInterval":"200ms"}`, `{"lingerInterval":"200"}`},
		{`{"tableDataField":"a"}`, `{"dataField":"a"}`},
		{`{"sendSingle":"tRUE","batchSize":2}`, `{"SENDSINGLE":true,"batchSize":"2"}`},
		{`{"fields":"a"}`, `{"fields":["a"]}`},
	}
	for _, s := range same {
		if a, b := mustNew(t, s[0]).key, mustNew(t, s[1]).key; a != b {
			t.Errorf("%s and %s: got keys %q and %q, want the same", s[0], s[1], a, b)
		}
	}
	seen := map[string]string{}
	for _, props := range []string{
		`{}`, `{"sendSingle":true}`, `{"omitIfEmpty":true}`, `{"format":"delimited"}`, `{"format":"delimited","delimiter":";"}`, `{"format":"urlencoded"}`,
		`{"fields":["a"]}`, `{"fields":["a","b"]}`, `{"fields":["a\"f\"b"]}`, `{"excludeFields":["a"]}`,
		`{"format":"delimited","fields":["a","b"]}`, `{"format":"delimited","fields":["b","a"]}`, `{"dataField":"a"}`, `{"dataTemplate":"a"}`,
		`{"compression":"gzip"}`, `{"batchSize":2}`, `{"lingerInterval":2}`,
	} {
		key := mustNew(t, props).key
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s: got the same key %q", props, other, key)
		}
		seen[key] = props
	}
	if a, b := mustNew(t, `{}`).key, mustNew(t, `{}`, In(time.FixedZone("x", 60))).key; a == b {
		t.Error("encoders of two time zones have the same key")
	}
}

func TestInterner(t *testing.T) {
	var in Interner
	get := func(props map[string]any) *Encoder {
		t.Helper()
		e, err := in.Get(props)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	a := get(map[string]any{"sendSingle": true, "topic": "x"})
	if b := get(map[string]any{"sendSingle": true, "topic": "y"}); a != b {
		t.Error("equal properties have two encoders")
	}
	b := get(map[string]any{})
	if a == b || in.size() != 2 {
		t.Errorf("got %d encoders, want 2", in.size())
	}
	if _, err := in.Get(map[string]any{"format": "x"}); err == nil {
		t.Error("a faulty property: got no error")
	}
	runtime.KeepAlive(a)
	runtime.KeepAlive(b)
	// Nobody uses them any longer: they are forgotten some time after a collection.
	for i := 0; in.size() > 0; i++ {
		if i == 10000 {
			t.Fatalf("%d encoders are kept", in.size())
		}
		runtime.GC()
		runtime.Gosched()
	}
}

// size returns how many encoders are remembered; they are forgotten by a goroutine.
func (in *Interner) size() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.encoders)
}
