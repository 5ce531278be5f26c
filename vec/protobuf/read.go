package protobuf

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	// maxJSONBytes bounds what one message may become: two bytes on the wire can
	// be an object full of defaults.
	maxJSONBytes = 32 << 20
	// keepOccurrences bounds the memory that a Reader keeps between messages.
	keepOccurrences = 4096
)

// Reader turns messages of one type into JSON text. It keeps its memory from one
// message to the next and is not safe for concurrent use.
type Reader struct {
	m    *Message
	occ  []occurrence
	head []chain // of the fields of the messages that are under way
}

// occurrence is one value of a field in a message. A field that is there several
// times has several: the last one counts, those of a list count together, and
// those of a message make one.
type occurrence struct {
	next int32 // -1: none
	typ  protowire.Type
	num  uint64 // of a varint or fixed value
	body []byte // of a length-delimited value or a group
}

type chain struct{ first, last int32 }

// NewReader returns a Reader of messages of type m.
func (m *Message) NewReader() *Reader { return &Reader{m: m} }

// AppendJSON appends msg as a JSON object to dst. Fields come in the order of
// their declaration. A field that msg does not have is written with its default:
// null for a message, an empty list or object for what is repeated; a field of a
// oneof, or one that is optional, is left out. After an error dst is returned
// as it was.
func (r *Reader) AppendJSON(dst, msg []byte) ([]byte, error) {
	r.occ, r.head = r.occ[:0], r.head[:0]
	out, err := r.object(dst, r.m, msg, -1, 0)
	if cap(r.occ) > keepOccurrences || cap(r.head) > keepOccurrences {
		r.occ, r.head = nil, nil
	}
	if err != nil {
		return dst, fmt.Errorf("protobuf: message %s: %w", r.m.name, err)
	}
	return out, nil
}

var (
	errDeep  = fmt.Errorf("nested more than %d deep", maxDepth)
	errLarge = fmt.Errorf("more than %d MiB as JSON", maxJSONBytes>>20)
)

// object appends a message that is in body, and in the occurrences from next on,
// if next is not negative.
func (r *Reader) object(dst []byte, m *Message, body []byte, next int32, depth int) ([]byte, error) {
	switch {
	case depth > maxDepth:
		return dst, errDeep
	case len(dst) > maxJSONBytes:
		return dst, errLarge
	}
	occ, head := len(r.occ), len(r.head)
	defer func() { r.occ, r.head = r.occ[:occ], r.head[:head] }()
	for range m.fields {
		r.head = append(r.head, chain{-1, -1})
	}
	for {
		if err := r.scan(m, body, head); err != nil {
			return dst, err
		}
		if next < 0 {
			break
		}
		body, next = r.occ[next].body, r.occ[next].next
	}
	if m.empty {
		return append(dst, "null"...), nil
	}
	if m.scalar {
		return r.field(dst, &m.fields[0], r.head[head], depth)
	}
	dst = append(dst, '{')
	open := len(dst)
	for i := range m.fields {
		f, c := &m.fields[i], r.head[head+i]
		if c.first < 0 && f.presence {
			continue
		}
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = append(dst, f.key...)
		var err error
		if dst, err = r.field(dst, f, c, depth); err != nil {
			return dst, fmt.Errorf("field %q: %w", f.name, err)
		}
	}
	return append(dst, '}'), nil
}

// scan notes the values in body of the fields of m, whose chains begin at head. A
// field of a oneof takes the place of the others.
func (r *Reader) scan(m *Message, body []byte, head int) error {
	for len(body) > 0 {
		num, typ, n := protowire.ConsumeTag(body)
		if n < 0 {
			return wireError(n)
		}
		body = body[n:]
		var o occurrence
		o.next, o.typ = -1, typ
		switch typ {
		case protowire.VarintType:
			o.num, n = protowire.ConsumeVarint(body)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(body)
			o.num = uint64(v)
		case protowire.Fixed64Type:
			o.num, n = protowire.ConsumeFixed64(body)
		case protowire.BytesType:
			o.body, n = protowire.ConsumeBytes(body)
		case protowire.StartGroupType:
			o.body, n = protowire.ConsumeGroup(num, body)
		default:
			return fmt.Errorf("wire type %d of field %d", typ, num)
		}
		if n < 0 {
			return wireError(n)
		}
		body = body[n:]
		i, ok := m.index[num]
		if !ok || !m.fields[i].fits(typ) {
			continue // of a newer schema, which readers of an older one skip
		}
		for _, k := range m.fields[i].rivals {
			r.head[head+int(k)] = chain{-1, -1}
		}
		at, c := int32(len(r.occ)), &r.head[head+int(i)]
		r.occ = append(r.occ, o)
		if c.first < 0 {
			c.first = at
		} else {
			r.occ[c.last].next = at
		}
		c.last = at
	}
	return nil
}

func wireError(n int) error {
	if err := protowire.ParseError(n); errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("cut short")
	}
	return errors.New("not the wire format of protobuf")
}

// wireType returns how a single value of f is written.
func (f *field) wireType() protowire.Type {
	switch f.kind {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	}
	return protowire.VarintType
}

// fits tells whether f may come as typ.
func (f *field) fits(typ protowire.Type) bool {
	return typ == f.wireType() || f.list && typ == protowire.BytesType
}

// field appends the value of f whose occurrences are c.
func (r *Reader) field(dst []byte, f *field, c chain, depth int) ([]byte, error) {
	switch {
	case c.first < 0:
		return append(dst, f.absent...), nil
	case f.entry != nil:
		return r.pairs(dst, f, c, depth)
	case f.list:
		return r.list(dst, f, c, depth)
	case f.msg != nil:
		o := r.occ[c.first]
		return r.object(dst, f.msg, o.body, o.next, depth+1)
	}
	return appendScalar(dst, f, &r.occ[c.last]), nil
}

// list appends the values of a repeated field.
func (r *Reader) list(dst []byte, f *field, c chain, depth int) ([]byte, error) {
	dst = append(dst, '[')
	open := len(dst)
	for i := c.first; i >= 0; i = r.occ[i].next {
		o := r.occ[i]
		if o.typ == protowire.BytesType && f.wireType() != protowire.BytesType {
			var err error
			if dst, err = appendPacked(dst, f, o.body, open); err != nil {
				return dst, err
			}
			continue
		}
		if len(dst) > open {
			dst = append(dst, ',')
		}
		if f.msg == nil {
			dst = appendScalar(dst, f, &o)
			continue
		}
		var err error
		if dst, err = r.object(dst, f.msg, o.body, -1, depth+1); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

// appendPacked appends the values of a packed list that begins at open.
func appendPacked(dst []byte, f *field, body []byte, open int) ([]byte, error) {
	for len(body) > 0 {
		var o occurrence
		var n int
		switch f.wireType() {
		case protowire.VarintType:
			o.num, n = protowire.ConsumeVarint(body)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(body)
			o.num = uint64(v)
		default:
			o.num, n = protowire.ConsumeFixed64(body)
		}
		if n < 0 {
			return dst, wireError(n)
		}
		body = body[n:]
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = appendScalar(dst, f, &o)
	}
	return dst, nil
}

// pairs appends a map as an object; of equal keys the last one counts.
func (r *Reader) pairs(dst []byte, f *field, c chain, depth int) ([]byte, error) {
	var order []string
	vals := map[string][]byte{}
	size := len(dst)
	for i := c.first; i >= 0; i = r.occ[i].next {
		key, val, err := r.pair(f.entry, r.occ[i].body, depth+1)
		if err != nil {
			return dst, err
		}
		if size += len(key) + len(val); size > maxJSONBytes {
			return dst, errLarge
		}
		if _, ok := vals[key]; !ok {
			order = append(order, key)
		}
		vals[key] = val
	}
	slices.Sort(order)
	dst = append(dst, '{')
	for i, k := range order {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, k...), ':')
		dst = append(dst, vals[k]...)
	}
	return append(dst, '}'), nil
}

// pair reads one pair of a map: the key as a JSON string, and the value as JSON.
func (r *Reader) pair(m *Message, body []byte, depth int) (key string, val []byte, err error) {
	if depth > maxDepth {
		return "", nil, errDeep
	}
	occ, head := len(r.occ), len(r.head)
	defer func() { r.occ, r.head = r.occ[:occ], r.head[:head] }()
	r.head = append(r.head, chain{-1, -1}, chain{-1, -1})
	if err := r.scan(m, body, head); err != nil {
		return "", nil, err
	}
	k, err := r.field(nil, &m.fields[0], r.head[head], depth)
	if err != nil {
		return "", nil, err
	}
	if k[0] != '"' {
		k = append(append([]byte{'"'}, k...), '"')
	}
	if v := &m.fields[1]; v.msg != nil && r.head[head+1].first < 0 { // absent: an empty message
		val, err = r.object(nil, v.msg, nil, -1, depth+1)
	} else {
		val, err = r.field(nil, v, r.head[head+1], depth)
	}
	return string(k), val, err
}

// appendScalar appends the value o of f.
func appendScalar(dst []byte, f *field, o *occurrence) []byte {
	switch f.kind {
	case protoreflect.BoolKind:
		return appendBool(dst, o.num != 0)
	case protoreflect.StringKind:
		return appendString(dst, o.body)
	case protoreflect.BytesKind:
		return appendBytes(dst, o.body)
	case protoreflect.DoubleKind:
		return appendFloat(dst, math.Float64frombits(o.num))
	case protoreflect.FloatKind:
		return appendFloat(dst, float64(math.Float32frombits(uint32(o.num))))
	case protoreflect.Sint32Kind:
		return appendInt(dst, int64(int32(protowire.DecodeZigZag(o.num&math.MaxUint32))))
	case protoreflect.Sint64Kind:
		return appendInt(dst, protowire.DecodeZigZag(o.num))
	case protoreflect.Int32Kind, protoreflect.EnumKind, protoreflect.Sfixed32Kind:
		return appendInt(dst, int64(int32(o.num)))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return appendInt(dst, int64(uint32(o.num)))
	}
	return appendInt(dst, int64(o.num)) // a uint64 beyond 2^63 wraps, as it does in columns
}
