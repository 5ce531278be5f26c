package protobuf

import (
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weir-engine/weir/vec"
)

// Append appends row to dst as a message of type m. Keys that m has not are left
// out, and so are values that are nil; a field that m requires must be there. A
// whole number may come as a float, an enum as its number or its name, bytes as
// base64 text. After an error dst is returned as it was.
func (m *Message) Append(dst []byte, row map[string]any) ([]byte, error) {
	out, err := m.write(dst, row, 0)
	if err != nil {
		return dst, fmt.Errorf("protobuf: message %s: %w", m.name, err)
	}
	return out, nil
}

func (m *Message) write(dst []byte, row map[string]any, depth int) ([]byte, error) {
	if depth > maxDepth {
		return dst, errDeep
	}
	for i := range m.fields {
		f := &m.fields[i]
		v := row[f.name]
		if v == nil {
			if f.required {
				return dst, fmt.Errorf("field %q: missing, but required", f.name)
			}
			continue
		}
		var err error
		if dst, err = f.write(dst, v, depth); err != nil {
			return dst, fmt.Errorf("field %q: %w", f.name, err)
		}
	}
	return dst, nil
}

// write appends the field with its tag.
func (f *field) write(dst []byte, v any, depth int) ([]byte, error) {
	switch {
	case f.entry != nil:
		return f.writeMap(dst, v, depth)
	case f.list:
		return f.writeList(dst, v, depth)
	}
	return f.value(protowire.AppendTag(dst, f.num, f.wireType()), v, depth)
}

func (f *field) writeList(dst []byte, v any, depth int) ([]byte, error) {
	list, ok := v.([]any)
	if !ok {
		return dst, wrong("an array", v)
	}
	if f.packed {
		if len(list) == 0 {
			return dst, nil
		}
		return lengthOf(protowire.AppendTag(dst, f.num, protowire.BytesType), func(dst []byte) ([]byte, error) {
			return f.elements(dst, list, false, depth)
		})
	}
	return f.elements(dst, list, true, depth)
}

func (f *field) elements(dst []byte, list []any, tags bool, depth int) ([]byte, error) {
	var err error
	for i, x := range list {
		if tags {
			dst = protowire.AppendTag(dst, f.num, f.wireType())
		}
		if dst, err = f.value(dst, x, depth); err != nil {
			return dst, fmt.Errorf("element %d: %w", i, err)
		}
	}
	return dst, nil
}

func (f *field) writeMap(dst []byte, v any, depth int) ([]byte, error) {
	obj, ok := v.(map[string]any)
	if !ok {
		return dst, wrong("an object", v)
	}
	for _, k := range slices.Sorted(maps.Keys(obj)) {
		key, err := mapKey(f.entry.fields[0].kind, k)
		if err != nil {
			return dst, err
		}
		dst = protowire.AppendTag(dst, f.num, protowire.BytesType)
		dst, err = lengthOf(dst, func(dst []byte) ([]byte, error) {
			return f.entry.write(dst, map[string]any{"key": key, "value": obj[k]}, depth+1)
		})
		if err != nil {
			return dst, fmt.Errorf("key %q: %w", k, err)
		}
	}
	return dst, nil
}

// mapKey returns the key of an object as the key of a map.
func mapKey(kind protoreflect.Kind, k string) (key any, err error) {
	switch kind {
	case protoreflect.StringKind:
		return k, nil
	case protoreflect.BoolKind:
		key, err = strconv.ParseBool(k)
	default:
		key, err = strconv.ParseInt(k, 10, 64)
	}
	if err != nil {
		return nil, fmt.Errorf("key %q: want %s", k, kind)
	}
	return key, nil
}

// lengthOf appends what body appends, with its length in front.
func lengthOf(dst []byte, body func(dst []byte) ([]byte, error)) ([]byte, error) {
	at := len(dst)
	dst, err := body(dst)
	if err != nil {
		return dst, err
	}
	var room [10]byte
	prefix := protowire.AppendVarint(room[:0], uint64(len(dst)-at))
	return slices.Insert(dst, at, prefix...), nil
}

// value appends a single value of f, without tag.
func (f *field) value(dst []byte, v any, depth int) ([]byte, error) {
	switch f.kind {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return f.message(dst, v, depth)
	case protoreflect.BoolKind:
		if b, ok := v.(bool); ok {
			return protowire.AppendVarint(dst, protowire.EncodeBool(b)), nil
		}
		return dst, wrong("a boolean", v)
	case protoreflect.StringKind:
		switch x := v.(type) {
		case string:
			return protowire.AppendString(dst, x), nil
		case time.Time:
			return protowire.AppendString(dst, x.Format(time.RFC3339Nano)), nil
		}
		return dst, wrong("a text", v)
	case protoreflect.BytesKind:
		b, ok := bytesOf(v)
		if !ok {
			return dst, wrong("bytes, or base64 text", v)
		}
		return protowire.AppendBytes(dst, b), nil
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		x, ok := floatOf(v)
		switch {
		case !ok:
			return dst, wrong("a number ("+f.kind.String()+")", v)
		case f.kind == protoreflect.FloatKind:
			return protowire.AppendFixed32(dst, math.Float32bits(float32(x))), nil
		}
		return protowire.AppendFixed64(dst, math.Float64bits(x)), nil
	}
	return f.whole(dst, v)
}

// message appends a message, or a group up to its end.
func (f *field) message(dst []byte, v any, depth int) ([]byte, error) {
	obj, ok := v.(map[string]any)
	switch {
	case f.msg.scalar && !ok: // as it is read
		obj = map[string]any{f.msg.fields[0].name: v}
	case !ok:
		return dst, wrong("an object", v)
	}
	if f.kind == protoreflect.GroupKind {
		dst, err := f.msg.write(dst, obj, depth+1)
		return protowire.AppendTag(dst, f.num, protowire.EndGroupType), err
	}
	return lengthOf(dst, func(dst []byte) ([]byte, error) { return f.msg.write(dst, obj, depth+1) })
}

// whole appends a whole number that f's type holds.
func (f *field) whole(dst []byte, v any) ([]byte, error) {
	if name, ok := v.(string); ok && f.kind == protoreflect.EnumKind {
		n, ok := f.names[name]
		if !ok {
			return dst, fmt.Errorf("the enum has no value %q", name)
		}
		return protowire.AppendVarint(dst, uint64(int64(n))), nil
	}
	i, ok := intOf(v)
	if !ok {
		return dst, wrong("a whole number ("+f.kind.String()+")", v)
	}
	switch f.kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind, protoreflect.EnumKind:
		ok = i == int64(int32(i))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		ok = i == int64(uint32(i))
	}
	if !ok {
		return dst, fmt.Errorf("%d does not fit into %s", i, f.kind)
	}
	switch f.kind {
	case protoreflect.Sint32Kind, protoreflect.Sint64Kind:
		return protowire.AppendVarint(dst, protowire.EncodeZigZag(i)), nil
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind:
		return protowire.AppendFixed32(dst, uint32(i)), nil
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return protowire.AppendFixed64(dst, uint64(i)), nil
	}
	return protowire.AppendVarint(dst, uint64(i)), nil
}

func intOf(v any) (int64, bool) {
	switch x := v.(type) {
	case int64:
		return x, true
	case vec.Exact:
		return int64(x), true
	case float64:
		return vec.Whole(x)
	case time.Time:
		return x.UnixMilli(), true
	}
	return 0, false
}

func floatOf(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case int64:
		return float64(x), true
	case vec.Exact:
		return float64(x), true
	}
	return 0, false
}

func bytesOf(v any) ([]byte, bool) {
	switch x := v.(type) {
	case []byte:
		return x, true
	case string:
		b, err := base64.StdEncoding.DecodeString(x)
		return b, err == nil
	}
	return nil, false
}

// wrong says that a field got a value of another type.
func wrong(want string, v any) error {
	got := fmt.Sprintf("%v", v)
	switch x := v.(type) {
	case nil:
		got = "null"
	case string:
		got = fmt.Sprintf("%q", x[:min(len(x), 32)])
	case map[string]any:
		got = "an object"
	case []any:
		got = "an array"
	case []byte:
		got = "bytes"
	}
	return fmt.Errorf("want %s, got %s", want, got)
}
