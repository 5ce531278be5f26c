package mqttconn

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
)

// flat is the message of the published figures, 95 bytes.
const flat = `{"temperature":81.234,"humidity":17,"deviceid":"dev-0042","ts":1000000000000000001}`

func BenchmarkSlice(b *testing.B) {
	for _, topics := range []int{1, 100, 8000} {
		for _, qos := range []byte{0, 1} {
			b.Run(fmt.Sprintf("topics=%d/qos=%d", topics, qos), func(b *testing.B) {
				c := mustNew(b, Options{})
				c.Handle(nobody{})
				mustSubscribe(b, c, 1, 1, "gauge/+")
				tp := pipeTap(b, c)
				const n = 8192
				var data []byte
				for i := range n {
					data = appendPublish(data, &OutMessage{Topic: fmt.Sprintf("gauge/%d", i*7919%topics), Payload: []byte(flat), QoS: qos}, uint16(i+1))
				}
				tokens := make([]uint64, 0, maxMessages)
				var out []byte
				b.SetBytes(int64(len(data) / n))
				b.ReportAllocs()
				for left := 0; b.Loop(); left-- {
					if left > 0 {
						continue // an iteration is a message, a round is n of them
					}
					left = n
					tp.buf, tp.start, tp.end = data, 0, len(data)
					for more := true; more; {
						var err error
						if more, err = tp.slice(1); err != nil {
							b.Fatal(err)
						}
						if qos > 0 {
							tokens = tokens[:0]
							for i := range tp.msgs {
								tokens = append(tokens, tp.msgs[i].Token)
							}
							c.Ack(tokens)
							out = tp.acks(out[:0])
						}
					}
				}
				c.live = nil
			})
		}
	}
}

// counting is the cheapest handler.
type counting struct {
	n    atomic.Int64
	want int64
	done chan struct{}
}

func (h *counting) Messages(_ int64, msgs []Message) {
	if h.n.Add(int64(len(msgs))) == h.want {
		close(h.done)
	}
}

// BenchmarkLoopback sends through a socket into a counting handler. The sender
// shares the machine, so the figure is what both can do together.
func BenchmarkLoopback(b *testing.B) {
	for _, chunk := range []int{256, 16, 1} {
		b.Run(fmt.Sprintf("chunk=%d", chunk), func(b *testing.B) {
			f := newFake()
			c := mustNew(b, Options{Servers: []string{f.listen(b)}, Linger: LingerAuto})
			h := &counting{want: int64(b.N), done: make(chan struct{})}
			c.Handle(h)
			mustSubscribe(b, c, 1, 0, "gauge/in")
			c.Start()
			mustAcked(b, c, 1)
			one := appendPublish(nil, &OutMessage{Topic: "gauge/in", Payload: []byte(flat)}, 0)
			var data []byte
			for range chunk {
				data = append(data, one...)
			}
			f.mu.Lock()
			nc := f.conns[0].nc
			f.mu.Unlock()
			b.SetBytes(int64(len(one)))
			b.ReportAllocs()
			b.ResetTimer()
			for left := b.N; left > 0; left -= chunk {
				if _, err := nc.Write(data[:min(left, chunk)*len(one)]); err != nil {
					b.Fatal(err)
				}
			}
			<-h.done
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			b.ReportMetric(float64(b.N)/float64(c.Stats().Reads), "msg/read")
		})
	}
}

// BenchmarkPublish writes messages in bulk to somebody who only reads.
func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("bulk=%d", size), func(b *testing.B) {
			f := newFake()
			c := mustNew(b, Options{Servers: []string{f.listen(b)}})
			c.Start()
			if err := c.WaitConnected(patient(b)); err != nil {
				b.Fatal(err)
			}
			// The fake keeps what it gets: a socket that swallows takes its place.
			x, y := socketPair(b)
			c.mu.Lock()
			tp := newTap(c, x, 99)
			c.live = tp
			c.mu.Unlock()
			go swallowAll(y)
			msgs := make([]OutMessage, size)
			for i := range msgs {
				msgs[i] = OutMessage{Topic: fmt.Sprintf("gauge/rule/%d", i%100), Payload: []byte(flat)}
			}
			ctx := patient(b)
			b.ReportAllocs()
			b.ResetTimer()
			for left := b.N; left > 0; left -= size {
				if _, err := c.Publish(ctx, msgs[:min(left, size)]); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			tp.fail(ErrClosed)
			y.Close()
		})
	}
}

func socketPair(b *testing.B) (x, y net.Conn) {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	if x, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		b.Fatal(err)
	}
	if y, err = ln.Accept(); err != nil {
		b.Fatal(err)
	}
	return x, y
}

func swallowAll(nc net.Conn) {
	buf := make([]byte, maxBuf)
	for {
		if _, err := nc.Read(buf); err != nil {
			return
		}
	}
}
