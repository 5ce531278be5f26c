// Package ingest turns the bytes that sources receive into sealed columnar
// batches and hands them to the executor. It knows no rules, starts no goroutine
// and opens no connection: a Feed runs on its source's goroutine, an Inbox is
// where the executor picks up what the feeds have.
//
// A Feed is the streams of one connection that share format, schema and
// options; all of them share one open batch, so thousands of streams of one row
// each are one batch. A row's route says which streams it belongs to.
//
// Invariants: a batch has one writer and none after Take; messages are
// acknowledged in the order in which they were pushed, and only after Done of
// the batch that holds their last row; a message is decoded whole or not at
// all; what does not decode is counted and kept as an example, never dropped
// without a trace.
package ingest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/timefmt"
)

// ErrClosed is what Push returns once the feed was closed: the source stops.
// The message was not taken and is not acknowledged.
var ErrClosed = errors.New("feed is closed")

// Options configures a Feed. The zero value is schemaless JSON.
type Options struct {
	// Format is the payload's format: "json" (default), "delimited", "binary",
	// "urlencoded" or "protobuf"; in any case of letters.
	Format string
	// Schema is the declared fields; nil means schemaless. Only declared fields
	// exist in a feed with a schema.
	Schema []vec.Field
	// Strict is STRICT_VALIDATION: a missing or null field without DEFAULT is an
	// error, DATETIME is converted, STRUCT may come as JSON text.
	Strict bool
	// Delimiter separates the fields of format delimited; default ",".
	Delimiter string
	// Columns names the fields of format delimited in order; default: the names of
	// Schema, or col0, col1 ... without one.
	Columns []string
	// TimestampFormat is the pattern of DATETIME text in a strict schema;
	// default: any usual form.
	TimestampFormat string
	// UseInt64 makes whole numbers of undeclared fields int64 instead of float64.
	UseInt64 bool
	// Location is the time zone of DATETIME text that names none; default UTC.
	Location *time.Location
	// OnBad, if set, is told of every message that did not decode: the streams it
	// was for, which it must not write, and why, as Stats.LastBad has it. It is called
	// on the source's goroutine within Push and must not call the feed.
	OnBad func(streams []uint32, text string)
	// OnPanic, if set, is told of every panic while a message was decoded, which costs
	// that message and is told to OnBad, too. It is called as OnBad is.
	OnPanic func(text string, stack []byte)
	// Message reads the payloads of format protobuf; it belongs to the feed.
	Message MessageReader
	// NewDecoder, if set, makes the decoder of a plan in place of the one for
	// Format: "json", whose objects are rows, or "binary", whose payloads are. It is
	// called on the source's goroutine, once for each plan.
	NewDecoder func(p *vec.Plan) (Decoder, error)
}

// MessageReader turns payloads into the JSON text of one object.
type MessageReader interface {
	// AppendJSON appends the object to dst. After an error, which refuses the
	// payload, the result is dst. It is called by one goroutine at a time.
	AppendJSON(dst, payload []byte) ([]byte, error)
}

// EnsureDefaults fills in the fields that were left zero.
func (o *Options) EnsureDefaults() {
	if o.Format == "" {
		o.Format = "json"
	}
	o.Format = strings.ToLower(o.Format)
	if o.Delimiter == "" {
		o.Delimiter = ","
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.Format == "delimited" && o.Columns == nil {
		for _, f := range o.Schema {
			o.Columns = append(o.Columns, f.Name)
		}
	}
}

// Validate lists every fault of o.
func (o *Options) Validate() error {
	var faults []error
	switch o.Format {
	case "json", "delimited", "urlencoded":
	case "protobuf":
		if o.Message == nil {
			faults = append(faults, errors.New(`format "protobuf": want the type of the messages`))
		}
	case "binary":
		if o.NewDecoder == nil && (len(o.Schema) > 1 || len(o.Schema) == 1 && o.Schema[0].Type.Kind != vec.Bytes) {
			faults = append(faults, errors.New(`format "binary": want no schema or one field of type bytea`))
		}
	case "custom":
		faults = append(faults, fmt.Errorf("format %q: not supported yet", o.Format))
	default:
		faults = append(faults, fmt.Errorf("format %q: unknown, want json, delimited, binary, urlencoded or protobuf", o.Format))
	}
	if o.NewDecoder != nil && o.Format != "json" && o.Format != "binary" {
		faults = append(faults, fmt.Errorf("format %q: a decoder of its own needs format json or binary", o.Format))
	}
	if o.Format == "delimited" && strings.ContainsAny(o.Delimiter, "\r\n") {
		faults = append(faults, fmt.Errorf("delimiter %q: must not hold a line end", o.Delimiter))
	}
	if o.TimestampFormat != "" {
		if _, err := timefmt.Compile(o.TimestampFormat); err != nil {
			faults = append(faults, fmt.Errorf("timestamp format %q: %w", o.TimestampFormat, err))
		}
	}
	return errors.Join(faults...)
}

// Meta is what a source knows of a message beside its payload. Push copies it;
// its strings and More must not change afterwards.
type Meta struct {
	// Topic is the message's topic; empty: the source has none.
	Topic string
	// More holds further keys (file, a twin's device ...), nil without.
	// Sources share one More among messages.
	More *MetaMap
	// MQTT tells that QoS and MessageID are there.
	MQTT      bool
	QoS       byte
	MessageID uint16
}

// MetaMap is further metadata, in order of its keys.
type MetaMap struct {
	Items []MetaItem
}

// MetaItem is one key of metadata.
type MetaItem struct {
	Key   string
	Value vec.Value
}

// Acker is told which messages are safe. Ack is called on the goroutine that
// calls Inbox.Take and Feed.Done, in the order of Push; tokens is borrowed until
// it returns. It must not call back into the feed.
type Acker interface {
	Ack(tokens []uint64)
}

// Ack says who is told when a message is safe, and by which token (for MQTT the
// connection's generation and the packet id). The zero Ack is nobody.
type Ack struct {
	To    Acker
	Token uint64
}

// Decoder writes the text of one row into the row's columns. Decode is called for
// each row in turn on the source's goroutine (or, in Redecode, the executor's:
// every goroutine has its own Decoder). The text begins at w.Src()[pos]: an object of
// format json, with its '{', or the payload of format binary. end is the position
// behind it. m may be nil.
//
// An error means that the message does not count; the columns that were set are
// cleared by the caller.
type Decoder interface {
	Decode(w *Writer, pos int, m *Meta) (end int, err error)
}

// Mapping says where in an object a column of the plan is found. It lets a
// decoder read columns from other places than the plan's paths (a twin's
// property from twin/<property>/actual/value).
type Mapping struct {
	// Col is the position in Plan.Cols.
	Col int
	// Path leads to the value, from the outermost key in; empty: the whole row.
	Path []string
	// Set, if set, is given every scalar value that is found (text is the value's
	// text, unescaped for strings, valid until Set returns) in place of setting
	// the column by the kind that came. An error refuses the message.
	Set func(w *Writer, col int, kind vec.Kind, text []byte) error
}
