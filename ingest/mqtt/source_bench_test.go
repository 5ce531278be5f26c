package mqtt

import (
	"fmt"
	"testing"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/mqttconn"
	"github.com/weir-engine/weir/vec"
)

// BenchmarkMessages takes reads of 256 messages through routing and decoding to
// the executor's side of the inbox, one column wanted.
func BenchmarkMessages(b *testing.B) {
	for _, topics := range []int{1, 8000} {
		b.Run(fmt.Sprintf("topics=%d", topics), func(b *testing.B) {
			conn, err := mqttconn.New(mqttconn.Options{CleanSession: true})
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			in := ingest.NewInbox()
			f, err := ingest.NewFeed(in, ingest.Options{})
			if err != nil {
				b.Fatal(err)
			}
			f.SetPlan(vec.NewPlan(1, []vec.ColumnSpec{{Path: []string{"temperature"}}}))
			s := New(conn)
			msgs := make([][]mqttconn.Message, max(1, topics/256))
			for i := range msgs {
				for k := range 256 {
					id := uint32((i*256 + k) % topics)
					if err := s.Add(Stream{ID: id, Filters: []string{fmt.Sprintf("gauge/own/%d", id)}, Feed: f}); err != nil {
						b.Fatal(err)
					}
					msgs[i] = append(msgs[i], mqttconn.Message{
						Topic:   &mqttconn.Topic{Name: fmt.Sprintf("gauge/own/%d", id), Subs: []uint32{id}},
						Payload: []byte(`{"temperature":81.234,"humidity":17,"deviceid":"dev-0042","ts":1000000000000000001}`),
					})
				}
			}
			b.ReportAllocs()
			reads, left := 0, 0
			for b.Loop() {
				if left--; left > 0 {
					continue
				}
				left = 256
				s.Messages(1700000000000, msgs[reads%len(msgs)])
				reads++
				if g, batch := in.Take(); batch != nil {
					g.Done(batch)
				}
			}
		})
	}
}
