// Package exec runs programs over batches: every step of a program at most once
// per batch, rules found through indexes, windows as rings of panes that rules
// share. It starts no goroutine and touches no socket or file; clock and random
// source are arguments. One Executor belongs to one goroutine and is the only
// writer of every state, so there is nothing to lock.
package exec

import (
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// Output takes what rules send. p, rows and the batch below them are valid only
// until the call returns, and must not be written.
type Output interface {
	// Send sends one row of p as a message of its own. An error says that it could
	// not be made: the rule loses the row, once for each error that is joined.
	Send(rule planner.RuleID, p *vec.Projection, row int) error
	// SendRows sends rows of p, in that order, as one message: what a window
	// gave. rows may be empty. Errors are those of Send.
	SendRows(rule planner.RuleID, p *vec.Projection, rows []int32) error
	// Fault says that rule loses a row or a window. It is called only for rules
	// that asked for it.
	Fault(rule planner.RuleID, text string)
}

// Env is what evaluation needs from outside.
type Env struct {
	Location *time.Location // for texts of times and alignment of windows; nil: UTC
	Now      func() int64   // ms since 1970
	Started  int64          // when the process started, ms since 1970; 0: not known
	Rand     *rand.Rand     // nil: seeded with 1
	// State is what get_keyed_state reads; it returns at once. nil: there is none.
	State  func(key string) (vec.Value, bool)
	Faults func(rule planner.RuleID) bool // rules that want Output.Fault; nil: none
	// Lookup asks the store of an external lookup table. It returns at once; the
	// answer goes to Executor.Found later. nil: there are no such tables.
	Lookup func(*Lookup)
}

// EnsureDefaults fills in what is not set.
func (e *Env) EnsureDefaults() {
	if e.Location == nil {
		e.Location = time.UTC
	}
	if e.Now == nil {
		e.Now = func() int64 { return time.Now().UnixMilli() } // lint:allow clock: the default of a process that sets none
	}
	if e.Rand == nil {
		e.Rand = rand.New(rand.NewPCG(1, 1))
	}
}

// Executor runs the programs of all streams. It is not safe for concurrent use.
type Executor struct {
	env Env
	out Output
	now int64 // of the batch

	streams []*live // by stream number
	split   splitter
	stats   Stats
	ctx     fn.Ctx
	marks   []int64 // of rows in event time: the watermark before it came to them

	sending sending
	joining joining
	waiting waiting
	caches  map[uint32]map[string]*lookupCache // by table and columns of the key

	scratch scratch
	alarm   alarm
	broken  broken
}

// sending is what the rules of the program that is being run send, and lose, until
// it is delivered.
type sending struct {
	pairs   []pair
	losses  []lostRow
	debts   debts
	rows    []int32 // of a message
	codes   []int32 // texts of an index by dictionary code
	spreads spreader
	gen     uint64 // of projections
}

// joining is what a batch gave joins and tables, until its end.
type joining struct {
	origin  []int32 // rows of the batch that the rows being run are; nil: all
	joins   []*live // joins that have rows of the batch
	changes []tableChange
}

// scratch is memory that programs share.
type scratch struct {
	machines []*machine // by depth: windows run programs inside programs
	depth    int
	bitmaps  []vec.Bitmap
}

// alarm is when a window by the clock is due.
type alarm struct {
	at    int64 // the earliest, 0: none
	stale bool  // windows came or went since at was found
}

// Stats are counters of work and of rules, by RuleID. They grow as rules come.
type Stats struct {
	Matched []uint64 // rows (or windows) that the rule sent or would have sent
	Faults  []uint64 // rows (or windows) that the rule lost by a fault
	In      []uint64 // rows of the rule's stream since the rule started
	Last    []string // text of the rule's last fault
	LastAt  []int64  // when that was, ms since 1970

	Parked int // jobs, each some rows or a window, that wait for lookup tables

	Batches     uint64
	Rows        uint64
	Evaluations uint64 // rows times the rules over them
	Lookups     uint64 // searches of indexes, one for each batch and index
	Steps       uint64 // evaluations of steps, one for each batch that needs it

	// Lost is what was lost by all rules, those that are no more included: rows
	// without a place in event time and windows that were passed over once, the rest
	// once for each rule.
	Lost   loss.Counts
	byRule map[planner.RuleID]*loss.Counts // see LostBy
	hit    []int64                         // time of the rule's last result, ms since 1970
}

// New makes an Executor that hands what rules send to out.
func New(env Env, out Output) *Executor {
	env.EnsureDefaults()
	x := &Executor{env: env, out: out}
	x.ctx.Now, x.ctx.Rand, x.ctx.Location, x.ctx.Started, x.ctx.State = env.Now, env.Rand, env.Location, env.Started, env.State
	return x
}

// SetLocation changes the time zone of texts and of windows. Rules that are running
// have constants and times of the old one: the caller lets them begin anew.
func (x *Executor) SetLocation(loc *time.Location) { x.env.Location, x.ctx.Location = loc, loc }

// SetProgram makes p the program of stream. A nil p ends the stream, and so does
// one of another Builder than the last before it begins anew. Windows that p still
// has keep their state; rules that are new in a window see only rows from now on.
// now is in ms since 1970.
func (x *Executor) SetProgram(stream uint32, p *planner.Program, now int64) Receipt {
	x.setProgram(stream, p, now)
	return x.receipt(0)
}

func (x *Executor) setProgram(stream uint32, p *planner.Program, now int64) {
	for int(stream) >= len(x.streams) {
		x.streams = append(x.streams, nil)
	}
	x.alarm.stale = true
	n := x.streams[stream]
	if n != nil && (p == nil || n.prog.Origin != p.Origin) {
		x.flush(n)
		x.dropJobs(n)
		n, x.streams[stream] = nil, nil
		delete(x.caches, stream)
	}
	if p == nil {
		return
	}
	if n == nil {
		n = &live{}
		x.streams[stream] = n
	}
	x.now = now
	defer x.guardProgram(stream, p, x.scratch.depth)
	if p.Join != nil {
		x.adoptJoin(stream, n, p)
	}
	x.adopt(n, p)
}

func (x *Executor) live(stream uint32) *live {
	if int(stream) < len(x.streams) {
		return x.streams[stream]
	}
	return nil
}

// Run evaluates every rule of every stream that b has rows of. b is borrowed
// until Run returns, or, if it is held, until a receipt says that it is free. now is
// the time at which the batch was picked up.
func (x *Executor) Run(b *vec.Batch, now int64) Receipt {
	b.Check()
	x.now = now
	w := &x.waiting
	w.ticket++
	w.running, w.crowded = true, w.crowded[:0]
	defer func() { w.running = false }()
	x.stats.Batches++
	x.stats.Rows += uint64(b.Rows)
	if b.Rows > 0 {
		x.runStreams(b)
	}
	return x.receipt(w.ticket)
}

// runStreams is Run for a batch with rows.
func (x *Executor) runStreams(b *vec.Batch) {
	if r := b.Route[0]; x.uniform(b, r) {
		for _, s := range b.Routes.Streams[r] {
			if n := x.live(s); n != nil {
				x.run(n, b)
			}
		}
	} else {
		x.runSplit(b)
	}
	if len(x.joining.joins) > 0 || len(x.joining.changes) > 0 {
		x.settle()
	}
}

func (x *Executor) uniform(b *vec.Batch, r uint32) bool {
	for _, o := range b.Route[1:] {
		if o != r {
			return false
		}
	}
	return true
}

// Advance ends the windows in processing time that are over at now.
func (x *Executor) Advance(now int64) Receipt {
	x.advance(now)
	return x.receipt(0)
}

func (x *Executor) advance(now int64) {
	if d := x.Deadline(); d > 0 && now >= d {
		x.now = now
		for _, n := range x.streams {
			if n != nil {
				n.advance(now)
			}
		}
		x.schedule()
	}
}

// Deadline returns when Advance has something to do, in ms since 1970; 0: not
// before the next batch.
func (x *Executor) Deadline() int64 {
	if x.alarm.stale { // once for all programs that changed together
		x.schedule()
	}
	return x.alarm.at
}

// Stats brings the counters up to date and returns them; they are valid until
// the next call of any method.
func (x *Executor) Stats() *Stats {
	for _, n := range x.streams {
		if n != nil {
			x.flush(n)
		}
	}
	x.stats.Parked = x.parked()
	return &x.stats
}

// Forget clears the counters of a rule number, before it is used for a new rule
// and after an old one ended.
func (x *Executor) Forget(rule planner.RuleID) {
	x.stats.grow(rule)
	s := &x.stats
	delete(x.broken.rules, rule)
	s.Matched[rule], s.Faults[rule], s.In[rule], s.Last[rule], s.LastAt[rule], s.hit[rule] = 0, 0, 0, "", 0, 0
	delete(s.byRule, rule)
}

func (s *Stats) grow(rule planner.RuleID) {
	if n := int(rule) + 1; n > len(s.Matched) {
		n += n / 4
		s.Matched = append(s.Matched, make([]uint64, n-len(s.Matched))...)
		s.Faults = append(s.Faults, make([]uint64, n-len(s.Faults))...)
		s.In = append(s.In, make([]uint64, n-len(s.In))...)
		s.Last = append(s.Last, make([]string, n-len(s.Last))...)
		s.LastAt = append(s.LastAt, make([]int64, n-len(s.LastAt))...)
		s.hit = append(s.hit, make([]int64, n-len(s.hit))...)
	}
}

// note keeps the text of the last fault of rule.
func (s *Stats) note(rule planner.RuleID, text string, at int64) {
	s.Last[rule], s.LastAt[rule] = loss.Text(text), at
}

// charge counts n rows that rule lost.
func (x *Executor) charge(rule planner.RuleID, n uint64, text string) {
	x.count(rule, n)
	x.stats.note(rule, text, x.now)
}

// fault counts a row that rule lost, and tells the rule.
func (x *Executor) fault(rule planner.RuleID, text string) {
	x.charge(rule, 1, text)
	if x.wants(rule) {
		x.out.Fault(rule, text)
	}
}

// Failed counts a message of rule that could not be made of rows that were sent
// before.
func (x *Executor) Failed(rule planner.RuleID, text string) { x.faultFor(loss.Encode, rule, text) }

// unsent counts a message that could not be made.
func (x *Executor) unsent(rule planner.RuleID, err error) {
	many, ok := err.(interface{ Unwrap() []error })
	if !ok {
		x.Failed(rule, err.Error())
		return
	}
	for _, err := range many.Unwrap() {
		x.Failed(rule, err.Error())
	}
}

// Reset gives up the batch that is being run, after a panic in it. Windows may
// have taken some of its rows.
func (x *Executor) Reset() {
	x.backTo(0)
	x.joining.origin = nil
	x.forgetJoins()
	x.resetJobs()
	for i := range x.split.rows {
		x.split.rows[i] = x.split.rows[i][:0]
	}
}

// bitmap lends an empty bitmap for a number of rows; free gives it back.
func (x *Executor) bitmap(rows int) vec.Bitmap {
	var b vec.Bitmap
	if n := len(x.scratch.bitmaps); n > 0 {
		b, x.scratch.bitmaps = x.scratch.bitmaps[n-1], x.scratch.bitmaps[:n-1]
	}
	return b.Grow(rows)
}

func (x *Executor) free(b vec.Bitmap) {
	x.lent(b)
	x.scratch.bitmaps = append(x.scratch.bitmaps, b)
}

func trailing(w uint64) int { return bits.TrailingZeros64(w) }

func leading(w uint64) int { return 63 - bits.LeadingZeros64(w) }
