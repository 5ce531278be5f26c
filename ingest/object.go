package ingest

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/weir-engine/weir/vec"
)

const (
	// learnedKeys bounds what a decoder remembers of keys that nobody wants; more
	// are looked up each time.
	learnedKeys = 256
	// relearned bounds how often the spelling of one key (white space around it)
	// is learned again, since learning allocates.
	relearned = 16
	// keepScratch is the scratch memory that a decoder keeps between rows.
	keepScratch = 64 << 10
)

// Object is the decoder of JSON objects: one strict pass that reads the wanted
// paths into columns and checks the rest. It expects each key to be followed by
// the key that followed it in an earlier message, so that in a stream of
// alike messages a key costs one comparison of bytes.
//
// When a key comes twice in one object, the last one counts. An Object is not
// safe for concurrent use.
type Object struct {
	s       scan
	w       *Writer
	root    *node
	schema  *schema // nil: schemaless
	ints    bool
	metas   []metaCol
	strict  bool
	whole   int32  // column of the whole row, or -1
	watch   bool   // look for duplicate keys everywhere: whole rows are sent on
	also    node   // further columns of the whole row
	clean   bool   // no duplicate keys, as far as was looked
	unsure  bool   // some keys could not be checked
	tick    uint64 // numbers the objects that were walked
	learnt  int
	buf     []byte // scratch: unquoted text
	out     []byte // scratch: computed text
	offsets []int  // scratch: where the fields of structs are
	memory  memory
	err     error
}

// node is an object key that is on a wanted path, or whose members are remembered.
type node struct {
	first int32 // entry that is expected first, -1: none known
	entry []entry
	index map[string]int32
	cols  []target
	typ   *field // declared type, nil in schemaless streams
	elem  *node  // elements of an array, where keys are checked for duplicates
}

// entry is one key of a node.
type entry struct {
	text  string // spelling from the key's quote to before the value
	next  int32  // entry that followed last time
	seen  uint64 // tick of the object in which it was seen last
	node  *node  // nil: nobody wants it
	times uint8  // spellings learned
	space bool   // white space in text
}

// target is a column that takes a node's value.
type target struct {
	col int
	set func(w *Writer, col int, kind vec.Kind, text []byte) error
}

// NewObject makes the decoder of plan p for JSON objects of a feed with options
// o. maps says where the columns are found, and how they are read, whatever o
// declares; nil: where the plan's paths say, as declared.
// Metadata columns need no mapping.
func NewObject(o *Options, p *vec.Plan, maps []Mapping) (*Object, error) {
	d := &Object{root: newNode(), whole: -1, ints: o.UseInt64, memory: memory{credit: startCredit}}
	if o.Schema != nil && maps == nil {
		d.schema = newSchema(o)
		d.root.typ, d.strict = &d.schema.row, o.Strict
	}
	if maps == nil {
		for i, c := range p.Cols {
			if !c.Meta {
				maps = append(maps, Mapping{Col: i, Path: c.Path})
			}
		}
	}
	for i, c := range p.Cols {
		if c.Meta {
			d.metas = append(d.metas, newMetaCol(i, c.Path))
		}
	}
	for _, m := range maps {
		if m.Col < 0 || m.Col >= len(p.Cols) {
			return nil, fmt.Errorf("mapping: no column %d in a plan of %d", m.Col, len(p.Cols))
		}
		d.add(m)
	}
	d.watch = d.whole >= 0 && d.schema == nil
	return d, nil
}

func newNode() *node { return &node{first: -1} }

// add puts one mapping into the tree of wanted keys.
func (d *Object) add(m Mapping) {
	t := target{m.Col, m.Set}
	if len(m.Path) == 0 {
		if d.whole < 0 && m.Set == nil {
			d.whole = int32(m.Col)
		} else {
			d.also.cols = append(d.also.cols, t)
		}
		return
	}
	n := d.root
	for _, key := range m.Path {
		var typ *field
		if n.typ != nil {
			if typ = n.typ.find(key); typ == nil {
				return // not declared: no row has it
			}
		}
		e, ok := n.index[key]
		if !ok {
			e = n.learn(key)
			n.entry[e].text = string(appendQuoted(nil, []byte(key))) + ":"
			if e > 0 {
				n.entry[e-1].next = e
			} else {
				n.first = e
			}
		}
		if n.entry[e].node == nil {
			n.entry[e].node = newNode()
			n.entry[e].node.typ = typ
		}
		n = n.entry[e].node
	}
	n.cols = append(n.cols, t)
}

// Decode reads the object at pos of w.Src() into the columns of w's row.
func (d *Object) Decode(w *Writer, pos int, m *Meta) (int, error) {
	d.w = w
	d.s = scan{src: w.Src(), from: pos - w.offset}
	d.clean, d.unsure, d.err = true, false, nil
	end := d.tryShapes(pos)
	if end < 0 {
		if end = d.object(d.root, pos, 0); end < 0 {
			return 0, d.fault()
		}
		d.learn(pos, end)
	}
	if d.schema != nil {
		if d.whole >= 0 && !d.typedWhole(pos) {
			w.BadValue(d.fault().Error(), w.Src()[pos:end])
			w.Col(int(d.whole)).SetFault(w.row)
			w.b.Row[w.row] = w.Side([]byte("{}"))
		}
	} else if d.whole >= 0 {
		d.setWhole(vec.Span{Off: uint32(pos), End: uint32(end)})
	}
	if !d.setJSON(&d.also, pos, end) {
		return 0, d.err
	}
	if len(d.metas) > 0 {
		setMeta(w, d.metas, m)
	}
	if cap(d.buf)+cap(d.out) > keepScratch {
		d.buf, d.out = nil, nil
	}
	return end, nil
}

// fault is the error of the message, with the place in it.
func (d *Object) fault() error {
	if d.err != nil {
		return d.err
	}
	return d.s.error()
}

// error says what was wrong, and where in the message.
func (s *scan) error() error {
	if s.fault == "" {
		return errors.New("bug: message refused without a reason")
	}
	if s.at >= len(s.src) {
		return fmt.Errorf("json: offset %d: %s", s.at-s.from, s.fault)
	}
	return fmt.Errorf("json: offset %d: %s, found %q", s.at-s.from, s.fault, s.src[s.at:min(s.at+8, len(s.src))])
}

// setWhole sets the column of the whole row, and notes whether its text can be
// sent on as it is.
func (d *Object) setWhole(span vec.Span) {
	w := d.w
	w.Col(int(d.whole)).SetJSON(w.row, w.b.Raw, span, d.ints)
	if !d.clean || d.s.space {
		return
	}
	text := d.s.src[span.Off:span.End]
	if d.s.high && !utf8.Valid(text) || d.unsure && duplicates(text) {
		return
	}
	w.b.Clean.Set(w.row)
}

// object walks the object at i, whose members n describes. depth is how deep it
// lies.
func (d *Object) object(n *node, i, depth int) int {
	src := d.s.src
	if depth >= maxDepth {
		return d.s.fail(i, "nesting too deep")
	}
	d.tick++
	tick := d.tick
	prev, e := int32(-1), n.first
	for i++; ; i++ { // behind "{" or ","
		if e >= 0 && match(src, i, n.entry[e].text) {
			i += len(n.entry[e].text)
		} else {
			if i, e = d.key(n, prev, i); i < 0 {
				return i
			}
			if e == closed {
				return d.leave(n, i, tick)
			}
		}
		next := int32(-1)
		if e < 0 { // a key that is not remembered
			d.unsure = true
			i = d.s.skip(i, depth+1)
		} else {
			x := &n.entry[e]
			if x.seen == tick {
				d.clean = false
				d.forget(x.node)
			}
			x.seen = tick
			d.s.space = d.s.space || x.space
			next, prev = x.next, e
			switch {
			case x.node != nil:
				i = d.value(x.node, i, depth+1)
			case d.watch:
				i = d.look(&x.node, i, depth+1)
			default:
				i = d.s.skip(i, depth+1)
			}
		}
		if i < 0 {
			return i
		}
		e = next
		if i < len(src) && src[i] <= ' ' {
			i = d.s.blank(i)
		}
		switch {
		case i >= len(src):
			return d.s.fail(i, "end of message in object")
		case src[i] == '}':
			return d.leave(n, i+1, tick)
		case src[i] != ',':
			return d.s.fail(i, `want "," or "}"`)
		}
	}
}

// leave ends the walk of an object at i: a strict schema wants all its fields.
func (d *Object) leave(n *node, i int, tick uint64) int {
	if !d.strict || n.typ == nil {
		return i
	}
	for e := range n.entry {
		x := &n.entry[e]
		if x.seen != tick && x.node != nil && x.node.typ != nil && !d.missing(x.node) {
			reason := fmt.Sprintf("field %q: missing", x.node.typ.name)
			if d.w.whole {
				return d.s.fail(i-1, reason)
			}
			d.refuse(x.node, reason, nil)
		}
	}
	return i
}

// match tells whether text is at i and the value follows at once.
func match(src []byte, i int, text string) bool {
	end := i + len(text)
	return end < len(src) && src[end] > ' ' && string(src[i:end]) == text
}

// What key returns in place of an entry.
const (
	unknown int32 = -1
	closed  int32 = -2 // the object has no members
)

// key walks the key behind "{" or "," that is not the expected one, and returns
// the position of its value and its entry.
func (d *Object) key(n *node, prev int32, i int) (int, int32) {
	s := &d.s
	spaces := s.space
	s.space = false
	start := s.blank(i)
	if start < len(s.src) && s.src[start] == '}' && i > 0 && s.src[i-1] == '{' {
		s.space = s.space || spaces
		return start + 1, closed
	}
	high := s.high
	s.high = false
	end := s.key(start)
	spaced, bad := s.space, s.high
	s.space, s.high = spaces || spaced, high || bad
	if end < 0 {
		return end, unknown
	}
	quoted := s.src[start:end] // with quotes, colon and white space
	name := quoted[1:lastQuote(quoted)]
	escaped := false
	for _, c := range name {
		escaped = escaped || c == '\\'
	}
	if escaped {
		d.buf = unquote(d.buf[:0], name)
		name = d.buf
	}
	e, ok := n.index[string(name)]
	if !ok {
		if d.learnt >= learnedKeys || escaped || bad && !utf8.Valid(name) || end-i > 256 {
			return end, unknown
		}
		d.learnt++
		e = n.learn(string(name))
	}
	if !escaped && n.entry[e].times < relearned && n.entry[e].text != string(s.src[i:end]) {
		n.entry[e].text, n.entry[e].space = string(s.src[i:end]), spaced
		n.entry[e].times++
	}
	if prev >= 0 {
		n.entry[prev].next = e
	} else if s.src[i-1] == '{' {
		n.first = e
	}
	return end, e
}

// learn remembers a key that nobody wants.
func (n *node) learn(key string) int32 {
	if n.index == nil {
		n.index = make(map[string]int32)
	}
	e := int32(len(n.entry))
	n.index[key] = e
	n.entry = append(n.entry, entry{next: -1})
	return e
}

// lastQuote is the position of the quote that ends the key in quoted, which ends
// with a colon and white space.
func lastQuote(quoted []byte) int {
	i := len(quoted) - 1
	for quoted[i] != '"' {
		i--
	}
	return i
}

// forget takes back everything that was set from n: its key came again.
func (d *Object) forget(n *node) {
	if n == nil {
		return
	}
	for _, t := range n.cols {
		d.w.Clear(t.col)
	}
	for e := range n.entry {
		d.forget(n.entry[e].node)
	}
}
