package run

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/internal/clock"
	"github.com/weir-engine/weir/internal/loss"
)

// The executor puts rules aside that it panicked for and goes on with the others,
// see exec.Breakdown; Options.Broken is told of them. A panic that is laid to no rule
// costs what was being done, the batch or the timer, and never the process: the clock
// goes on, see restTime.

// Panics counts the panics of a process, and has each said once. Its methods are safe
// for concurrent use.
type Panics struct {
	total atomic.Uint64
	last  atomic.Int64 // when the last one was, ns by clock.Elapsed

	mu   sync.Mutex
	seen map[string]uint64
}

// maxSeen bounds the texts that are remembered.
const maxSeen = 256

// Note counts a panic. Its stack is logged when it is the first with its text, then
// the count at every tenfold.
func (p *Panics) Note(log *slog.Logger, what, text string, stack []byte) {
	p.total.Add(1)
	p.last.Store(int64(clock.Elapsed()))
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil || len(p.seen) >= maxSeen {
		p.seen = map[string]uint64{}
	}
	p.seen[text]++
	switch n := p.seen[text]; {
	case n == 1:
		log.Error(what, "panic", text, "stack", string(stack))
	case tenfold(n):
		log.Error(what, "panic", text, "times", n)
	}
}

// Total returns how many there were and how long ago the last was, whatever was done
// to the clock since.
func (p *Panics) Total() (n uint64, ago time.Duration) {
	return p.total.Load(), clock.Elapsed() - time.Duration(p.last.Load())
}

// tenfold tells whether n is a power of ten.
func tenfold(n uint64) bool {
	for n > 1 && n%10 == 0 {
		n /= 10
	}
	return n == 1
}

// restTime is how long the executor leaves the clock alone after a panic in a timer
// that is laid to no rule: what is due would panic again at once.
const restTime = time.Second

// recovered gives up what panicked, with rows of a batch and what was to be sent.
func (r *Runner) recovered(rows int) {
	if v := recover(); v != nil {
		r.giveUp("what the executor was doing is given up", v, rows)
	}
}

// recoveredTimer is recovered for what the clock said.
func (r *Runner) recoveredTimer() {
	if v := recover(); v != nil {
		r.giveUp("what was due is given up", v, 0)
		r.notBefore = r.now() + restTime.Milliseconds()
	}
}

func (r *Runner) giveUp(what string, v any, rows int) {
	r.o.Lost.Add(loss.Panic, uint64(max(rows+r.out.queued, 1)))
	r.o.Panics.Note(r.o.Log, what, fmt.Sprint(v), debug.Stack())
	r.x.Reset()
	r.out.drop()
}

// contain tells of the rules that broke, here or in what was sent.
func (r *Runner) contain(list []exec.Breakdown) {
	for _, b := range list {
		r.broke(b)
	}
	for _, b := range r.out.broken {
		r.broke(b)
	}
	r.out.broken = nil
}

func (r *Runner) broke(b exec.Breakdown) {
	r.o.Panics.Note(r.o.Log, "rules are stopped by a fault of weir", b.Text, b.Stack)
	r.o.Broken(b)
}
