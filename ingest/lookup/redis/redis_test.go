package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/gomodule/redigo/redis"
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

// A connection that ended while nobody asked does not fail the next question, and
// one that was just used is not tried first.
func TestIdle(t *testing.T) {
	m := miniredis.RunT(t)
	if err := m.Set("1", `{"n":1}`); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Addr: m.Addr()})
	ask := func() error {
		_, err := s.Fetch(t.Context(), []string{"id"}, keysOf(vec.IntValue(1)))
		return err
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	before := m.CommandCount()
	if err := ask(); err != nil || m.CommandCount() != before+1 {
		t.Errorf("got %v and %d commands, want 1", err, m.CommandCount()-before)
	}
	_ = s.net.Close()
	s.used = s.used.Add(-time.Hour)
	if err := ask(); err != nil {
		t.Errorf("after an hour: got %v", err)
	}
	if err := errors.Join(s.Ping(t.Context()), s.Close()); err != nil {
		t.Error(err)
	}
}

// A server that does not answer is given up when the context ends, and its
// connection with it: what comes late belongs to no question.
func TestContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		c, err := l.Accept()
		if err != nil {
			ended <- err
			return
		}
		r := bufio.NewReader(c)
		_, _ = r.ReadString('\n')
		cancel()
		for err == nil {
			_, err = r.ReadString('\n')
		}
		ended <- c.Close()
	}()
	s := New(Options{Addr: l.Addr().String(), Timeout: time.Minute})
	if _, err := s.Fetch(ctx, []string{"id"}, keysOf(vec.IntValue(1))); !errors.Is(err, context.Canceled) || s.conn != nil {
		t.Errorf("got %v, %v", err, s.conn)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := s.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ping: got %v", err)
	}
}

// server starts a real Redis with the user u, and stops it with the test.
func server(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("redis-server is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	cmd := exec.Command(path, "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(),
		"--user", "u", "on", ">p", "~*", "+@all", "--user", "default", "off")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	said := ""
	for r := bufio.NewReader(out); !strings.Contains(said, "Ready to accept connections"); {
		line, err := r.ReadString('\n')
		if said += line; err != nil {
			t.Fatalf("redis-server ended: %s", said)
		}
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// The real server: users, databases, lists, more keys than one pipeline takes, and
// a key of another type.
func TestServer(t *testing.T) {
	addr := server(t)
	c, err := redis.Dial("tcp", addr, redis.DialUsername("u"), redis.DialPassword("p"), redis.DialDatabase(3))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var keys []vec.Value
	for i := range 2*maxKeys + 1 {
		keys = append(keys, vec.IntValue(int64(i)))
		for _, v := range []string{`{"n":%d}`, `{"n":-%d}`} {
			if _, err := c.Do("RPUSH", i, fmt.Sprintf(v, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := c.Do("SET", "text", "{}"); err != nil {
		t.Fatal(err)
	}
	s := New(Options{Addr: addr, Username: "u", Password: "p", DB: 3, List: true})
	got, err := s.Fetch(t.Context(), []string{"id"}, keysOf(append(keys, vec.StringValue("none"), vec.StringValue("text"))...))
	if err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		if r := got[i].Rows; len(r) != 2 || r[0].S != fmt.Sprintf(`{"n":%d}`, i) || got[i].Err != nil {
			t.Errorf("key %d: got %v, %v", i, r, got[i].Err)
		}
	}
	none, text := got[len(keys)], got[len(keys)+1]
	if len(none.Rows) != 0 || none.Err != nil || text.Err == nil || !strings.Contains(text.Err.Error(), `redis: key "text": WRONGTYPE`) {
		t.Errorf("no key: got %v; a text: got %v", none, text)
	}
	if err := errors.Join(s.Ping(t.Context()), s.Close()); err != nil {
		t.Error(err)
	}
	s = New(Options{Addr: addr, Username: "u", Password: "q"})
	if err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "redis "+addr+": WRONGPASS") {
		t.Errorf("wrong password: got %v", err)
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
	if o, err = ParseProps(nil, ""); err != nil || o.Addr != "127.0.0.1:6379" || o.List || o.DB != 0 {
		t.Errorf("without settings: got %+v, %v", o, err)
	}
	_, err = ParseProps(map[string]any{"dataType": "hash"}, "x")
	for _, want := range []string{`property "dataType": want string or list, got "hash"`, `DATASOURCE "x"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
