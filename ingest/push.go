package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/weir-engine/weir/vec"
)

// format is how a payload is cut into rows.
type format uint8

const (
	formatJSON    format = iota // an object, or an array of objects
	formatLines                 // a row a line
	formatWhole                 // the payload is the row
	formatMessage               // the payload becomes the text of one object
)

func formatOf(name string) format {
	switch name {
	case "delimited":
		return formatLines
	case "binary", "urlencoded":
		return formatWhole
	case "protobuf":
		return formatMessage
	}
	return formatJSON
}

// newDecoder makes the decoder of plan p.
func newDecoder(o *Options, p *vec.Plan) (Decoder, error) {
	if o.NewDecoder != nil {
		return o.NewDecoder(p)
	}
	switch o.Format {
	case "delimited":
		return newDelimited(o, p), nil
	case "urlencoded":
		return newURLEncoded(o, p), nil
	case "binary":
		return newBinary(o, p), nil
	}
	return NewObject(o, p, nil)
}

// refusing is the decoder of a plan that could not be made into one.
type refusing struct{ err error }

// Decode refuses every row.
func (r refusing) Decode(*Writer, int, *Meta) (int, error) { return 0, r.err }

// Push decodes one message; payload and m are borrowed, m may be nil. A payload
// that does not decode is counted, not an error. Push blocks while the executor
// is behind or the feed is paused. ErrClosed is its only error: the message was
// not taken whole and is not acknowledged.
func (f *Feed) Push(payload []byte, route uint32, m *Meta, ack Ack) error {
	if f.closed.Load() {
		return ErrClosed
	}
	if m == nil {
		m = &noMeta
	}
	f.before = place{f.cur, f.cur.Rows, len(f.cur.Raw)}
	var rows int
	var err error
	switch f.fmt {
	case formatJSON:
		rows, err = f.pushJSON(payload, route, m)
	case formatLines:
		rows, err = f.pushLines(payload, route, m)
	case formatMessage:
		rows, err = 1, f.pushMessage(payload, route, m)
	default:
		rows, err = 1, f.row(payload, 0, route, m)
	}
	if err != nil {
		if errors.Is(err, ErrClosed) {
			return ErrClosed
		}
		f.bad(route, err, payload)
		rows = 0
	}
	f.count(route, rows, len(payload))
	f.cur.addAck(ack)
	return nil
}

var noMeta Meta

// place is where the rows and bytes of a message begin.
type place struct {
	batch     *batch
	rows, raw int
}

// GiveUp ends the message over which Push has just panicked with value v, which is a
// fault of ours: what it began is taken back, and it counts as one that does not decode.
// The arguments are those of Push. Other messages may be pushed then.
func (f *Feed) GiveUp(v any, payload []byte, route uint32, ack Ack) {
	at := f.before
	if at.batch != f.cur { // it began in one that is on its way
		at = place{f.cur, f.cur.Rows, len(f.cur.Raw)}
	}
	f.cur.drop(at.rows, at.raw)
	f.w.whole = false
	f.bad(route, fmt.Errorf("decoder: a fault of weir: %v", v), payload)
	f.count(route, 0, len(payload))
	f.cur.addAck(ack)
	if f.opt.OnPanic != nil {
		f.opt.OnPanic(fmt.Sprint(v), debug.Stack())
	}
}

// Guarded is a Feed that gives up what it panics over. That costs 10 ns a message: whoever
// pushes many in one read guards the read instead.
type Guarded struct{ *Feed }

// Push is Feed.Push.
func (g Guarded) Push(payload []byte, route uint32, m *Meta, ack Ack) (err error) {
	defer func() {
		if v := recover(); v != nil {
			g.GiveUp(v, payload, route, ack)
		}
	}()
	return g.Feed.Push(payload, route, m, ack)
}

// row decodes text, one row, behind the rows of the open batch; after an error
// what it began is taken back. offset is where in the message the text begins.
func (f *Feed) row(text []byte, offset int, route uint32, m *Meta) error {
	if f.cur.full() && !f.roll() {
		return ErrClosed
	}
	b := f.cur
	b.room()
	raw := len(b.Raw)
	b.Raw = append(b.Raw, text...)
	end := len(b.Raw)
	span := vec.Span{Off: uint32(raw), End: uint32(end)}
	row := b.Rows
	b.Row[row], b.Route[row], b.At[row] = span, route, f.at
	x := &b.infos[row]
	x.meta, x.text = *m, span
	f.w.row, f.w.src, f.w.offset = row, b.Raw, offset
	to, err := b.dec.Decode(&f.w, raw, m)
	if err == nil && to != end {
		err = trailing(b.Raw[raw:end], to-raw, offset)
	}
	if err != nil {
		b.drop(row, raw)
		return err
	}
	b.Rows++
	return nil
}

// pushMessage decodes a message that becomes an object first.
func (f *Feed) pushMessage(payload []byte, route uint32, m *Meta) error {
	text, err := f.opt.Message.AppendJSON(f.text[:0], payload)
	if f.text = text; cap(text) > keepScratch {
		f.text = nil
	}
	if err != nil {
		return err
	}
	return f.row(text, 0, route, m)
}

// trailing says that there is more text at a place of text, which begins at offset
// in its message.
func trailing(text []byte, at, offset int) error {
	at = min(max(at, 0), len(text))
	return fmt.Errorf("json: offset %d: text behind the end of the message, found %q", offset+at, text[at:min(at+8, len(text))])
}

var errNoObject = errors.New("json: want an object or an array of objects")

// pushJSON decodes an object or an array of objects and returns the number of
// rows.
func (f *Feed) pushJSON(payload []byte, route uint32, m *Meta) (int, error) {
	offset := 0
	if n := len(payload); n == 0 || payload[0] != '{' || payload[n-1] != '}' {
		payload = bytes.TrimRight(payload, " \t\r\n")
		offset = len(payload)
		payload = bytes.TrimLeft(payload, " \t\r\n")
		offset -= len(payload)
	}
	switch {
	case len(payload) == 0:
		return 0, errors.New("json: empty message")
	case payload[0] == '{':
		return 1, f.row(payload, offset, route, m)
	case payload[0] == '[':
		return f.pushArray(payload, offset, route, m)
	}
	return 0, fmt.Errorf("%w, found %q", errNoObject, payload[:min(8, len(payload))])
}

// pushArray decodes an array of objects: all of them or, if one is bad, none. So
// the array is checked first; where a declared type can still refuse an element
// of one that does not fit into the open batch, it is rehearsed. offset is where in
// the message the array begins.
func (f *Feed) pushArray(payload []byte, offset int, route uint32, m *Meta) (int, error) {
	elems, err := splitArray(payload, offset, f.elems[:0])
	if f.elems = elems; cap(elems) > 4*vec.MaxRows {
		f.elems = nil
	}
	if err != nil {
		return 0, err
	}
	b := f.cur
	fits := b.Rows+len(elems) <= vec.MaxRows && len(b.Raw)+len(payload) <= fullBytes
	if !fits && (f.opt.Schema != nil || f.opt.NewDecoder != nil) {
		if err := f.rehearse(payload, offset, elems, route, m); err != nil {
			return 0, err
		}
	}
	rows, raw := b.Rows, len(b.Raw)
	f.w.whole = true
	defer func() { f.w.whole = false }()
	for i, e := range elems {
		if err := f.row(payload[e.Off:e.End], offset+int(e.Off), route, m); err != nil {
			if f.cur == b && b.Rows > rows {
				b.drop(rows, raw)
			}
			if errors.Is(err, ErrClosed) {
				return 0, err
			}
			return 0, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return len(elems), nil
}

// splitArray checks an array of objects and appends where its elements are.
func splitArray(payload []byte, offset int, elems []vec.Span) ([]vec.Span, error) {
	s := scan{src: payload, from: -offset}
	i := s.blank(1)
	if i < len(payload) && payload[i] == ']' {
		i++
	} else {
		for {
			if i < len(payload) && payload[i] != '{' {
				return elems, fmt.Errorf("%w: element %d: found %q", errNoObject, len(elems), payload[i:min(i+8, len(payload))])
			}
			start := i
			if i = s.skip(i, 1); i < 0 {
				return elems, s.error()
			}
			elems = append(elems, vec.Span{Off: uint32(start), End: uint32(i)})
			i = s.blank(i)
			if i < len(payload) && payload[i] == ']' {
				i++
				break
			}
			if i >= len(payload) || payload[i] != ',' {
				s.fail(i, `want "," or "]"`)
				return elems, s.error()
			}
			i = s.blank(i + 1)
		}
	}
	if i != len(payload) {
		return elems, trailing(payload, i, offset)
	}
	return elems, nil
}

// rehearse decodes all elements into a batch that nobody sees and returns the
// first error.
func (f *Feed) rehearse(payload []byte, offset int, elems []vec.Span, route uint32, m *Meta) error {
	b := &batch{rows: minRows}
	b.begin(f.plan, f.cur.dec)
	b.Row = make([]vec.Span, 1)
	b.Route, b.At = []uint32{route}, []int64{f.at}
	w := Writer{b: b, whole: true}
	for i, e := range elems {
		b.Raw = append(b.Raw[:0], payload[e.Off:e.End]...)
		w.src, w.offset = b.Raw, offset+int(e.Off)
		if _, err := b.dec.Decode(&w, 0, m); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
		for _, c := range b.touched {
			b.Cols[c].ClearFrom(0)
		}
	}
	return nil
}

// pushLines decodes each line that is not empty as a row: all of them or none.
func (f *Feed) pushLines(payload []byte, route uint32, m *Meta) (int, error) {
	b, n, number := f.cur, 0, 0
	rows, raw := b.Rows, len(b.Raw)
	for rest := payload; len(rest) > 0; {
		var line []byte
		number++
		at := len(payload) - len(rest)
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
			continue
		}
		if err := f.row(line, at, route, m); err != nil {
			if f.cur == b && b.Rows > rows {
				b.drop(rows, raw)
			}
			if errors.Is(err, ErrClosed) {
				return 0, err
			}
			return 0, fmt.Errorf("line %d: %w", number, err)
		}
		n++
	}
	if n == 0 {
		return 0, errors.New("delimited: empty message")
	}
	return n, nil
}
