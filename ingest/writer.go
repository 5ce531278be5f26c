package ingest

import "github.com/weir-engine/weir/vec"

// Writer is the row that a Decoder writes. It is valid during Decode only.
type Writer struct {
	feed *Feed
	b    *batch
	src  []byte
	row  int
	// offset is where in its message the row's text begins
	offset int
	// again: the rows were decoded before, what is bad in them is counted
	again bool
	// unseen: they were, but without columns, so nothing could be bad in them
	unseen bool
	// whole: the message is an array, of which a refused value refuses all
	whole bool
}

// Src returns the text of the batch's messages; Decode's pos is a position in
// it. It ends with the row's text, and is valid until Decode returns.
func (w *Writer) Src() []byte { return w.src }

// Raw returns the memory that spans of the row's text and of Side are in, for
// Column.SetJSON.
func (w *Writer) Raw() []byte { return w.b.Raw }

// Row returns the number of the row that is being written.
func (w *Writer) Row() int { return w.row }

// At returns the time at which the row's message arrived, in ms since 1970.
func (w *Writer) At() int64 { return w.b.At[w.row] }

// Route returns the route of the row.
func (w *Writer) Route() uint32 { return w.b.Route[w.row] }

// Col returns column i of the plan, ready for Set... of Row. Asking for a column
// costs its buffers for the batch: ask only to set it.
func (w *Writer) Col(i int) *vec.Column {
	c := &w.b.Cols[i]
	if c.Valid == nil {
		w.b.touch(i)
	}
	return c
}

// Clear takes back what was set in column i of the row.
func (w *Writer) Clear(i int) {
	if c := &w.b.Cols[i]; c.Valid != nil {
		c.Valid.Unset(w.row)
		c.Present.Unset(w.row)
	}
}

// Side appends text to the batch's Raw, behind the messages, and returns where
// it is: the memory of computed nested values and bytes.
func (w *Writer) Side(text []byte) vec.Span {
	off := uint32(len(w.b.Raw))
	w.b.Raw = append(w.b.Raw, text...)
	return vec.Span{Off: off, End: uint32(len(w.b.Raw))}
}

// BadValue counts a value of the row that could not be converted and was left
// null, and keeps text as the last one; the row itself goes on.
func (w *Writer) BadValue(reason string, text []byte) {
	switch {
	case w.feed == nil || w.again && !w.unseen:
		return
	case w.again: // on the executor's goroutine
		w.feed.mu.Lock()
		defer w.feed.mu.Unlock()
	}
	w.feed.badValue(w.b.Route[w.row], reason, text)
}
