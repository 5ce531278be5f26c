package encode

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/vec/protobuf"
)

// An Option is a setting of the engine that rule properties do not carry.
type Option func(*settings)

// settings is what Options set.
type settings struct {
	loc     *time.Location
	plain   bool
	csv     bool
	star    bool
	message func(schemaID string) (*protobuf.Message, error)
}

// In writes instants in the time zone loc; the default is UTC.
func In(loc *time.Location) Option { return func(s *settings) { s.loc = loc } }

// Plain leaves the property compression to the sink.
func Plain() Option { return func(s *settings) { s.plain = true } }

// CSV has delimited text be lines of a CSV file, in which every quote counts.
func CSV() Option { return func(s *settings) { s.csv = true } }

// AnyColumns says that rows bring columns of their own, as those of SELECT * do.
func AnyColumns() Option { return func(s *settings) { s.star = true } }

// Messages gives the format protobuf the message types that schemaId names. By
// default there are none.
func Messages(f func(schemaID string) (*protobuf.Message, error)) Option {
	return func(s *settings) { s.message = f }
}

func newSettings(opts []Option) settings {
	s := settings{loc: time.UTC}
	for _, o := range opts {
		o(&s)
	}
	return s
}

// Format is how rows become bytes.
type Format uint8

// The formats.
const (
	JSON       Format = iota
	Delimited         // values of a row between delimiters, one row a line
	Protobuf          // each message is one of the type that schemaId names
	URLEncoded        // each message is a query string
)

// layout is the properties of an action that say what its messages look like.
type layout struct {
	single      bool
	omitIfEmpty bool
	format      Format
	schemaID    string            // of Protobuf
	message     *protobuf.Message // of Protobuf
	delimiter   string
	csv         bool     // of Delimited: every quote counts
	fields      []string // in the user's order
	exclude     []string // sorted
	dataField   string
	template    string
	compression string
	batchSize   int
	linger      time.Duration
}

// given is what users set of an action's messages.
type given struct {
	layout
	formatName, encryption string
}

func newGiven() *given { return &given{formatName: "json", layout: layout{delimiter: ","}} }

func (s *given) table() props.Table {
	return props.Table{
		props.Text(&s.formatName, "format", "how rows become bytes: json, delimited, urlencoded or protobuf"),
		props.Flag(&s.single, "sendSingle", "sends each row of a window as a message of its own"),
		props.Flag(&s.omitIfEmpty, "omitIfEmpty", "sends nothing for a window without rows"),
		props.List(&s.fields, "fields", "the columns that are sent, in their order"),
		props.List(&s.exclude, "excludeFields", "the columns that are not sent"),
		props.Text(&s.dataField, "dataField", "the column whose value is sent instead of the row").Alias("tableDataField"),
		props.Text(&s.template, "dataTemplate", "the template that makes the message"),
		props.Text(&s.delimiter, "delimiter", "what stands between the values of format delimited"),
		props.Flag(new(bool), "hasHeader", "begins a file of format delimited with the names of the columns").Ignored("only files begin with a header"),
		props.Text(&s.schemaID, "schemaId", "schema and message of format protobuf: the name of a schema, a dot and the name of a message"),
		props.Text(&s.compression, "compression", "how messages are compressed: zlib, gzip, flate or zstd"),
		props.Text(&s.encryption, "encryption", "how messages are encrypted; not supported yet"),
		props.Whole(&s.batchSize, "batchSize", 0, math.MaxInt32, "messages that are sent together as one list; 0: each alone"),
		props.Duration(&s.linger, "lingerInterval", "how long messages wait for others to be sent together; 0: not at all"),
	}
}

// Properties describes what can be set of an action's messages.
func Properties() props.Table { return newGiven().table() }

// readProps takes the properties that are this package's from an action's; all
// others belong to the sink. The error lists every fault, one a line.
func readProps(m map[string]any) (layout, error) {
	s := newGiven()
	faults := s.table().Read(m)
	p := &s.layout
	p.compression = strings.ToLower(p.compression)
	if p.delimiter == "" {
		p.delimiter = ","
	}
	slices.Sort(p.exclude)
	const formats = "want json, delimited, urlencoded or protobuf"
	switch f := s.formatName; strings.ToLower(f) {
	case "", "json":
	case "delimited":
		p.format = Delimited
	case "protobuf":
		p.protobuf(&faults)
	case "urlencoded":
		p.format = URLEncoded
		p.oneByOne()
	case "binary":
		faults.Add("format", "%q is one of sources, "+formats, f)
	case "custom":
		faults.Add("format", "%q is not supported yet, "+formats, f)
	default:
		faults.Add("format", "unknown format %q, "+formats, f)
	}
	switch p.compression {
	case "", "zlib", "gzip", "flate", "zstd":
	default:
		faults.Add("compression", "unknown method %q, want zlib, gzip, flate or zstd", p.compression)
	}
	if s.encryption != "" {
		faults.Add("encryption", "%q is not supported yet", s.encryption)
	}
	if len(p.fields) > 0 && len(p.exclude) > 0 {
		faults.Add("excludeFields", "excludes fields, which is there, too")
	}
	if len(p.template) > maxTemplateBytes {
		faults.Add("dataTemplate", "%d bytes, at most %d are allowed", len(p.template), maxTemplateBytes)
	}
	return *p, faults.Err()
}

// oneByOne has rows sent one by one, unless a template or dataField makes one of
// them all: a message of some formats is one object.
func (p *layout) oneByOne() {
	p.single = p.single || p.template == "" && p.dataField == ""
}

// protobuf reads what format protobuf needs.
func (p *layout) protobuf(faults *props.Faults) {
	p.format = Protobuf
	switch {
	case p.schemaID == "":
		faults.Add("schemaId", "missing, format protobuf wants the name of a schema, a dot and the name of a message")
	case p.batchSize > 0 || p.linger > 0:
		faults.Add("batchSize", "format protobuf has no lists of messages, neither with lingerInterval")
	}
	p.oneByOne()
}

// resolve finds what the properties alone do not have: the message type, and who
// compresses.
func (p *layout) resolve(s settings) (err error) {
	if s.plain {
		p.compression = ""
	}
	p.csv = s.csv
	if p.format != Protobuf {
		return nil
	}
	if s.message == nil {
		return fmt.Errorf("schemaId %q: there are no schemas here", p.schemaID)
	}
	if p.message, err = s.message(p.schemaID); err != nil {
		return fmt.Errorf("format protobuf: %w", err)
	}
	return nil
}

// grows tells whether the columns are those that rows bring.
func (p *layout) grows(s settings) bool {
	return p.format == Delimited && p.fields == nil && (s.star || p.template != "" || p.dataField != "")
}

// key is a text that is equal for properties that give equal bytes.
func (p *layout) key(s settings) string {
	var b strings.Builder
	flag := func(name string, on bool) {
		if on {
			b.WriteString(name)
		}
	}
	text := func(name, v string) {
		if v != "" {
			b.WriteString(name)
			b.WriteString(strconv.Quote(v))
		}
	}
	flag("1", p.single)
	flag("e", p.omitIfEmpty)
	if p.format == Delimited {
		text("d", p.delimiter)
		flag("q", p.csv)
	}
	flag("u", p.format == URLEncoded)
	if p.format == Protobuf {
		fmt.Fprintf(&b, "p%p", p.message) // a schema that changes has other types
	}
	fields := p.fields
	if p.format != Delimited {
		fields = sorted(fields)
	}
	for _, f := range fields {
		b.WriteByte('f')
		b.WriteString(strconv.Quote(f))
	}
	for _, f := range p.exclude {
		b.WriteByte('x')
		b.WriteString(strconv.Quote(f))
	}
	text("t", p.template)
	text("D", p.dataField)
	text("c", p.compression)
	if p.batchSize > 0 || p.linger > 0 {
		fmt.Fprintf(&b, "b%d,%d", p.batchSize, p.linger)
	}
	if s.loc != time.UTC {
		text("z", s.loc.String())
	}
	return b.String()
}

// sorted returns the distinct names of l in order.
func sorted(l []string) []string {
	l = slices.Clone(l)
	sort.Strings(l)
	return slices.Compact(l)
}
