package ingest

import (
	"fmt"

	"github.com/weir-engine/weir/vec"
)

// redecoder is the executor's decoder of a plan that batches lack. It is made
// for the plan that was asked for last: after a change of the plan all batches
// that are still under way ask for the same one.
type redecoder struct {
	plan *vec.Plan
	dec  Decoder
}

// Redecode decodes all rows of b again with the columns of p, for a Program that
// needs a path which the batch lacks. b then has the plan p. A row whose text
// cannot be read as p's columns declare it (it was taken when they were not
// wanted) has a fault in every column.
func (f *Feed) Redecode(b *vec.Batch, p *vec.Plan) error {
	t := f.find(b)
	if t == nil {
		return fmt.Errorf("redecode: batch of %d rows is not under way in this feed", b.Rows)
	}
	if f.re.plan != p {
		dec, err := newDecoder(&f.opt, p)
		if err != nil {
			return fmt.Errorf("redecode: %w", err)
		}
		f.re = redecoder{plan: p, dec: dec}
	}
	rows, unseen := t.Rows, len(t.Plan.Cols) == 0
	t.takeBack()
	t.rows = max(t.rows, rows)
	t.begin(p, f.re.dec)
	w := Writer{feed: f, b: t, again: true, unseen: unseen}
	var faults []int
	for row := range rows {
		text := t.infos[row].text
		w.row, w.src = row, t.Raw[:text.End]
		if _, err := t.dec.Decode(&w, int(text.Off), &t.infos[row].meta); err != nil {
			faults = append(faults, row)
		}
	}
	for _, row := range faults {
		for i := range t.Cols {
			w.row = row
			w.Clear(i)
			w.Col(i).SetFault(row)
		}
	}
	t.end = false
	t.seal(t.Routes)
	return nil
}

func (f *Feed) find(b *vec.Batch) *batch {
	f.in.mu.Lock()
	defer f.in.mu.Unlock()
	for _, t := range f.taken {
		if &t.Batch == b {
			return t
		}
	}
	return nil
}
