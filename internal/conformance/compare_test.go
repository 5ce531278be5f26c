package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
)

// anyValue in an expectation stands for every value.
const anyValue = "${any}"

// parse decodes one JSON document; numbers stay as they are written.
func parse(p []byte) (v any, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(p))
	dec.UseNumber()
	if dec.Decode(&v) != nil || dec.More() {
		return nil, false
	}
	return v, true
}

// payloadValue returns a payload in the form in which cases write it.
func payloadValue(p []byte) any {
	if v, ok := parse(p); ok {
		return v
	}
	return map[string]any{"$raw": string(p)}
}

// equal tells whether got is what want asks for.
func equal(want, got any, unordered bool) bool {
	if want == anyValue {
		return true
	}
	switch w := want.(type) {
	case json.Number:
		g, ok := got.(json.Number)
		return ok && sameNumber(w, g)
	case []any:
		g, ok := got.([]any)
		return ok && equalLists(w, g, unordered)
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(w) != len(g) {
			return false
		}
		for k, x := range w {
			if y, ok := g[k]; !ok || !equal(x, y, unordered) {
				return false
			}
		}
		return true
	}
	switch got.(type) {
	case []any, map[string]any: // must not be compared with ==
		return false
	}
	return want == got
}

func equalLists(want, got []any, unordered bool) bool {
	if len(want) != len(got) {
		return false
	}
	used := make([]bool, len(got))
	for i, w := range want {
		at := i
		if unordered {
			for at = 0; at < len(got) && (used[at] || !equal(w, got[at], true)); at++ {
			}
		}
		if at == len(got) || !equal(w, got[at], unordered) {
			return false
		}
		used[at] = true
	}
	return true
}

func sameNumber(a, b json.Number) bool {
	x, xInt := new(big.Int).SetString(a.String(), 10)
	y, yInt := new(big.Int).SetString(b.String(), 10)
	if xInt && yInt {
		return x.Cmp(y) == 0
	}
	f, err := a.Float64()
	if err != nil {
		return a == b
	}
	g, err := b.Float64()
	return err == nil && math.Abs(f-g) <= 1e-9*max(math.Abs(f), math.Abs(g))
}

// diff tells how payloads differ from those that were expected; empty if they do
// not.
func diff(want, got []any, unordered bool) string {
	if equalLists(want, got, unordered) {
		return ""
	}
	var b strings.Builder
	if len(want) != len(got) {
		fmt.Fprintf(&b, "got %d payloads, want %d\n", len(got), len(want))
	}
	shown := 0
	for i := 0; i < max(len(want), len(got)) && shown < 4; i++ {
		w, g := "nothing", "nothing"
		if i < len(want) {
			w = short(want[i])
		}
		if i < len(got) {
			g = short(got[i])
		}
		if i < len(want) && i < len(got) && equal(want[i], got[i], unordered) {
			continue
		}
		fmt.Fprintf(&b, "#%d got  %s\n   want %s\n", i, g, w)
		shown++
	}
	return b.String()
}

// short returns v as JSON, cut where it gets long.
func short(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	s := strings.TrimSpace(b.String())
	if len(s) > 400 {
		s = s[:400] + "..."
	}
	return s
}

func TestEqual(t *testing.T) {
	for _, x := range []struct {
		want, got string
		unordered bool
		same      bool
	}{
		{`{"a":1,"b":[1,2]}`, `{"b":[1.0,2],"a":1}`, false, true},
		{`[1,2]`, `[2,1]`, false, false},
		{`[1,2]`, `[2,1]`, true, true},
		{`[1,1]`, `[1,2]`, true, false},
		{`[1,1,2]`, `[1,2,1]`, true, true},
		{`0.1`, `0.10000000001`, false, true},
		{`0.1`, `0.1000001`, false, false},
		{`9007199254740993`, `9007199254740992`, false, false},
		{`9007199254740993`, `9.007199254740993e15`, false, true},
		{`1e999`, `1e999`, false, true},
		{`1`, `"1"`, false, false},
		{`"a"`, `{"a":1}`, false, false},
		{`null`, `null`, false, true},
		{`{"a":null}`, `{}`, false, false},
		{`{"id":"${any}"}`, `{"id":[1]}`, false, true},
		{`{"id":"${any}"}`, `{}`, false, false},
		{`true`, `true`, false, true},
	} {
		w, _ := parse([]byte(x.want))
		g, _ := parse([]byte(x.got))
		if equal(w, g, x.unordered) != x.same {
			t.Errorf("equal(%s, %s, %v): got %v", x.want, x.got, x.unordered, !x.same)
		}
	}
}

func TestExpand(t *testing.T) {
	got := expand("CREATE STREAM ${id}_x () WITH (${mqtt:a/b})", "c1z")
	want := `CREATE STREAM c1z_x () WITH (DATASOURCE="c1z/a/b", FORMAT="JSON", TYPE="mqtt", CONF_KEY="conform")`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
