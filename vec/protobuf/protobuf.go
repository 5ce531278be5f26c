// Package protobuf reads and writes Protocol Buffers messages of types that are
// known at run time only, from the text of a .proto file. A message is read as
// JSON text, and written from the tree of a JSON object.
//
// It is the home of the protocompile module. A compiled Message is a flat table
// of its own: descriptors are let go, and nothing is kept in a global registry.
// It refuses extensions, services and the JSON mapping of protobuf itself: keys
// are the names of the fields as they are written, enums are numbers, 64-bit
// integers are JSON numbers, and Timestamp and Duration are objects.
package protobuf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weir-engine/weir/vec"
)

const (
	maxDepth  = 100 // of nested messages
	maxFaults = 16  // listed of one file
)

// File is a compiled .proto file.
type File struct {
	file  linker.File
	types map[protoreflect.FullName]*Message
}

// Compile reads the text of the file called name. Its imports are asked of open
// by the path that they are written with; those of google/protobuf are known.
// The error lists what is wrong with line and column, one a line.
func Compile(name, text string, open func(path string) (text string, ok bool)) (*File, error) {
	var faults []error
	c := protocompile.Compiler{
		MaxParallelism: 1,
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
			Accessor: func(path string) (io.ReadCloser, error) {
				if path == name {
					return io.NopCloser(strings.NewReader(text)), nil
				}
				if t, ok := open(path); ok {
					return io.NopCloser(strings.NewReader(t)), nil
				}
				return nil, errors.New("there is no such schema")
			},
		}),
		Reporter: reporter.NewReporter(func(err reporter.ErrorWithPos) error {
			if faults = append(faults, err); len(faults) >= maxFaults {
				return err
			}
			return nil
		}, nil),
	}
	files, err := c.Compile(context.Background(), name)
	switch {
	case len(faults) > 0:
		return nil, errors.Join(faults...)
	case err != nil:
		var p protocompile.PanicError
		if errors.As(err, &p) {
			return nil, fmt.Errorf("%s: cannot be read: %v", name, p.Value)
		}
		return nil, err
	}
	return &File{file: files[0], types: map[protoreflect.FullName]*Message{}}, nil
}

// Imports returns the paths of the files that f imports, directly or not.
func (f *File) Imports() []string {
	var out []string
	var walk func(list protoreflect.FileImports)
	walk = func(list protoreflect.FileImports) {
		for i := range list.Len() {
			if path := list.Get(i).Path(); !slices.Contains(out, path) {
				out = append(out, path)
				walk(list.Get(i).Imports())
			}
		}
	}
	walk(f.file.Imports())
	return out
}

// Messages returns the names of the messages of the file, without its package.
func (f *File) Messages() []string {
	var out []string
	var walk func(list protoreflect.MessageDescriptors)
	walk = func(list protoreflect.MessageDescriptors) {
		for i := range list.Len() {
			d := list.Get(i)
			if d.IsMapEntry() {
				continue
			}
			out = append(out, strings.TrimPrefix(string(d.FullName()), string(f.file.Package())+"."))
			walk(d.Messages())
		}
	}
	walk(f.file.Messages())
	return out
}

// Message returns the message type called name, with or without the package of
// the file.
func (f *File) Message(name string) (*Message, error) {
	full := protoreflect.FullName(name)
	if !full.IsValid() {
		return nil, fmt.Errorf("message %q: not the name of a message", name)
	}
	for _, n := range []protoreflect.FullName{full, f.file.Package() + "." + full} {
		if d, ok := f.file.FindDescriptorByName(n).(protoreflect.MessageDescriptor); ok {
			m := f.message(d)
			if m.declared == nil {
				s := declaring{left: maxDeclared}
				m.declared = s.fields(m)
			}
			return m, nil
		}
	}
	return nil, fmt.Errorf("message %q: not in %s, which has %s", name, f.file.Path(), strings.Join(f.Messages(), ", "))
}

// Message is a message type. It is immutable and may be used from any goroutine.
type Message struct {
	name   string
	fields []field // as declared
	index  map[protowire.Number]int32
	scalar bool // a wrapper of one value, written as the value alone
	empty  bool // google.protobuf.Empty, written as null

	declared []vec.Field // of a Message that Message returned
}

// field is a field of a Message.
type field struct {
	name     string
	key      []byte // the name as JSON with its colon
	num      protowire.Number
	kind     protoreflect.Kind
	list     bool
	packed   bool     // is written packed
	entry    *Message // of a map: the message of its pairs
	msg      *Message // of a message or group
	presence bool     // in a oneof: it is there or it is not
	rivals   []int32  // the other fields of the oneof
	required bool
	absent   []byte           // its value in JSON where the message does not have it
	names    map[string]int32 // of an enum
}

// wrappers are the messages of google/protobuf/wrappers.proto.
var wrappers = []protoreflect.FullName{
	"google.protobuf.BoolValue", "google.protobuf.BytesValue", "google.protobuf.DoubleValue", "google.protobuf.FloatValue", "google.protobuf.Int32Value",
	"google.protobuf.Int64Value", "google.protobuf.StringValue", "google.protobuf.UInt32Value", "google.protobuf.UInt64Value",
}

// message makes the table of d, or returns the one that there is.
func (f *File) message(d protoreflect.MessageDescriptor) *Message {
	if m := f.types[d.FullName()]; m != nil {
		return m
	}
	m := &Message{name: string(d.FullName()), index: map[protowire.Number]int32{}}
	f.types[d.FullName()] = m // before its fields, which may be of its own type
	m.scalar = slices.Contains(wrappers, d.FullName())
	m.empty = d.FullName() == "google.protobuf.Empty"
	list := d.Fields()
	m.fields = make([]field, list.Len())
	for i := range m.fields {
		m.index[list.Get(i).Number()] = int32(i)
		m.fields[i] = f.field(list.Get(i))
	}
	for i := range m.fields {
		o := list.Get(i).ContainingOneof()
		for k := range m.fields {
			if o != nil && k != i && list.Get(k).ContainingOneof() == o {
				m.fields[i].rivals = append(m.fields[i].rivals, int32(k))
			}
		}
	}
	return m
}

func (f *File) field(d protoreflect.FieldDescriptor) field {
	x := field{
		name: string(d.Name()), num: d.Number(), kind: d.Kind(), list: d.IsList(), packed: d.IsPacked(),
		presence: d.ContainingOneof() != nil, required: d.Cardinality() == protoreflect.Required,
	}
	x.key = append(appendString(nil, []byte(x.name)), ':')
	if e := d.Enum(); e != nil {
		x.names = map[string]int32{}
		for i := range e.Values().Len() {
			v := e.Values().Get(i)
			x.names[string(v.Name())] = int32(v.Number())
		}
	}
	switch {
	case d.IsMap():
		x.entry = f.message(d.Message())
		x.absent = []byte("{}")
	case d.Message() != nil:
		x.msg = f.message(d.Message())
		x.absent = []byte("null")
	}
	switch {
	case x.list:
		x.absent = []byte("[]")
	case x.absent == nil:
		x.absent = defaultOf(d)
	}
	return x
}

// defaultOf returns the default of a scalar field as JSON.
func defaultOf(d protoreflect.FieldDescriptor) []byte {
	v := d.Default()
	switch d.Kind() {
	case protoreflect.BoolKind:
		return appendBool(nil, v.Bool())
	case protoreflect.EnumKind:
		return appendInt(nil, int64(v.Enum()))
	case protoreflect.StringKind:
		return appendString(nil, []byte(v.String()))
	case protoreflect.BytesKind:
		return appendBytes(nil, v.Bytes())
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return appendFloat(nil, v.Float())
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return appendInt(nil, int64(v.Uint()))
	}
	return appendInt(nil, v.Int())
}

// maxDeclared bounds what Fields lists, with all that is nested: messages that
// hold each other can stand for any number of fields.
const maxDeclared = 4096

// Fields returns the fields as a stream declares them. What has no type there is
// left undeclared: maps, messages within messages of their own type, and what is
// nested beyond any use. The result must not be written.
func (m *Message) Fields() []vec.Field { return m.declared }

// declaring lists fields.
type declaring struct {
	path []*Message // that are under way, outermost first
	left int
}

func (s *declaring) fields(m *Message) []vec.Field {
	s.path = append(s.path, m)
	defer func() { s.path = s.path[:len(s.path)-1] }()
	s.left -= len(m.fields)
	out := make([]vec.Field, 0, len(m.fields))
	for i := range m.fields {
		f := &m.fields[i]
		t := s.typ(f)
		if f.list {
			elem := t
			t = vec.Type{Kind: vec.JSON, Elem: &elem}
		}
		out = append(out, vec.Field{Name: f.name, Type: t})
	}
	return out
}

// typ returns the type of a single value of f.
func (s *declaring) typ(f *field) vec.Type {
	switch {
	case f.entry != nil:
		return vec.Type{}
	case f.msg == nil:
	case f.msg.scalar:
		return s.typ(&f.msg.fields[0])
	case len(f.msg.fields) == 0 || len(f.msg.fields) > s.left || slices.Contains(s.path, f.msg):
		return vec.Type{}
	default:
		return vec.Type{Kind: vec.JSON, Fields: s.fields(f.msg)}
	}
	switch f.kind {
	case protoreflect.BoolKind:
		return vec.Type{Kind: vec.Bool}
	case protoreflect.StringKind:
		return vec.Type{Kind: vec.String}
	case protoreflect.BytesKind:
		return vec.Type{Kind: vec.Bytes}
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return vec.Type{Kind: vec.Float64}
	}
	return vec.Type{Kind: vec.Int64}
}
