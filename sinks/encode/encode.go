// Package encode makes the bytes that reach a sink from the rows that a rule
// selected: as JSON, delimited text, query strings or protobuf, one row or one window
// a message, with the template, the fields and the compression of the action. It
// knows no sinks and no SQL, starts no goroutine and is the home of the
// segmentio/encoding library.
//
// An Encoder is immutable after New and may be shared by any number of actions and
// goroutines. Encoders with equal Key give equal bytes for equal rows, so a row
// that several rules send alike is encoded once; Interner keeps one Encoder per
// key. The exception is delimited text of rows that bring their own columns: its
// Encoder remembers them and is one action's.
//
// Plain JSON (no template, no dataField, no compression) is written straight from
// the columns and allocates nothing, and so are templates that only name fields.
// Other templates and data fields work on a tree of the row.
//
// Order of steps, as in eKuiper: omitIfEmpty looks at the row, dataTemplate makes
// a text of it, dataField picks a part, fields or excludeFields choose keys, the
// format makes bytes, compression packs them. A template's text is the message,
// unless a later step needs its parts; then it must be JSON.
package encode

import (
	"fmt"
	"time"

	"github.com/weir-engine/weir/vec"
)

// Encoder turns rows into messages.
type Encoder struct {
	layout
	key string
	loc *time.Location
	// columns are those that rows brought; nil: the properties or the SELECT list name
	// them. An Encoder with them belongs to one action.
	columns *columns
	names   []string // fields, sorted and distinct
	keys    [][]byte // names as JSON with their colon
	tmpl    *Template
	direct  bool // no tree of the row is needed
	bare    bool // the template's text is the message
}

// New makes the Encoder that the properties of an action describe; properties that
// are not this package's are ignored. The error lists every fault, one a line.
func New(m map[string]any, opts ...Option) (*Encoder, error) {
	p, err := readProps(m)
	if err != nil {
		return nil, err
	}
	s := newSettings(opts)
	if err := p.resolve(s); err != nil {
		return nil, err
	}
	return newEncoder(p, s, p.key(s))
}

func newEncoder(p layout, s settings, key string) (*Encoder, error) {
	e := &Encoder{layout: p, key: key, loc: s.loc, names: sorted(p.fields)}
	for _, name := range e.names {
		e.keys = append(e.keys, append(appendText(nil, name), ':'))
	}
	if p.template != "" {
		t, err := compile("dataTemplate", p.template, s)
		if err != nil {
			return nil, err
		}
		e.tmpl = t
	}
	if p.grows(s) {
		e.columns = new(columns)
	}
	e.direct = e.tmpl == nil && p.dataField == "" && p.format != Protobuf && p.format != URLEncoded
	e.bare = e.tmpl != nil && p.dataField == "" && e.fields == nil && e.exclude == nil && p.format == JSON
	return e, nil
}

// Single tells whether each row is a message of its own (sendSingle, and the
// formats protobuf and urlencoded). Then windows are sent row by row with AppendMessage; otherwise with one AppendRows.
func (e *Encoder) Single() bool { return e.single }

// SchemaID is what the message type of format protobuf is called, else "".
func (e *Encoder) SchemaID() string { return e.schemaID }

// Format is the format of the messages.
func (e *Encoder) Format() Format { return e.format }

// AppendMessage appends one row as a message to dst: an array of one object, or
// the object with sendSingle. sent is false if the row is not to be sent
// (omitIfEmpty). After an error, which says why this one message cannot be, out is
// dst as it was.
//
// If Batching, what comes is one message of a batch and goes to a Batcher.
func (e *Encoder) AppendMessage(dst []byte, p *vec.Projection, row int) (out []byte, sent bool, err error) {
	if e.omitIfEmpty && e.single && emptyRow(p, row) {
		return dst, false, nil
	}
	n := len(dst)
	switch {
	case !e.direct:
		var simple bool
		if e.bare {
			if out, simple = e.tmpl.appendSimple(dst, p, row, !e.single); simple {
				break
			}
		}
		if e.single {
			out, err = e.appendTree(dst, rowTree(p, row, e.loc))
		} else {
			out, err = e.appendTree(dst, []map[string]any{rowTree(p, row, e.loc)})
		}
	case e.format == Delimited:
		out, err = e.appendLine(dst, p, row)
	case e.single:
		out, err = e.appendObject(dst, p, row)
	default:
		out, err = e.appendObject(append(dst, '['), p, row)
		out = append(out, ']')
	}
	return e.finish(out, n, err)
}

// AppendRows appends the rows of a window as one message to dst, see
// AppendMessage. An Encoder that is Single takes at most one row.
func (e *Encoder) AppendRows(dst []byte, p *vec.Projection, rows []int32) (out []byte, sent bool, err error) {
	switch {
	case e.omitIfEmpty && len(rows) == 0:
		return dst, false, nil
	case e.single && len(rows) == 1:
		return e.AppendMessage(dst, p, int(rows[0]))
	case e.single:
		return dst, false, fmt.Errorf("sendSingle: %d rows are not one message", len(rows))
	}
	n := len(dst)
	switch {
	case !e.direct:
		out, err = e.appendTree(dst, rowTrees(p, rows, e.loc))
	case e.format == Delimited:
		out, err = e.appendLines(dst, p, rows)
	default:
		out, err = e.appendArray(dst, p, rows)
	}
	return e.finish(out, n, err)
}

// finish packs the message out[n:], or takes it back after an error.
func (e *Encoder) finish(out []byte, n int, err error) ([]byte, bool, error) {
	switch err {
	case nil:
	case errNothing:
		return out[:n], false, nil
	default:
		return out[:n], false, err
	}
	if e.compression != "" && !e.Batching() {
		out, err = e.compress(out, n)
		if err != nil {
			return out[:n], false, err
		}
	}
	return out, true, nil
}
