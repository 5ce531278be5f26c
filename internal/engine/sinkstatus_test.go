package engine

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/sinks"
)

// figures is what the status of a rule has to say of its sink.
type figures struct{ in, out, refused, waiting int }

// site is a server whose paths begin with what they do to requests.
type site struct {
	mu      sync.Mutex
	taken   map[string]int
	refused map[string]int
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch strings.Split(r.URL.Path, "/")[1] {
	case "down":
		http.Error(w, "down: "+r.URL.Path, http.StatusServiceUnavailable)
	case "never":
		s.refused[r.URL.Path]++
		http.Error(w, strings.Repeat("never ä ", 100)+r.URL.Path, http.StatusBadRequest)
	default:
		s.taken[r.URL.Path]++
	}
}

// The figures of a sink in the status of a rule are the rule's own, whatever the others
// do that send to the same server, and begin at zero for a rule that comes in the place
// of another.
func TestSinkFiguresAreTheRulesOwn(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { ownFigures(t, rand.New(rand.NewPCG(seed, 5))) })
	}
}

func ownFigures(t *testing.T, rnd *rand.Rand) {
	r := newRig(t, Options{})
	s := &site{taken: map[string]int{}, refused: map[string]int{}}
	server := httptest.NewServer(s)
	t.Cleanup(func() {
		short(r) // what is down would be waited for
		server.Close()
	})
	r.memoryStream("s", "in")
	r.rule("all", "SELECT seq FROM s", "seen")
	seen := r.listen("seen")
	rules, made := map[string]string{}, 0 // id -> path
	sent := map[string]int{}
	for range 30 {
		switch {
		case len(rules) == 0 || rnd.IntN(3) == 0:
			id := fmt.Sprint("r", rnd.IntN(6)) // names come again, too
			if rules[id] != "" {
				r.must(r.DeleteRule(id))
			}
			made++
			path := fmt.Sprintf("/%s/%d", []string{"good", "down", "never"}[rnd.IntN(3)], made)
			text := fmt.Sprintf(`{"rest":{"url":"%s%s","method":"post","sendSingle":true}}`, server.URL, path)
			if rnd.IntN(4) == 0 { // never started
				def := r.def(id, "SELECT seq FROM s", text)
				def.Triggered = false
				r.must(r.CreateRule(def))
				r.wantFigures(id, figures{}, "")
				r.must(r.DeleteRule(id))
				delete(rules, id)
				continue
			}
			r.must(r.CreateRule(r.def(id, "SELECT seq FROM s", text)))
			rules[id] = path
			r.wantFigures(id, figures{}, "")
		default:
			n := 1 + rnd.IntN(5)
			for i := range n {
				r.publish("in", fmt.Sprintf(`{"seq":%d}`, i))
			}
			seen.next(n) // not by a rule that comes now
			for _, path := range rules {
				sent[path] += n
			}
		}
	}
	for id, path := range rules {
		n, kind := sent[path], strings.Split(path, "/")[1]
		want, text := figures{in: n, out: n}, ""
		switch {
		case kind == "down":
			want, text = figures{in: n, waiting: n}, path+": 503"
		case kind == "never":
			want, text = figures{in: n, refused: n}, path+": 400"
		}
		if n == 0 {
			text = ""
		}
		r.wantFigures(id, want, text)
	}
}

// wantFigures waits until the status of a rule says this of its only sink.
func (r *rig) wantFigures(id string, want figures, text string) {
	r.t.Helper()
	var got, last string
	say := func(a figures) string {
		return fmt.Sprintf("in %d out %d refused %d waiting %d dropped 0", a.in, a.out, a.refused, a.waiting)
	}
	defer func() {
		if r.t.Failed() {
			r.t.Logf("%s: got %s, %q, want %s, %q", id, got, last, say(want), text)
		}
	}()
	r.await(id+" has its figures", func() bool {
		f := map[string]any{}
		list, err := r.RuleStatus(id)
		r.must(err)
		for _, x := range list {
			if name, ok := strings.CutPrefix(x.Key, "sink_rest_0_0_"); ok {
				f[name] = x.Value
			}
		}
		if len(f) == 0 { // it never ran
			return want == figures{} && r.status(id, "op_3_project_0_records_in_total") == uint64(0)
		}
		got = fmt.Sprintf("in %v out %v refused %v waiting %v dropped %v", f["records_in_total"], f["records_out_total"], f["exceptions_total"], f["buffer_length"], f["dropped_total"])
		last = f["last_exception"].(string)
		return got == say(want) && strings.Contains(last, text) && (text != "" || last == "") && len(last) < loss.MaxText+100 && utf8.ValidString(last)
	})
}

// What is dropped at the bound of a destination is dropped of the rules that fill it, in
// memory and on disk, and counted for them.
func TestDroppedIsTheRulesOwn(t *testing.T) {
	o := tight()
	o.DropOldest = true
	r := newRig(t, Options{Sinks: o})
	server := httptest.NewServer(&site{taken: map[string]int{}, refused: map[string]int{}})
	t.Cleanup(func() {
		short(r) // what is down would be waited for
		server.Close()
	})
	r.memoryStream("s", "in")
	r.memoryStream("rare", "rare")
	pad := strings.Repeat("-", 1000)
	rest := func(id, stream, path string) {
		r.must(r.CreateRule(r.def(id, fmt.Sprintf("SELECT seq, %q AS pad FROM %s", pad, stream), fmt.Sprintf(`{"rest":{"url":"%s/%s","method":"post","sendSingle":true}}`, server.URL, path))))
	}
	rest("flood", "s", "down/1")
	rest("quiet", "rare", "down/2")
	rest("good", "rare", "good")
	r.publish("rare", `{"seq":1}`, `{"seq":2}`)
	const all = 5000
	for i := range all {
		r.publish("in", fmt.Sprintf(`{"seq":%d}`, i))
	}
	var seen [2]int64
	defer func() {
		if t.Failed() {
			t.Logf("dropped %d, waiting %d of %d", seen[0], seen[1], all)
		}
	}()
	r.await("the flood is dropped", func() bool {
		n, waits := r.status("flood", "sink_rest_0_0_dropped_total").(uint64), r.status("flood", "sink_rest_0_0_buffer_length").(int64)
		seen = [2]int64{int64(n), waits}
		return n > all/2 && int64(n)+waits == all // it drops by chunks of up to 256 KiB, of which some are filled, on their way and delivered
	})
	r.wantFigures("quiet", figures{in: 2, waiting: 2}, "503")
	r.wantFigures("good", figures{in: 2, out: 2}, "")
}

// The text of a fault is bounded wherever it is shown.
func TestTextsAreBounded(t *testing.T) {
	r := newRig(t, Options{Sinks: sinks.Options{}})
	r.memoryStream("s", "in")
	out := r.listen("faults")
	def := r.def("r", "SELECT a * 2 AS b FROM s", toMemory("faults"))
	def.Options.SendError = true
	r.must(r.CreateRule(def))
	long := strings.Repeat("ä", 250_000)
	for _, payload := range []string{fmt.Sprintf(`{"a":%q}`, long), `{"a":` + long} {
		r.publish("in", payload)
		if got := out.next(1)[0]; len(got) > loss.MaxText+100 || !utf8.ValidString(got) {
			t.Errorf("%d bytes were sent about a fault", len(got))
		}
	}
	list, err := r.RuleStatus("r")
	r.must(err)
	for _, f := range list {
		if text, ok := f.Value.(string); ok && len(text) > loss.MaxText+400 {
			t.Errorf("%s has %d bytes", f.Key, len(text))
		}
	}
}
