package exec

import (
	"github.com/weir-engine/weir/vec"
)

// splitter sorts the rows of a batch by stream.
type splitter struct {
	sub   vec.Batch // rows of one stream
	rows  [][]int32 // by stream
	order []uint32
}

// runSplit runs a batch whose rows belong to different streams: each stream
// sees its rows as a batch of their own, made of the columns that it reads.
func (x *Executor) runSplit(b *vec.Batch) {
	sp := &x.split
	if len(sp.rows) < len(x.streams) {
		sp.rows = append(sp.rows, make([][]int32, len(x.streams)-len(sp.rows))...)
	}
	sp.order = sp.order[:0]
	for i, r := range b.Route {
		for _, s := range b.Routes.Streams[r] {
			if x.live(s) == nil {
				continue
			}
			if len(sp.rows[s]) == 0 {
				sp.order = append(sp.order, s)
			}
			sp.rows[s] = append(sp.rows[s], int32(i))
		}
	}
	for _, s := range sp.order {
		rows := sp.rows[s]
		sp.rows[s] = rows[:0]
		n := x.streams[s]
		if len(rows) == b.Rows {
			x.run(n, b)
			continue
		}
		n.bind(b.Plan)
		x.gather(n, b, rows)
		x.joining.origin = rows
		x.run(n, &x.split.sub)
		x.joining.origin = nil
		if cap(rows) > 64 {
			sp.rows[s] = nil // a burst on one of thousands of streams must not pin memory
		}
	}
}

// gather makes x.split.sub a batch of some rows of b with the columns that n reads.
func (x *Executor) gather(n *live, b *vec.Batch, rows []int32) {
	sub := &x.split.sub
	sub.Plan, sub.Rows, sub.Raw = b.Plan, len(rows), b.Raw
	sub.Clean = sub.Clean.Grow(len(rows))
	sub.At = sub.At[:0]
	for i, r := range rows {
		sub.At = append(sub.At, b.At[r])
		if b.Clean.Has(int(r)) {
			sub.Clean.Set(i)
		}
	}
	if len(sub.Cols) < len(b.Cols) {
		sub.Cols = make([]vec.Column, len(b.Cols))
	}
	for i, used := range n.prog.Used {
		if c := n.cols[i]; used && c >= 0 {
			sub.Cols[c].Gather(&b.Cols[c], rows)
		}
	}
}
