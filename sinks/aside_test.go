package sinks

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/store"
)

// host is a destination with places that behave each in its way. It keeps what it took.
type host struct {
	mu     sync.Mutex
	rnd    *rand.Rand
	down   bool                 // as a whole
	manner map[string]*manner   // of places
	got    map[string][]arrival // by rule, as its payloads name it
	routes Routes               // by place
	fault  string
}

// manner is how a place takes messages.
type manner struct {
	slow   time.Duration
	fails  float64 // the share of messages that it does not take
	hangs  time.Duration
	refuse bool // messages that end in 7
}

type arrival struct {
	text string
	at   time.Time
}

func (h *host) target(apart Apart, lanes int) Target {
	return Target{
		DestKey: "host", Lanes: lanes, Apart: apart,
		Open:    func(context.Context, int) (Destination, error) { return visit{h}, nil },
		Restore: func(spec string) (*Route, error) { return h.route(spec), nil },
		Label:   func() []byte { return []byte("label") },
	}
}

func (h *host) route(place string) *Route {
	return h.routes.Intern(place, func() *Route { return &Route{Target: place} })
}

// visit is one lane's way to the host.
type visit struct{ h *host }

func (visit) Close() error { return nil }

func (v visit) Write(ctx context.Context, msgs []Message) (int, error) {
	for i := range msgs {
		if err := v.h.take(ctx, &msgs[i]); err != nil {
			return i, err
		}
	}
	return len(msgs), nil
}

// decide returns what becomes of a message at the host.
func (h *host) decide(m *Message) (wait time.Duration, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down {
		return 0, errors.New("connection refused")
	}
	how := h.manner[m.Place()]
	switch {
	case how == nil:
		return 0, nil
	case how.hangs > 0:
		return how.hangs, OfPlace(errors.New("no answer"))
	case h.rnd.Float64() < how.fails:
		return how.slow, OfPlace(errors.New("status 500"))
	case how.refuse && m.Payload[len(m.Payload)-1] == '7':
		return how.slow, Refuse(errors.New("status 400"))
	}
	return how.slow, nil
}

func (h *host) take(ctx context.Context, m *Message) error {
	text := string(m.Payload)
	rule, _, _ := strings.Cut(text, " ")
	wait, err := h.decide(m)
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if string(m.Payload) != text {
		h.fault = fmt.Sprintf("%q became %q while it was sent", text, m.Payload)
	}
	if err == nil {
		h.got[rule] = append(h.got[rule], arrival{text, time.Now()})
	}
	return err
}

// crowd is rules that send to a host, and what they sent.
type crowd struct {
	t     *testing.T
	h     *host
	rnd   *rand.Rand
	place []string // by rule
	owner []string // by rule
	num   []uint32 // by rule, since it started
	sent  []int    // by rule
	put   map[string]time.Time

	counters *Counters // of this process
	given    int       // numbers in it
}

func newCrowd(t *testing.T, seed uint64, rules int) *crowd {
	rnd := rand.New(rand.NewPCG(seed, 1))
	h := &host{rnd: rand.New(rand.NewPCG(seed, 2)), manner: map[string]*manner{}, got: map[string][]arrival{}}
	c := &crowd{t: t, h: h, rnd: rnd, put: map[string]time.Time{}, sent: make([]int, rules)}
	for r := range rules {
		c.place = append(c.place, fmt.Sprintf("p%d", r*2/3)) // some share one
		c.owner = append(c.owner, fmt.Sprint("rule ", r))
	}
	c.begin()
	return c
}

// begin begins a process.
func (c *crowd) begin() {
	c.counters, c.given = new(Counters), 0
	c.renumber()
}

// renumber starts the rules: they get other numbers.
func (c *crowd) renumber() {
	c.num = nil
	for r, n := range c.rnd.Perm(len(c.place)) {
		c.num = append(c.num, uint32(c.given+n))
		c.counters.Own(c.num[r], &c.owner[r])
	}
	c.given += len(c.place)
}

// send puts n messages of random rules.
func (c *crowd) send(q *Queue, n int) {
	var msgs []Message
	for range n {
		r := c.rnd.IntN(len(c.place))
		text := fmt.Sprintf("r%d %06d", r, c.sent[r])
		c.sent[r]++
		c.put[text] = time.Now()
		msgs = append(msgs, Message{Route: c.h.route(c.place[r]), Payload: []byte(text), Rule: c.num[r]})
	}
	q.Put(msgs)
}

// check wants each rule's messages to have come once, in order and, but for those that
// were refused, all of them.
func (c *crowd) check() {
	c.t.Helper()
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	if c.h.fault != "" {
		c.t.Fatal(c.h.fault)
	}
	for r, n := range c.sent {
		how := c.h.manner[c.place[r]]
		next := 0
		for _, a := range c.h.got[fmt.Sprintf("r%d", r)] {
			for how != nil && how.refuse && next%10 == 7 {
				next++
			}
			if want := fmt.Sprintf("r%d %06d", r, next); a.text != want {
				c.t.Fatalf("rule %d at %s (%+v): got %q, want %q, of %d in %v", r, c.place[r], how, a.text, want, n, texts(c.h.got[fmt.Sprintf("r%d", r)]))
			}
			next++
		}
		if how != nil && how.refuse && next%10 == 7 && next < n {
			next++
		}
		if next != n {
			c.t.Fatalf("rule %d at %s (%+v): %d messages came, want %d", r, c.place[r], how, next, n)
		}
	}
}

// late returns the longest time that a message of a rule whose place does nothing
// special was under way.
func (c *crowd) late() (most time.Duration) {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	for r, place := range c.place {
		if how := c.h.manner[place]; how != nil && !how.refuse {
			continue
		}
		for _, a := range c.h.got[fmt.Sprintf("r%d", r)] {
			most = max(most, a.at.Sub(c.put[a.text]))
		}
	}
	return most
}

// misbehave gives some places manners; tick is what takes a millisecond otherwise.
func (c *crowd) misbehave(tick time.Duration) (bad int) {
	for i := range len(c.place) {
		m := new(manner)
		switch c.rnd.IntN(8) {
		case 0:
			m.slow = time.Duration(c.rnd.IntN(4000)) * tick
		case 1:
			m.fails = 1
		case 2:
			m.fails, m.slow = c.rnd.Float64(), time.Duration(c.rnd.IntN(300))*tick
		case 3:
			m.hangs = 5000 * tick
		case 4:
			m.refuse = true
			c.h.manner[fmt.Sprintf("p%d", i)] = m
			continue
		default:
			continue
		}
		c.h.manner[fmt.Sprintf("p%d", i)] = m
		bad++
	}
	return bad
}

// heal lets all places take everything at once.
func (c *crowd) heal() {
	c.h.mu.Lock()
	defer c.h.mu.Unlock()
	c.h.down = false
	for _, m := range c.h.manner {
		m.slow, m.fails, m.hangs = 0, 0, 0
	}
}

// Many rules send to one host, at some places of which messages are slow, fail, hang
// or are refused: each rule has all its messages out in order and once, also if it
// is started anew meanwhile, and those whose places are well do not wait for the others.
func TestOneHostManyRules(t *testing.T) {
	for seed := range uint64(40) {
		for _, apart := range []Apart{ByRule, ByPlace} {
			t.Run(fmt.Sprint(seed, apart), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newCrowd(t, seed, 3+int(seed%20)*4)
					bad := c.misbehave(time.Millisecond)
					q := mustQueue(t, c.h.target(apart, 1+int(seed%4)), Options{}, nil, c.counters)
					defer q.Close(done())
					for range 60 {
						if seed%4 == 0 && c.rnd.IntN(10) == 0 { // over one lane
							c.renumber()
						}
						c.send(q, 1+c.rnd.IntN(40))
						<-time.After(time.Duration(c.rnd.IntN(1000)) * time.Millisecond)
					}
					// A lane waits 100 ms for each place that is found to be slow, and
					// again when that has been swift in between.
					if most := c.late(); most > time.Duration(1+bad)*400*time.Millisecond {
						t.Errorf("a message at a good place was under way for %v, with %d bad ones", most, bad)
					}
					c.end(q)
				})
			})
		}
	}
}

// end wants everything to come out once the host is well.
func (c *crowd) end(q *Queue) {
	c.heal()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	if err := q.Drained(ctx); err != nil {
		c.t.Fatalf("drain: %v, %+v", err, q.Stats())
	}
	c.check()
	s := q.Stats()
	s.Lost[loss.Refused] = 0
	if s.Messages != 0 || s.Bytes != 0 || s.DiskBytes != 0 || s.Lost != (loss.Counts{}) {
		c.t.Errorf("got %+v, want an empty backlog and nothing lost", s)
	}
	c.send(q, 50)
	q.Close(c.t.Context())
	c.check()
}

// The same over the disk, over restarts in which rules get other numbers, and over
// times in which the host as a whole is down.
func TestOneHostOverRestarts(t *testing.T) {
	for seed := range uint64(10) {
		for _, apart := range []Apart{Together, ByRule, ByPlace} {
			t.Run(fmt.Sprint(seed, apart), func(t *testing.T) { overRestarts(t, seed, apart) })
		}
	}
}

func overRestarts(t *testing.T, seed uint64, apart Apart) {
	const tick = time.Microsecond
	c := newCrowd(t, seed, 3+int(seed%20)*4)
	c.misbehave(tick)
	fs := vfs.NewMem()
	o := Options{MemoryBytes: 1 << 10, Patience: 100 * tick, RetryMin: 100 * tick, RetryMax: 1000 * tick, Logger: quiet}
	var st *store.Store
	open := func() *Queue {
		var err error
		st, err = store.Open(store.Options{Dir: "d", FS: fs, Logger: quiet, SegmentBytes: 2 << 10})
		if err != nil {
			t.Fatal(err)
		}
		q, err := NewQueue(c.h.target(apart, 1+c.rnd.IntN(4)), o, st, c.counters)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	shut := func(q *Queue) {
		q.Close(done())
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}
	q := open()
	defer func() { shut(q) }()
	for range 100 {
		c.send(q, 1+c.rnd.IntN(60))
		<-time.After(time.Duration(c.rnd.IntN(1000)) * tick)
		switch c.rnd.IntN(15) {
		case 0:
			shut(q)
			c.begin()
			q = open()
		case 1:
			c.h.set(true)
		case 2, 3:
			c.h.set(false)
		}
	}
	c.end(q)
}

func (h *host) set(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
}

// texts returns the numbers of what came.
func texts(list []arrival) (out []string) {
	for _, a := range list {
		_, n, _ := strings.Cut(a.text, " ")
		out = append(out, strings.TrimLeft(n, "0"))
	}
	return out
}
