package redis

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func keysOf(values ...vec.Value) []lookup.Key {
	var out []lookup.Key
	for _, v := range values {
		b, _ := vec.AppendEqual(nil, v)
		out = append(out, lookup.Key{Text: string(b), Values: []vec.Value{v}})
	}
	return out
}

func TestFetch(t *testing.T) {
	m := miniredis.RunT(t)
	for k, v := range map[string]string{"1": `{"n":1}`, "2.5": `{"n":2}`, "true": `{"n":3}`, "a b": `[{"n":4},{"n":5}]`, "bad": `x`} {
		if err := m.Set(k, v); err != nil {
			t.Fatal(err)
		}
	}
	s := New(Options{Addr: m.Addr(), Ints: true})
	got, err := s.Fetch(t.Context(), []string{"id"},
		keysOf(vec.IntValue(1), vec.FloatValue(2.5), vec.BoolValue(true), vec.StringValue("a b"), vec.StringValue("none"), vec.StringValue("bad")))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`{"n":1}`, `{"n":2}`, `{"n":3}`, `{"n":4}{"n":5}`, ""}
	for i, w := range want {
		text := ""
		for _, r := range got[i].Rows {
			text += r.S
		}
		if text != w || got[i].Err != nil {
			t.Errorf("key %d: got %s, %v, want %s", i, text, got[i].Err, w)
		}
	}
	if err := got[5].Err; err == nil || !strings.Contains(err.Error(), `redis: key "bad"`) {
		t.Errorf("bad value: got %v", err)
	}
	if _, err := s.Fetch(t.Context(), []string{"a", "b"}, nil); !lookup.IsFinal(err) {
		t.Errorf("two columns: got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A server that comes back is found again, and nothing is left of the attempts.
func TestReconnect(t *testing.T) {
	m := miniredis.RunT(t)
	m.RequireUserAuth("u", "p")
	s := New(Options{Addr: m.Addr(), Username: "u", Password: "p", Timeout: time.Second})
	ask := func() error {
		_, err := s.Fetch(t.Context(), []string{"id"}, keysOf(vec.IntValue(1)))
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	m.Close()
	for range 5 {
		if err := ask(); err == nil || !strings.Contains(err.Error(), "redis "+s.o.Addr) {
			t.Errorf("server is down: got %v", err)
		}
	}
	if err := m.Restart(); err != nil {
		t.Fatal(err)
	}
	m.RequireUserAuth("u", "p")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := lookup.Ask(ctx, s, 5*time.Second, []string{"id"}, keysOf(vec.IntValue(1))); err != nil {
		t.Errorf("server is up again: got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestProps(t *testing.T) {
	o, err := ParseProps(map[string]any{"addr": "h:1", "dataType": "list", "username": "u", "password": "p", "db": 2}, "")
	if err != nil || o.DB != 2 || !o.List || o.Username != "u" || o.Password != "p" {
		t.Errorf("got %+v, %v", o, err)
	}
	if o, err = ParseProps(map[string]any{"addr": "h:1", "dataType": "string", "db": 2}, "5"); err != nil || o.DB != 5 {
		t.Errorf("DATASOURCE: got %+v, %v", o, err)
	}
	_, err = ParseProps(map[string]any{"dataType": "hash"}, "x")
	for _, want := range []string{`property "addr": want host:port`, `property "dataType": want string or list, found "hash"`, `DATASOURCE "x"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
