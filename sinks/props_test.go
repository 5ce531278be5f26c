package sinks

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

func TestProps(t *testing.T) {
	p := NewProps(map[string]any{
		"QOS": 1.0, "retained": "true", "Topic": "a", "timeout": "5s", "wait": 250.0, "n": json.Number("7"),
		"headers": `{"b": 1, "a": "x"}`, "fields": []any{"x", "y"}, "method": "post", "nothing": nil,
	})
	got := fmt.Sprintln(p.Number("qos", 0, 0, 2), p.Flag("retained", false), p.Text("topic", ""), p.Duration("timeout", 0),
		p.Duration("wait", 0), p.Number("n", 0, 0, 9), p.Headers("headers"), p.Texts("fields"),
		p.OneOf("method", "GET", "GET", "POST"), p.OneOf("missing", "GET", "GET", "POST"), p.Has("nothing"), p.Duration("none", time.Minute))
	want := "1 true a 5s 250ms 7 [{a x} {b 1}] [x y] POST GET false 1m0s\n"
	if got != want || p.Err() != nil {
		t.Errorf("got %s, want %s, %v", got, want, p.Err())
	}
}

func TestPropsFaults(t *testing.T) {
	bad := map[string]any{
		"qos": 3, "retained": "maybe", "topic": []any{}, "timeout": "5 parsecs", "wait": -1.0, "n": 1.5,
		"headers": "{", "fields": []any{1.0}, "method": "fetch", "nested": map[string]any{"a": map[string]any{}},
	}
	p := NewProps(bad)
	p.Number("qos", 0, 0, 2)
	p.Flag("retained", false)
	p.Text("topic", "")
	p.Duration("timeout", 0)
	p.Duration("wait", 0)
	p.Number("n", 0, 0, 1<<62)
	p.Headers("headers")
	p.Headers("nested")
	p.Texts("fields")
	p.OneOf("method", "GET", "GET", "POST")
	want := `property qos: want a whole number from 0 to 2, got 3
property retained: want true or false, got "maybe"
property topic: want a text, got []
property timeout: want milliseconds or a text like 5s, got "5 parsecs"
property wait: want milliseconds or a text like 5s, got -1
property n: want a whole number from 0 to 4611686018427387904, got 1.5
property headers: want an object, or the text of a JSON object, got "{"
property nested.a: want a text, got {}
property fields: want a list of texts, got [1]
property method: want GET, POST, got "fetch"`
	if err := p.Err(); err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}
