package bench

import (
	"testing"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// core is the way of a message without sockets and sinks: decode and evaluate.
type core struct {
	inbox    *ingest.Inbox
	feed     *ingest.Feed
	route    uint32
	x        *exec.Executor
	sent     counter
	payloads [][]byte
	bytes    int64 // of all payloads
	now      int64
}

// counter takes what rules send.
type counter struct{ rows, messages int }

func (c *counter) Fault(planner.RuleID, string) {}

func (c *counter) Send(planner.RuleID, *vec.Projection, int) error {
	c.rows++
	c.messages++
	return nil
}

func (c *counter) SendRows(_ planner.RuleID, _ *vec.Projection, rows []int32) error {
	c.rows += len(rows)
	c.messages++
	return nil
}

type anyStream struct{}

func (anyStream) Source(name string) (*planner.Source, bool) {
	return &planner.Source{Name: name}, true
}

// coreStart is the time at which every core begins, ms since 1970.
const coreStart = 1_700_000_000_000

// newCore runs the rules of c over a batch of its messages. count says that only
// the number of the rows counts, as for sink nop; apart gives every rule a stream
// of its own, which all read the same messages.
func newCore(tb testing.TB, c Config, count, apart bool) *core {
	tb.Helper()
	c.EnsureDefaults()
	if err := c.Validate(); err != nil {
		tb.Fatal(err)
	}
	k := &core{inbox: ingest.NewInbox(), now: coreStart}
	feed, err := ingest.NewFeed(k.inbox, ingest.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	k.feed = feed
	k.x = exec.New(exec.Env{Now: func() int64 { return k.now }}, &k.sent)
	builders := []*planner.Builder{planner.NewBuilder()}
	streams := []uint32{0}
	for i := range c.Rules {
		if apart && i > 0 {
			builders = append(builders, planner.NewBuilder())
			streams = append(streams, uint32(i))
		}
		id := planner.RuleID(i + 1)
		sel, err := sql.ParseSelect(c.sql(i))
		if err != nil {
			tb.Fatal(err)
		}
		env := planner.Env{Funcs: fn.Set{}, Catalog: anyStream{}, Fold: exec.FoldIn(time.UTC)}
		q, err := planner.Bind(env, ruleID(i), sel, planner.Settings{})
		if err != nil {
			tb.Fatal(err)
		}
		builders[len(builders)-1].Add(id, q.Root, count)
	}
	for i, b := range builders {
		k.x.SetProgram(uint32(i), b.Program(), k.now)
	}
	feed.SetPlan(vec.NewPlan(1, builders[0].Columns()))
	k.route = feed.Route(streams)
	for _, m := range c.messages(vec.MaxRows, 0) {
		p := m.packet[len(m.packet)-payloadLen(m.packet, m.topic):]
		k.payloads = append(k.payloads, p)
		k.bytes += int64(len(p))
	}
	return k
}

// payloadLen is the length of the payload of a packet of QoS 0.
func payloadLen(packet []byte, topic string) int {
	at := 1
	for packet[at] >= 0x80 {
		at++
	}
	return len(packet) - (at + 1) - 2 - len(topic)
}

// batch decodes the messages as one batch and runs it; step is how far the clock
// goes on before, in ms.
func (k *core) batch(tb testing.TB, step int64) {
	k.now += step
	k.x.Advance(k.now)
	k.feed.Begin(k.now)
	for _, p := range k.payloads {
		if err := k.feed.Push(p, k.route, nil, ingest.Ack{}); err != nil {
			tb.Fatal(err)
		}
	}
	k.feed.End()
	for {
		f, b := k.inbox.Take()
		if b == nil {
			return
		}
		k.x.Run(b, k.now)
		f.Done(b)
	}
}
