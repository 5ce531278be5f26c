package encode

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/weir-engine/weir/vec/protobuf"
)

// An Option is a setting of the engine that rule properties do not carry.
type Option func(*settings)

// settings is what Options set.
type settings struct {
	loc     *time.Location
	message func(schemaID string) (*protobuf.Message, error)
}

// In writes instants in the time zone loc; the default is UTC.
func In(loc *time.Location) Option { return func(s *settings) { s.loc = loc } }

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

// props are the properties of an action that say what its messages look like.
type props struct {
	single      bool
	omitIfEmpty bool
	hasHeader   bool
	format      Format
	schemaID    string            // of Protobuf
	message     *protobuf.Message // of Protobuf
	delimiter   string
	fields      []string // in the user's order
	exclude     []string // sorted
	dataField   string
	template    string
	compression string
	batchSize   int
	linger      time.Duration
}

// readProps takes the properties that are this package's from an action's; all
// others belong to the sink. The error lists every fault, one a line.
func readProps(m map[string]any) (props, error) {
	r := reader{props: m}
	p := props{
		single:      r.boolean("sendSingle"),
		omitIfEmpty: r.boolean("omitIfEmpty"),
		hasHeader:   r.boolean("hasHeader"),
		delimiter:   r.text("delimiter"),
		fields:      r.texts("fields"),
		exclude:     r.texts("excludeFields"),
		template:    r.text("dataTemplate"),
		compression: strings.ToLower(r.text("compression")),
		batchSize:   r.count("batchSize"),
		linger:      r.duration("lingerInterval"),
	}
	p.dataField = r.text("dataField")
	if p.dataField == "" {
		p.dataField = r.text("tableDataField")
	}
	if p.delimiter == "" {
		p.delimiter = ","
	}
	slices.Sort(p.exclude)
	switch f := r.text("format"); strings.ToLower(f) {
	case "", "json":
	case "delimited":
		p.format = Delimited
	case "protobuf":
		p.protobuf(&r)
	case "urlencoded":
		p.format = URLEncoded
		p.oneByOne()
	case "binary":
		r.fault("format: %q is one of sources, want json, delimited, urlencoded or protobuf", f)
	case "custom":
		r.fault("format: %q is not supported yet, want json, delimited, urlencoded or protobuf", f)
	default:
		r.fault("format: unknown format %q, want json, delimited, urlencoded or protobuf", f)
	}
	switch p.compression {
	case "", "zlib", "gzip", "flate", "zstd":
	default:
		r.fault("compression: unknown method %q, want zlib, gzip, flate or zstd", p.compression)
	}
	if enc := r.text("encryption"); enc != "" {
		r.fault("encryption: %q is not supported yet", enc)
	}
	if len(p.fields) > 0 && len(p.exclude) > 0 {
		r.fault("fields and excludeFields exclude each other")
	}
	if len(p.template) > maxTemplateBytes {
		r.fault("dataTemplate: %d bytes, at most %d are allowed", len(p.template), maxTemplateBytes)
	}
	return p, errors.Join(r.faults...)
}

// oneByOne has rows sent one by one, unless a template or dataField makes one of
// them all: a message of some formats is one object.
func (p *props) oneByOne() {
	p.single = p.single || p.template == "" && p.dataField == ""
}

// protobuf reads what format protobuf needs.
func (p *props) protobuf(r *reader) {
	p.format = Protobuf
	p.schemaID = r.text("schemaId")
	switch {
	case p.schemaID == "":
		r.fault("schemaId: missing, format protobuf wants the name of a schema, a dot and the name of a message")
	case p.batchSize > 0 || p.linger > 0:
		r.fault("batchSize and lingerInterval: format protobuf has no lists of messages")
	}
	p.oneByOne()
}

// resolve finds the message type.
func (p *props) resolve(s settings) (err error) {
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

// key is a text that is equal for properties that give equal bytes.
func (p *props) key(s settings) string {
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
		flag("h", p.hasHeader)
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

// reader reads typed values from properties and collects faults.
type reader struct {
	props  map[string]any
	faults []error
}

func (r *reader) fault(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf(format, args...))
}

// want notes that property name holds v where it should hold something else.
func (r *reader) want(name, want string, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		text = fmt.Appendf(nil, "%v", v)
	}
	if len(text) > 100 {
		text = append(text[:97:97], "..."...)
	}
	r.fault("%s: want %s, got %s", name, want, text)
}

func (r *reader) boolean(name string) bool {
	switch v := r.props[name].(type) {
	case nil:
	case bool:
		return v
	default:
		r.want(name, "true or false", v)
	}
	return false
}

func (r *reader) text(name string) string {
	switch v := r.props[name].(type) {
	case nil:
	case string:
		return v
	default:
		r.want(name, "a text", v)
	}
	return ""
}

func (r *reader) texts(name string) []string {
	switch v := r.props[name].(type) {
	case nil:
	case []string:
		return append([]string(nil), v...)
	case []any:
		var l []string
		for _, x := range v {
			s, ok := x.(string)
			if !ok {
				r.want(name, "a list of texts", v)
				return nil
			}
			l = append(l, s)
		}
		return l
	default:
		r.want(name, "a list of texts", v)
	}
	return nil
}

// whole returns v as a whole number.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) < 1<<53
	case json.Number:
		i, err := v.Int64()
		return i, err == nil
	}
	return 0, false
}

func (r *reader) count(name string) int {
	v := r.props[name]
	if v == nil {
		return 0
	}
	n, ok := whole(v)
	if !ok || n < 0 || n > math.MaxInt32 {
		r.want(name, "a whole number from 0", v)
		return 0
	}
	return int(n)
}

// duration reads a number of milliseconds, or a text such as "200ms".
func (r *reader) duration(name string) time.Duration {
	v := r.props[name]
	if v == nil {
		return 0
	}
	n, ok := whole(v)
	if s, isText := v.(string); isText {
		if d, err := time.ParseDuration(s); err == nil && d >= 0 {
			return d
		}
		var err error
		n, err = strconv.ParseInt(s, 10, 64)
		ok = err == nil
	}
	if !ok || n < 0 || n > math.MaxInt64/int64(time.Millisecond) {
		r.want(name, `a duration such as "200ms", or milliseconds`, v)
		return 0
	}
	return time.Duration(n) * time.Millisecond
}
