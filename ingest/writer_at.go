package ingest

// At returns the time at which the row's message arrived, in ms since 1970.
func (w *Writer) At() int64 { return w.b.At[w.row] }
