package sinks

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/weir-engine/weir/internal/store"
)

// count is a destination that counts.
type count struct{ n int }

func (c *count) Write(_ context.Context, msgs []Message) (int, error) {
	c.n += len(msgs)
	return len(msgs), nil
}

func (c *count) Close() error { return nil }

func BenchmarkPut(b *testing.B) {
	for _, batch := range []int{1, 20, 1024} {
		for _, shared := range []bool{false, true} {
			b.Run(fmt.Sprintf("batch=%d/shared=%v", batch, shared), func(b *testing.B) {
				st, err := store.Open(store.Options{})
				if err != nil {
					b.Fatal(err)
				}
				defer st.Close()
				d := new(count)
				q, err := NewQueue(Target{
					DestKey: "count",
					Open:    func(context.Context, int) (Destination, error) { return d, nil },
				}, Options{}, st, nil)
				if err != nil {
					b.Fatal(err)
				}
				route := &Route{Spec: "{}", Target: "t"}
				payload := []byte(`[{"temperature":81.234,"humidity":17,"deviceid":"dev-0042","ts":1000000000001}]`)
				msgs := make([]Message, batch)
				for i := range msgs {
					p := payload
					if !shared {
						p = append([]byte(nil), payload...)
					}
					msgs[i] = Message{Route: route, Payload: p, Rule: uint32(i)}
				}
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					q.Put(msgs)
					n += len(msgs)
					if m, _ := q.Backlog(); m > 20000 {
						_ = q.Drained(context.Background())
					}
				}
				_ = q.Drained(context.Background())
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "msg/s")
				q.Close(context.Background())
				if d.n != n {
					b.Fatalf("got %d messages, want %d", d.n, n)
				}
			})
		}
	}
}

// BenchmarkSpill puts 200,000 messages of 80 bytes while the destination is down,
// and then delivers them: most go over the disk.
func BenchmarkSpill(b *testing.B) {
	const n = 200000
	payload := []byte(`[{"temperature":81.234,"humidity":17,"deviceid":"dev-0042","ts":1000000000001}]`)
	b.ReportAllocs()
	for b.Loop() {
		st, err := store.Open(store.Options{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		up := make(chan struct{})
		d := new(count)
		q, err := NewQueue(Target{
			DestKey: "count", Restore: func(string) (*Route, error) { return testRoute, nil },
			Open: func(context.Context, int) (Destination, error) { <-up; return d, nil },
		}, Options{}, st, nil)
		if err != nil {
			b.Fatal(err)
		}
		msgs := make([]Message, 100)
		for i := range msgs {
			msgs[i] = Message{Route: testRoute, Payload: append([]byte(nil), payload...), Rule: uint32(i)}
		}
		start := time.Now()
		for range n / len(msgs) {
			q.Put(msgs)
		}
		b.ReportMetric(n/time.Since(start).Seconds(), "put/s")
		start = time.Now()
		close(up)
		if err := q.Drained(context.Background()); err != nil || d.n != n {
			b.Fatal(d.n, err)
		}
		b.ReportMetric(n/time.Since(start).Seconds(), "deliver/s")
		q.Close(context.Background())
		if err := st.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
