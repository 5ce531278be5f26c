// Package vec holds columns, bitmaps, batches and the kernels over them: what a
// message is once it is no longer bytes. It knows no SQL, no rules and no I/O.
//
// Memory: arguments are borrowed until return unless a comment says "takes";
// results are valid until the next call on the receiver unless it says "the
// caller owns". One goroutine writes a batch; once package ingest has handed it
// over, everybody only reads it. Nobody retains a batch or a slice of it beyond the
// call it was lent for: windows copy the values that they keep.
package vec

// MaxRows is the number of rows at which a batch is full: small enough that its
// columns stay in a core's cache, large enough that the work per batch vanishes.
const MaxRows = 1024

// ColumnSpec says what one column of a batch holds. Specs are compared by Key.
type ColumnSpec struct {
	// Path leads to the value in the payload, from the outermost key in. An
	// empty Path is the whole row (a JSON column of the row's object).
	Path []string
	// Meta, if set, makes this a column of message metadata instead: the key
	// Path[0] ("topic", "qos", "messageId", a twin's "kind" ...), or all
	// metadata as one object when Path is empty.
	Meta bool
	// Type is the declared type of the field; the zero Type takes what comes.
	Type Type
}

// Key is a text that is equal for equal specs of one schema.
func (s ColumnSpec) Key() string {
	k := "p"
	if s.Meta {
		k = "m"
	}
	for _, p := range s.Path {
		k += "\x00" + p
	}
	return k
}

// Plan is what a decoder extracts: the columns that some rule reads. It is
// immutable; a change makes a new Plan with a higher Version.
type Plan struct {
	Version uint64
	Cols    []ColumnSpec
	index   map[string]int // positions in Cols by Key
}

// NewPlan makes a plan of cols, whose keys must differ. It takes cols.
func NewPlan(version uint64, cols []ColumnSpec) *Plan {
	p := &Plan{Version: version, Cols: cols, index: make(map[string]int, len(cols))}
	for i, c := range cols {
		p.index[c.Key()] = i
	}
	return p
}

// Find returns the position of the column with key, or -1.
func (p *Plan) Find(key string) int {
	if i, ok := p.index[key]; ok {
		return i
	}
	return -1
}

// Batch is up to MaxRows rows of one feed, in order of arrival: one row for each
// JSON object, so an array payload gives several. Columns line up with
// Plan.Cols; a column that no row of the batch has is all missing.
type Batch struct {
	Plan *Plan
	Cols []Column
	Rows int

	// Raw holds the payload text of all rows; Row[i] is the object of row i.
	// Clean tells which rows are valid, compact JSON without duplicate keys,
	// so that their text can be sent on as it is.
	Raw   []byte
	Row   []Span
	Clean Bitmap

	// Route[i] indexes Routes: the streams that row i belongs to.
	Route  []uint32
	Routes *Routes

	// At is each row's time of arrival in ms since 1970 (one clock reading for
	// all messages of a read).
	At []int64
}

// Col returns column i.
func (b *Batch) Col(i int) *Column { return &b.Cols[i] }

// Routes lists, for each route of a feed, the streams that its rows belong to.
// It only grows; readers take a Routes value with the batch and never write.
type Routes struct {
	Streams [][]uint32
}
