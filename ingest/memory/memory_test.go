package memory

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/membus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// feed collects what the source pushes, and blocks in Push while gate is there.
type feed struct {
	gate  chan struct{}
	lines []string
	fail  error
}

func (f *feed) Begin(int64) {}
func (f *feed) End()        {}

func (f *feed) Push(payload []byte, route uint32, m *ingest.Meta, _ ingest.Ack) error {
	if f.gate != nil {
		<-f.gate
	}
	f.lines = append(f.lines, m.Topic+"="+string(payload))
	return f.fail
}

// start runs a source, which end ends.
func start(t *testing.T, bus *membus.Bus, f *feed, o Options) (s *Source, end func(), done chan error) {
	t.Helper()
	s, err := New(bus, o, source.Target{Feed: f})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	done = make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, end, done
}

func publish(t *testing.T, bus *membus.Bus, topic string, texts ...string) {
	t.Helper()
	var ps [][]byte
	for _, x := range texts {
		ps = append(ps, []byte(x))
	}
	if err := bus.Publish(context.Background(), topic, ps); err != nil {
		t.Error(err)
	}
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, f := membus.New(), &feed{}
		s, end, done := start(t, bus, f, Options{Topic: "line/+"})
		publish(t, bus, "line/1", `{"a":1}`, `{"a":2}`)
		publish(t, bus, "other", `{"a":3}`)
		publish(t, bus, "line/2", `{"a":4}`)
		synctest.Wait()
		if got, want := strings.Join(f.lines, " "), `line/1={"a":1} line/1={"a":2} line/2={"a":4}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := s.Status().State; got != source.Running {
			t.Errorf("state: got %s", got)
		}
		end()
		if err := <-done; err != nil {
			t.Errorf("Run after its end: got %v", err)
		}
		if got := s.Status().State; got != source.Stopped {
			t.Errorf("state: got %s", got)
		}
	})
}

func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, f := membus.New(), &feed{gate: make(chan struct{})}
		_, end, done := start(t, bus, f, Options{Topic: "a", MaxBytes: 100})
		published := make(chan int, 100)
		go func() {
			for i := range 100 {
				publish(t, bus, "a", strings.Repeat("x", 60))
				published <- i
			}
			close(published)
		}()
		synctest.Wait()
		if n := len(published); n == 0 || n > 5 {
			t.Errorf("got %d messages published while the feed is blocked, want a few", n)
		}
		for range 100 {
			f.gate <- struct{}{}
		}
		synctest.Wait()
		if len(f.lines) != 100 || len(published) != 100 {
			t.Errorf("got %d of %d messages, want all", len(f.lines), len(published))
		}
		end()
		<-done
	})
}

// A rule that reads and writes the same topic publishes from a goroutine that
// the feed's consumer waits for.
func TestCircle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus, f := membus.New(), &feed{gate: make(chan struct{})}
		_, end, done := start(t, bus, f, Options{Topic: "a"})
		publish(t, bus, "a", "1")
		for range 1000 {
			f.gate <- struct{}{}
			publish(t, bus, "a", "again")
		}
		f.gate <- struct{}{}
		synctest.Wait()
		if len(f.lines) != 1001 {
			t.Errorf("got %d messages, want 1001", len(f.lines))
		}
		end()
		<-done
	})
}

func TestErrors(t *testing.T) {
	bus := membus.New()
	if _, err := New(bus, Options{Topic: "a/#/b"}, source.Target{}); err == nil || !strings.Contains(err.Error(), `memory source: memory topic "a/#/b"`) {
		t.Errorf("bad topic: got %v", err)
	}
	f := &feed{fail: errors.New("no room")}
	s, end, done := start(t, bus, f, Options{Topic: "a"})
	defer end()
	publish(t, bus, "a", "1")
	if err := <-done; err != f.fail {
		t.Errorf("failing feed: got %v", err)
	}
	if st := s.Status(); st.State != source.Failed || st.LastError != "no room" {
		t.Errorf("status: got %+v", st)
	}
}
