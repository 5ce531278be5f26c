package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestServe(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	s := newServer(t, newFake(), Options{})
	go func() { done <- s.Serve(ctx, ln, nil, time.Second) }()
	client := &http.Client{}
	for range 2 { // the connection is kept
		res, err := client.Get("http://" + ln.Addr().String() + "/ping")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 || res.Close {
			t.Errorf("ping: got %s, close %v", res.Status, res.Close)
		}
	}
	client.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("after the end: got %v", err)
	}
	if err := s.Serve(context.Background(), ln, nil, 0); err == nil {
		t.Error("closed listener: got nil")
	}
}

// discard is the cheapest ResponseWriter.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func benchEngine(rules int) *fakeEngine {
	e := newFake()
	e.streams["demo"] = fakeStream{fakeDef(Stream, "demo", ""), "x"}
	for i := range rules {
		id := fmt.Sprintf("r%d", i)
		if s, _ := New(e, Options{}); call(s, "POST", "/rules", ruleFor(id)).Code != 201 {
			panic("bug: rule refused")
		}
	}
	return e
}

// BenchmarkCreateRule is the HTTP and JSON part of POST /rules, over a real
// connection (conn=true) or without.
func BenchmarkCreateRule(b *testing.B) {
	body := `{"id":"r17","sql":"SELECT temperature FROM demo WHERE temperature > 20.5","actions":[{"mqtt":{"server":"tcp://127.0.0.1:1883","topic":"out/17","sendSingle":true}}]}`
	b.Run("conn=false", func(b *testing.B) {
		e := benchEngine(0)
		s := newServer(b, e, Options{})
		b.ReportAllocs()
		for b.Loop() {
			clear(e.rules)
			r, _ := http.NewRequest("POST", "/rules", strings.NewReader(body))
			s.ServeHTTP(discard{http.Header{}}, r)
		}
	})
	b.Run("conn=true", func(b *testing.B) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		e := benchEngine(0)
		done := make(chan error, 1)
		go func() { done <- newServer(b, e, Options{}).Serve(ctx, ln, nil, time.Second) }()
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		request := fmt.Appendf(nil, "POST /rules HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		answer := make([]byte, 4096)
		for b.Loop() {
			e.mu.Lock()
			clear(e.rules)
			e.mu.Unlock()
			conn.Write(request)
			n, err := conn.Read(answer)
			if err != nil || !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 201")) {
				b.Fatalf("got %s, %v", answer[:n], err)
			}
		}
		conn.Close()
		cancel()
		<-done
	})
}

// BenchmarkListRules is GET /rules and the status of all with 8,000 rules.
func BenchmarkListRules(b *testing.B) {
	s := newServer(b, benchEngine(8000), Options{})
	for _, path := range []string{"/rules", "/rules/status/all"} {
		b.Run("path="+path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, _ := http.NewRequest("GET", path, io.NopCloser(strings.NewReader("")))
				s.ServeHTTP(discard{http.Header{}}, r)
			}
		})
	}
}
