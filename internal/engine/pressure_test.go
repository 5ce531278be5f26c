package engine

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/sinks"
)

// gate is a REST destination that answers only while it is open.
type gate struct {
	*httptest.Server
	mu   sync.Mutex
	open chan struct{}
	got  []string
	more chan struct{}
}

func newGate(r *rig) *gate {
	g := &gate{open: make(chan struct{}), more: make(chan struct{}, 1)}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		select {
		case <-g.open:
		case <-req.Context().Done():
			return
		}
		g.mu.Lock()
		g.got = append(g.got, string(body))
		g.mu.Unlock()
		signal(g.more)
	}))
	r.t.Cleanup(func() {
		r.close() // the client first
		g.Close()
	})
	return g
}

func (g *gate) action() string {
	return fmt.Sprintf(`{"rest":{"url":%q,"method":"post","sendSingle":true}}`, g.URL)
}

// count waits until at least n requests were answered, and returns the bodies.
func (g *gate) bodies(t *testing.T, n int) []string {
	t.Helper()
	end := time.After(patience)
	for {
		g.mu.Lock()
		got := g.got
		g.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-g.more:
		case <-end:
			t.Fatalf("%d requests came, want %d", len(got), n)
		}
	}
}

// fill publishes {"seq":n} until the feed of stream pauses, because rule's sink
// is full, and returns how many there were.
func (r *rig) fill(rule, stream, topic string) int {
	r.t.Helper()
	n := 0
	for end := time.Now().Add(patience); r.status(rule, "source_"+stream+"_0_paused") != true; {
		if time.Now().After(end) {
			r.t.Fatal("the feed does not pause")
		}
		var list []string
		for range 20 {
			list = append(list, fmt.Sprintf(`{"seq":%d}`, n))
			n++
		}
		r.publish(topic, list...)
	}
	return n
}

func tight() sinks.Options { return sinks.Options{MemoryBytes: 16 << 10, MaxBytes: 96 << 10} }

// A destination that does not answer: outputs go to disk, then the feed pauses,
// then the publisher waits. All of it comes out in order once it answers. Other
// streams, also one that floods the engine meanwhile, do not notice.
func TestSlowDestination(t *testing.T) {
	r := newRig(t, Options{Sinks: tight()})
	g := newGate(r)
	r.memoryStream("s", "in")
	r.memoryStream("other", "other")
	out := r.listen("out")
	pad := strings.Repeat("-", 4000) // few are enough to fill a queue
	r.must(r.CreateRule(r.def("slow", fmt.Sprintf("SELECT seq, %q AS pad FROM s", pad), g.action())))
	r.rule("fast", "SELECT seq FROM other", "out")

	n := r.fill("slow", "s", "in")
	if n := r.status("slow", "sink_rest_0_0_destination_disk_bytes").(int64); n == 0 {
		t.Error("nothing was written to disk")
	}
	r.publish("other", `{"seq":0}`)
	out.wantSeq(0, 1)

	// The room that comes is noticed though another stream is never idle.
	var calm atomic.Bool
	defer calm.Store(true)
	flooded := make(chan int, 1)
	go func() {
		seq := 1
		for ; !calm.Load(); seq++ {
			r.publish("other", fmt.Sprintf(`{"seq":%d}`, seq))
		}
		flooded <- seq
	}()
	close(g.open)
	r.await("the feed goes on", func() bool { return r.status("slow", "source_s_0_paused") == false })
	calm.Store(true)
	out.wantSeq(1, <-flooded)
	got := g.bodies(t, n)
	for i := range n {
		if want := fmt.Sprintf(`{"pad":%q,"seq":%d}`, pad, i); got[i] != want {
			t.Fatalf("request %d: got %s, want %s", i, got[i], want)
		}
	}
	if d := r.status("slow", "sink_rest_0_0_dropped_total"); d != uint64(0) {
		t.Errorf("%v messages were dropped", d)
	}
}

// A rule that is deleted, or replaced by one with another destination, lets its
// feed go on.
func TestFullQueueAndChanges(t *testing.T) {
	r := newRig(t, Options{Sinks: tight()})
	g := newGate(r)
	r.memoryStream("s", "in")
	for _, change := range []string{"delete", "replace", "stop"} {
		r.must(r.CreateRule(r.def("slow", "SELECT seq FROM s", g.action())))
		r.rule("fast", "SELECT seq FROM s", "out")
		out := r.listen("out")
		n := r.fill("slow", "s", "in")
		switch change {
		case "delete":
			r.must(r.DeleteRule("slow"))
		case "replace":
			r.replace(r.def("slow", "SELECT seq FROM s", `{"nop":{}}`))
		case "stop":
			r.must(r.StopRule("slow"))
		}
		out.wantSeq(0, n)
		if change != "delete" {
			r.must(r.DeleteRule("slow"))
		}
		r.must(r.DeleteRule("fast"))
	}
	close(g.open)
}

// What a destination did not take before the end of the process it gets from the
// next one, and what a paused feed held is not lost.
func TestCloseWhileFull(t *testing.T) {
	fs, dir := vfs.NewMem(), t.TempDir()
	o := Options{Store: store.Options{FS: fs, Dir: "data"}, Dir: dir, Sinks: tight()}
	r := newRig(t, o)
	g := newGate(r)
	r.memoryStream("s", "in")
	r.must(r.CreateRule(r.def("slow", "SELECT seq FROM s", g.action())))
	r.fill("slow", "s", "in")
	decoded := int(r.status("slow", "source_s_0_messages_processed_total").(uint64))
	short, cancel := context.WithCancel(t.Context())
	cancel()
	r.must(r.Engine.Close(short))

	r = newRig(t, o)
	close(g.open)
	// The message on its way at the end may have come twice.
	for i, b := range slices.Compact(slices.Clone(g.bodies(t, decoded))) {
		if want := fmt.Sprintf(`{"seq":%d}`, i); b != want {
			t.Fatalf("request %d: got %s, want %s", i, b, want)
		}
	}
	r.wantStatus("slow", "status", "running")
}

// A source whose feed is full can be stopped, whichever it is.
func TestStopWhileFull(t *testing.T) {
	r := newRig(t, Options{Sinks: tight()})
	addr := r.startBroker()
	g := newGate(r)
	r.memoryStream("m", "in")
	r.mqttStream("q", "in")
	for _, s := range []string{"m", "q"} {
		r.must(r.CreateRule(r.def(s, "SELECT * FROM "+s, g.action())))
	}
	r.connected("q", "q")
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	r.fill("m", "m", "in")
	wg.Go(func() {
		p := newPublisher(t, addr)
		for i := 0; i < 2000 && ctx.Err() == nil; i++ {
			p.publish("in", fmt.Sprintf(`{"seq":%d,"pad":%q}`, i, make([]byte, 200)))
		}
	})
	r.await("q pauses", func() bool { return r.status("q", "source_q_0_paused") == true })
	for _, s := range []string{"m", "q"} {
		r.must(r.StopRule(s))
		r.must(r.DeleteRule(s))
		r.must(r.DropStream(api.Stream, s))
	}
	stop()
	wg.Wait()
	close(g.open)
}
