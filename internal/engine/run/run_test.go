package run

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/metrics"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/sinks"
	"github.com/weir-engine/weir/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// anyStream knows every stream, without a schema.
type anyStream struct{}

// Source implements planner.Catalog.
func (anyStream) Source(name string) (*planner.Source, bool) {
	return &planner.Source{Name: name}, true
}

// bench is a Runner with one stream, number 0, and a rule, number 1.
type bench struct {
	*Runner
	t    *testing.T
	feed *Feed
}

// newBench starts one. It ends with the test.
func newBench(t *testing.T, text string) *bench {
	t.Helper()
	inbox := ingest.NewInbox()
	f, err := ingest.NewFeed(inbox, ingest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sel, err := sql.ParseSelect(text)
	if err != nil {
		t.Fatal(err)
	}
	q, err := planner.Bind(planner.Env{Funcs: fn.Set{}, Catalog: anyStream{}, Fold: exec.FoldIn(time.UTC)}, "r", sel, planner.Settings{Epoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	b := planner.NewBuilder()
	b.Add(1, q.Root, false)
	feed := NewFeed(f)
	first := &Change{
		Feeds: []*Feed{feed}, Plans: []Plan{{feed, b.Columns()}},
		Programs: []Program{{0, b.Program()}}, Rules: []Rule{{ID: 1, Forget: true}},
	}
	r := New(Options{
		Inbox: inbox, Counters: new(sinks.Counters), Lost: new(loss.Ledger), Stages: metrics.NewStages(), Panics: new(Panics),
		Log: slog.New(slog.DiscardHandler), Release: func(*sinks.Queue) {},
		Changes: func() (c Change) {
			if first != nil {
				c, first = *first, nil
			}
			return c
		},
		Listeners: func(uint32) []planner.RuleID { return []planner.RuleID{1, 7} }, // the executor does not know 7 yet
		Broken:    func(b exec.Breakdown) { t.Errorf("it broke: %s", b.Text) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	go r.Run(ctx)
	t.Cleanup(func() {
		cancel()
		<-r.done
	})
	r.Mark()
	r.Sync()
	return &bench{r, t, feed}
}

// push delivers a message.
func (b *bench) push(payload string) {
	b.t.Helper()
	f := b.feed.feed
	f.Begin(time.Now().UnixMilli())
	if err := f.Push([]byte(payload), f.Route([]uint32{0}), &ingest.Meta{}, ingest.Ack{}); err != nil {
		b.t.Fatal(err)
	}
	f.End()
}

// await waits until the rule has sent n rows or windows.
func (b *bench) await(n uint64) {
	b.t.Helper()
	beat := time.NewTicker(time.Millisecond)
	defer beat.Stop()
	end := time.After(patience)
	for {
		var got uint64
		b.Call(func(x *exec.Executor) { got = x.Stats().Matched[1] })
		if got >= n {
			return
		}
		select {
		case <-beat.C:
		case <-end:
			b.t.Fatalf("the rule has sent %d, want %d", got, n)
		}
	}
}

// A panic in a timer that is laid to no rule neither stops the clock nor comes back
// at once, and windows end though what comes behind them panics.
func TestPanicOfNobody(t *testing.T) {
	b := newBench(t, "SELECT count(*) AS c FROM s GROUP BY TUMBLINGWINDOW(ms, 100)")
	b.Call(func(*exec.Executor) { b.out.soonest, b.out.waiting = 1, []*batched{nil} })
	for n := range uint64(3) {
		b.push(`{"a":1}`)
		b.await(n + 1)
	}
	if got, _ := b.o.Panics.Total(); got == 0 || got > 10 {
		t.Errorf("it panicked %d times", got)
	}
	b.Call(func(*exec.Executor) { b.out.soonest, b.out.waiting = 0, nil })
}

// A call that panics costs what it did, and the clock goes on at once.
func TestPanicInCall(t *testing.T) {
	b := newBench(t, "SELECT a FROM s")
	b.Call(func(*exec.Executor) { panic("bug: of the test") })
	b.push(`{"a":1}`)
	b.await(1)
	if got, ago := b.o.Panics.Total(); got != 1 || ago < 0 || ago > time.Hour {
		t.Errorf("it panicked %d times, the last %v ago", got, ago)
	}
	b.Call(func(*exec.Executor) {
		if b.notBefore != 0 {
			t.Error("the clock rests")
		}
	})
}

// A rule that came after a message that did not decode, and that the executor has
// not taken over, is not told of it, and nobody is the worse for it. Who listens to a
// stream is asked once for all messages that wait.
func TestBadBefore(t *testing.T) {
	b := newBench(t, "SELECT a FROM s")
	b.WantBad(1)
	asked := 0
	b.Call(func(*exec.Executor) {
		listeners := b.o.Listeners
		b.o.Listeners = func(stream uint32) []planner.RuleID { asked++; return listeners(stream) }
		b.Bad([]uint32{0, 0}, "rubbish")
		b.Bad([]uint32{0}, "rubbish")
	})
	b.push(`{"a":1}`)
	b.await(1)
	b.Sync()
	if got, _ := b.o.Panics.Total(); got != 0 || b.HasBad() {
		t.Errorf("it panicked %d times, and messages are left: %v", got, b.HasBad())
	}
	if asked != 1 {
		t.Errorf("who listens is asked %d times, want once a stream", asked)
	}
}

// Rows of a batch that cannot be decoded for a newer plan are counted.
func TestRedecode(t *testing.T) {
	b := newBench(t, "SELECT a FROM s")
	b.Call(func(*exec.Executor) { // a batch that is not of the feed
		b.process(b.feed.feed, &vec.Batch{Rows: 2, Plan: vec.NewPlan(b.feed.plan.Version+1, nil)})
	})
	if got := b.o.Lost.Counts(); got != (loss.Counts{loss.Redecode: 2}) {
		t.Errorf("lost %v, want 2 rows", got)
	}
}

// Feeds are paused once for each outlet that is full and go on with the last, whoever
// comes and goes meanwhile.
func TestPause(t *testing.T) {
	o := &outlets{of: map[*sinks.Queue]*Outlet{}}
	inbox := ingest.NewInbox()
	var feeds []*Feed
	for range 2 {
		f, err := ingest.NewFeed(inbox, ingest.Options{})
		if err != nil {
			t.Fatal(err)
		}
		feeds = append(feeds, NewFeed(f))
	}
	q, p := new(sinks.Queue), new(sinks.Queue)
	paused := func(what string, want ...bool) {
		t.Helper()
		if got := []bool{feeds[0].Paused(), feeds[1].Paused()}; !slices.Equal(got, want) {
			t.Errorf("%s: paused %v, want %v", what, got, want)
		}
	}
	first, second := o.attach(q, feeds[:1]), o.attach(p, feeds)
	o.hold(first)
	o.hold(first)
	paused("one is full", true, false)
	o.attach(q, feeds[1:])
	paused("another comes", true, true)
	o.hold(second)
	o.detach(q, feeds[1:])
	o.detach(q, feeds[:1])
	paused("both have left the first", true, true)
	o.detach(p, feeds)
	paused("and the second", false, false)
	if len(o.of) > 0 {
		t.Errorf("%d outlets are left", len(o.of))
	}
	feeds[0].stop(1)
	feeds[0].End()
	if fmt.Sprint(feeds[0].Paused()) != "true" || !feeds[0].feed.Idle() {
		t.Error("a feed that ended is not idle")
	}
}
