package twin

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/twin/model"
	"github.com/weir-engine/weir/vec"
)

// slow is what the flat column temperature holds for a message without a model,
// found by way of encoding/json: "-" where it has none.
func slow(m map[string]any) string {
	if v, ok := m["temperature"]; ok {
		return slowValue(v, model.Unknown)
	}
	found := "-"
	twin, _ := m["twin"].(map[string]any)
	if p, ok := twin["temperature"]; ok {
		found = slowTwin(p, found)
	}
	data, _ := m["data"].(map[string]any)
	if p, ok := data["temperature"]; ok {
		found = slowReported(p, p, found)
	}
	return found
}

func slowTwin(p any, found string) string {
	x, _ := p.(map[string]any)
	if p == nil {
		return "null"
	}
	if c, ok := x["current"]; ok {
		if c == nil {
			return "null"
		}
		cur, _ := c.(map[string]any)
		return slowActual(cur, found)
	}
	return slowActual(x, found)
}

func slowActual(x map[string]any, found string) string {
	a, ok := x["actual"]
	if !ok {
		return found
	}
	return slowReported(x, a, found)
}

func slowReported(twin, holder any, found string) string {
	if holder == nil {
		return "null"
	}
	h, _ := holder.(map[string]any)
	v, ok := h["value"]
	if !ok {
		return found
	}
	t, _ := twin.(map[string]any)
	md, _ := t["metadata"].(map[string]any)
	name, _ := md["type"].(string)
	if strings.EqualFold(name, "deleted") {
		return "null"
	}
	return slowValue(v, model.ParseType(name))
}

func slowValue(v any, typ model.Type) string {
	var kind vec.Kind
	var text []byte
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		kind, text = vec.String, []byte(x)
	case json.Number:
		kind, text = vec.Float64, []byte(x)
	case bool:
		kind, text = vec.Bool, []byte("false")
		if x {
			text = []byte("true")
		}
	default:
		if typ == model.Int || typ == model.Float || typ == model.Bool {
			return "null"
		}
		return "nested"
	}
	var c vec.Column
	c.Reset(1)
	c.SetNull(0)
	setScalar(typ, &c, 0, kind, text, false)
	return show(c.Value(0))
}

// twoForms tells whether a message reports the property in more than one place:
// then the last one in the text counts, which a map cannot tell.
func twoForms(m map[string]any) bool {
	places := 0
	if twin, ok := m["twin"].(map[string]any); ok {
		if p, ok := twin["temperature"]; ok {
			places++
			x, _ := p.(map[string]any)
			if _, ok := x["current"]; ok {
				if _, ok := x["actual"]; ok {
					places++
				}
				if _, ok := x["metadata"]; ok {
					places++
				}
			}
		}
	}
	if data, ok := m["data"].(map[string]any); ok {
		if _, ok := data["temperature"]; ok {
			places++
		}
	}
	return places > 1
}

// FuzzDecode checks the decoder against encoding/json and against plain decoding:
// it takes the same messages, and its columns hold what they should.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v[0], v[1])
	}
	names := []string{"temperature", "twin", "kind", "ts", "@*"}
	both := newHarness(f, Options{}, ingest.Options{}, plan(names...))
	raw := newHarness(f, Options{Format: Raw}, ingest.Options{}, plan("temperature", "twin"))
	flat := newHarness(f, Options{Format: Flat, Models: load(f, ".")}, ingest.Options{}, plan("*", "temperature"))
	f.Fuzz(func(t *testing.T, topic, payload string) {
		both.t, raw.t, flat.t = t, t, t
		both.push(topic, payload)
		raw.push(topic, payload)
		flat.push(topic, payload)
		for _, row := range flat.rows([]string{"*"}) {
			if text := strings.TrimPrefix(row, "*="); !json.Valid([]byte(text)) && utf8.ValidString(payload) && utf8.ValidString(topic) {
				t.Fatalf("flat row is not JSON: %s", text)
			}
		}
		got, want := both.rows(names[:2]), raw.rows(names[:2])
		if len(got) != len(want) {
			t.Fatalf("got %d rows, plain decoding gives %d", len(got), len(want))
		}
		var m map[string]any
		d := json.NewDecoder(strings.NewReader(payload))
		d.UseNumber()
		if len(got) != 1 || !utf8.ValidString(payload) || d.Decode(&m) != nil || twoForms(m) || repeated(payload) {
			return
		}
		expect := slow(m)
		have := "-"
		for _, f := range strings.SplitAfterN(got[0], " ", 2) {
			if v, ok := strings.CutPrefix(f, "temperature="); ok {
				have = v
			}
		}
		if have == "-" && expect == "-" || expect == "nested" || strings.HasPrefix(got[0], "temperature="+expect) {
			return
		}
		t.Fatalf("got %s, want temperature=%s", got[0], expect)
	})
}

// repeated tells whether a key may stand twice in an object.
func repeated(payload string) bool {
	if strings.Contains(payload, `\u`) {
		return true
	}
	for _, key := range []string{`"temperature"`, `"twin"`, `"data"`, `"value"`, `"actual"`, `"metadata"`, `"type"`, `"current"`} {
		if strings.Count(payload, key) > 1 {
			return true
		}
	}
	return false
}
