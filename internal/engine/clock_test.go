package engine

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// wallClock is a machine's clock that somebody sets; time passes as in the bubble.
type wallClock struct {
	began time.Time
	off   atomic.Int64 // ns
}

func (w *wallClock) read() (int64, time.Duration) {
	now := time.Now()
	return now.UnixNano() + w.off.Load(), now.Sub(w.began)
}

func (w *wallClock) set(by time.Duration) { w.off.Add(int64(by)) }

func newWallClock() *wallClock { return &wallClock{began: time.Now()} }

// sleep has time pass, and waits until all have done what they do then.
func sleep(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// fired is what a rule says of a window, and when it came.
type fired struct {
	L  []int `json:"l"`
	at time.Duration
}

// Somebody sets the clock of a gateway again and again while messages come. No window stalls or is
// sent twice, and there are no more than time passed for; every message is in as many as it
// should be.
func TestClockOfGatewayIsSet(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { clockOfGateway(t, rand.New(rand.NewPCG(seed, 4))) })
		})
	}
}

func clockOfGateway(t *testing.T, rnd *rand.Rand) {
	wall := newWallClock()
	r := newRig(t, Options{clock: wall.read})
	defer r.close()
	r.memoryStream("s", "in")
	windows := map[string]string{
		"tumbling": "TUMBLINGWINDOW(ss, 5)", "hopping": "HOPPINGWINDOW(ss, 6, 2)", "delayed": "SLIDINGWINDOW(ss, 2, 1)", "sliding": "SLIDINGWINDOW(ss, 2)",
		"session": "SESSIONWINDOW(ss, 60, 1)", "counted": "COUNTWINDOW(3)",
	}
	got, outs := map[string][]fired{}, map[string]*listener{}
	for id, w := range windows {
		outs[id] = r.listen(id)
		r.rule(id, "SELECT collect(seq) AS l FROM s GROUP BY "+w, id)
	}
	collect := func() {
		for id, l := range outs {
			for _, m := range r.received(l, id) {
				f := fired{at: time.Since(wall.began)}
				r.must(json.Unmarshal([]byte(m), &f))
				got[id] = append(got[id], f)
			}
		}
	}
	came := []time.Duration{} // by message
	begun, jumps := time.Since(wall.began), 0
	for range 120 {
		sleep(time.Duration(rnd.IntN(900)) * time.Millisecond)
		collect()
		switch rnd.IntN(6) {
		case 0:
			jumps++
			wall.set([]time.Duration{-time.Hour, time.Hour, 365 * 24 * time.Hour, -365 * 24 * time.Hour, -3 * time.Second, 7 * time.Second}[rnd.IntN(6)])
		case 1:
			wall.set(time.Duration(rnd.IntN(400)-200) * time.Millisecond)
		default:
			came = append(came, time.Since(wall.began))
			r.publish("in", fmt.Sprintf(`{"seq":%d}`, len(came)-1))
		}
		synctest.Wait()
	}
	passed := time.Since(wall.began) - begun
	for range 30 {
		sleep(time.Second)
		collect()
	}
	checkTimes(t, got, "tumbling", len(came), 1, 5*time.Second, passed, jumps)
	checkTimes(t, got, "hopping", len(came), 3, 2*time.Second, passed, jumps)
	checkTimes(t, got, "session", len(came), 1, 0, 0, 0)
	for i, f := range got["counted"] {
		if fmt.Sprint(f.L) != fmt.Sprint([]int{3 * i, 3*i + 1, 3*i + 2}) {
			t.Errorf("counted: window %d holds %v", i, f.L)
		}
	}
	for id, after := range map[string]time.Duration{"sliding": 0, "delayed": time.Second} {
		if len(got[id]) != len(came) {
			t.Errorf("%s: %d windows, want %d", id, len(got[id]), len(came))
			continue
		}
		for i, f := range got[id] {
			checkSlide(t, id, f, came, i, after)
		}
	}
	r.wantStatus("tumbling", "clock_set_total", r.Totals().ClockSets)
	if n := int(r.Totals().ClockSets); n == 0 || n > jumps {
		t.Errorf("the clock was set %d times, want 1 to %d", n, jumps)
	}
}

// checkTimes wants each message in so many windows, and windows that end in time.
func checkTimes(t *testing.T, got map[string][]fired, id string, messages, times int, hop, passed time.Duration, jumps int) {
	t.Helper()
	in := make([]int, messages)
	var last time.Duration
	for i, f := range got[id] {
		for _, n := range f.L {
			in[n]++
		}
		if hop > 0 && i > 0 && f.at-last > 2*hop+2*time.Second { // looked at once a second or so
			t.Errorf("%s: nothing came from %v to %v", id, last, f.at)
		}
		last = f.at
	}
	for n, k := range in {
		if k != times {
			t.Errorf("%s: message %d is in %d windows, want %d", id, n, k, times)
		}
	}
	if most := int((passed+30*time.Second)/max(hop, 1)) + jumps + 2; hop > 0 && len(got[id]) > most {
		t.Errorf("%s: %d windows in %v", id, len(got[id]), passed)
	}
}

// checkSlide wants what came within two seconds before message i, and until after it. The clock
// may be a tenth slower or faster, while it follows a small difference.
func checkSlide(t *testing.T, id string, f fired, came []time.Duration, i int, after time.Duration) {
	t.Helper()
	const part = 220 * time.Millisecond
	in := map[int]bool{}
	for _, n := range f.L {
		in[n] = true
	}
	for n, at := range came {
		from, to := came[i]-2*time.Second, came[i]+after
		sure := at >= from+part && at <= to-part || n == i
		never := at < from-part || at > to+part
		if sure && !in[n] || never && in[n] {
			t.Errorf("%s: window %d, of %v, holds %v; message %d came at %v", id, i, came[i], f.L, n, at)
		}
	}
}

// Schedules are times of the clock on the wall, whatever it showed before; what lasts so long from
// its start lasts so long.
func TestSchedulesWhenClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wall := newWallClock()
		r := newRig(t, Options{clock: wall.read})
		defer r.close()
		r.memoryStream("s", "in")
		r.must(r.timed("often", `{"cron":"*/5 * * * * *","duration":"2s"}`))
		r.must(r.timed("once", `{"duration":"90m"}`))
		r.must(r.timed("range", `{"cronDatetimeRange":[{"begin":"2000-01-01 02:00:00","end":"2000-01-01 03:00:00"}]}`))
		want := func(what, often, once, within string) {
			t.Helper()
			synctest.Wait()
			for id, want := range map[string]string{"often": often, "once": once, "range": within} {
				if got := r.statusOf(id); got != want {
					t.Errorf("%s: %s: got %q, want %q", what, id, got, want)
				}
			}
		}
		sleep(time.Second) // 00:00:01
		want("at first", "running", "running", waiting)
		wall.set(-time.Hour)
		sleep(1100 * time.Millisecond)
		want("back by an hour, in a pause", waiting, "running", waiting)
		for range 10 { // the pauses are kept
			sleep(4 * time.Second) // 23:00:06 ...
			want("a run", "running", "running", waiting)
			sleep(time.Second + 500*time.Millisecond)
			want("a pause", waiting, "running", waiting)
			sleep(4*time.Second + 500*time.Millisecond)
		}
		wall.set(4 * time.Hour) // 03:00 and more
		sleep(11 * time.Second)
		want("behind the range", r.statusOf("often"), "running", waiting)
		r.wantStatus("range", "message", outOfRanges)
		wall.set(-30 * time.Minute)
		sleep(11 * time.Second)
		want("in the range", r.statusOf("often"), "running", "running")
		wall.set(-2 * time.Hour)
		sleep(11 * time.Second)
		want("before the range", r.statusOf("often"), "running", waiting)
		<-time.After(90*time.Minute - time.Since(wall.began) - 12*time.Second)
		want("a moment before its end", r.statusOf("often"), "running", r.statusOf("range"))
		sleep(13 * time.Second)
		want("its end", r.statusOf("often"), "stopped", r.statusOf("range"))
	})
}

// What a sink collects for a time waits no longer when the clock is set back, and no shorter when it
// is set forward.
func TestLingerWhenClockIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wall := newWallClock()
		r := newRig(t, Options{clock: wall.read})
		defer r.close()
		r.memoryStream("s", "in")
		out := r.listen("out")
		r.must(r.CreateRule(r.def("a", "SELECT seq FROM s", `{"memory":{"topic":"out","batchSize":100,"lingerInterval":"3s"}}`)))
		for i, by := range []time.Duration{-time.Hour, time.Hour, -365 * 24 * time.Hour, 5 * time.Second} {
			r.publish("in", fmt.Sprintf(`{"seq":%d}`, i))
			sleep(time.Second)
			wall.set(by)
			sleep(time.Second)
			r.publish("in", fmt.Sprintf(`{"seq":%d}`, i+100))
			sleep(900 * time.Millisecond)
			r.publish("out", "not yet")
			sleep(200 * time.Millisecond)
			out.want("not yet", fmt.Sprintf(`[[{"seq":%d}],[{"seq":%d}]]`, i, i+100))
		}
	})
}
