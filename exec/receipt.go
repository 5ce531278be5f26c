package exec

import "slices"

// Ticket is the number of a Run, never 0.
type Ticket uint64

// Receipt says what a call left behind for the caller to do. Its lists are valid
// until the next call.
type Receipt struct {
	// Held is the ticket of this Run if rows of its batch wait for a lookup table: it
	// is not done. 0: it is.
	Held Ticket
	// Free are tickets of earlier Runs that are held no more. It may name some that
	// never were.
	Free []Ticket
	// Crowded are joins that have as many rows waiting for a lookup table as they
	// should and were given more by this Run: who feeds them should pause.
	Crowded []uint32
	// Relieved are joins that were crowded and can take rows again.
	Relieved []uint32
	// Broken are panics that were contained.
	Broken []Breakdown
}

// waiting is what waits for lookup tables, by the batches and the joins that it is of.
type waiting struct {
	ticket  Ticket         // of the last Run
	running bool           // Run is under way
	held    map[Ticket]int // jobs that hold the batch of a Run
	free    []Ticket       // held no more since the last receipt
	crowded []uint32       // joins that became so in this Run
	joins   []uint32       // that were crowded and are not known to be relieved

	relieved []uint32 // of the last receipt
	freed    []Ticket // of the last receipt
}

// crowd notes that a join has enough waiting.
func (w *waiting) crowd(join uint32) {
	if !slices.Contains(w.crowded, join) {
		w.crowded = append(w.crowded, join)
	}
	if !slices.Contains(w.joins, join) {
		w.joins = append(w.joins, join)
	}
}

// hold has a job hold the batch of the Run that is under way, and returns its
// ticket; 0: there is none.
func (w *waiting) hold() Ticket {
	if !w.running {
		return 0
	}
	if w.held == nil {
		w.held = map[Ticket]int{}
	}
	w.held[w.ticket]++
	return w.ticket
}

// letGo takes one hold of a batch back.
func (w *waiting) letGo(t Ticket) {
	if t == 0 {
		return
	}
	if w.held[t]--; w.held[t] == 0 {
		delete(w.held, t)
		w.free = append(w.free, t)
	}
}

// receipt is that of a call; t is its ticket if it is a Run.
func (x *Executor) receipt(t Ticket) Receipt {
	w := &x.waiting
	var r Receipt
	if t != 0 {
		if w.held[t] > 0 {
			r.Held = t
		}
		r.Crowded = w.crowded
	}
	if len(w.free) > 0 {
		w.freed = w.freed[:0]
		for _, t := range w.free {
			if w.held[t] == 0 {
				w.freed = append(w.freed, t)
			}
		}
		w.free = w.free[:0]
		r.Free = w.freed
	}
	if len(w.joins) > 0 {
		w.relieved = w.relieved[:0]
		w.joins = slices.DeleteFunc(w.joins, func(join uint32) bool {
			ok := x.relieved(join)
			if ok {
				w.relieved = append(w.relieved, join)
			}
			return ok
		})
		r.Relieved = w.relieved
	}
	r.Broken, x.broken.list = x.broken.list, nil
	return r
}

// relieved tells whether a join that was crowded can take rows again.
func (x *Executor) relieved(join uint32) bool {
	n := x.live(join)
	return n == nil || n.join == nil || len(n.join.jobs) <= crowdJobs/2 && n.join.parked <= crowdRows/2
}
