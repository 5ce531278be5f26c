// Package file is the sink that writes outputs to files: lines, a JSON array or
// CSV, optionally compressed, in one file or in a series of them by age, size or
// number of messages.
//
// Files are appended to, never overwritten. A message counts as delivered when the
// operating system has it; a write that fails is taken back, so that a line is
// there whole or not at all.
package file

import (
	"context"
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/sinks"
)

// Factory is the sink type file.
type Factory struct {
	// Dir is where paths that are not absolute begin. Default: the working
	// directory.
	Dir string
	// Store is a directory that no file may be in, but for those in Dir: that of
	// the process' own data. Empty: there is none.
	Store string

	routes sinks.Routes
}

// options are what is static in the use of a file; as JSON, they are the Route's
// Spec.
type options struct {
	Path        string `json:"path"`
	Type        string `json:"fileType"`
	Header      string `json:"header,omitempty"`
	HeaderFirst bool   `json:"headerFirst,omitempty"` // payloads begin with a header line
	Delimiter   string `json:"delimiter,omitempty"`   // of lines with a header
	Compression string `json:"compression,omitempty"`
	Pattern     string `json:"rollingNamePattern"`
	RollMs      int64  `json:"rollingInterval,omitempty"`
	RollCount   int64  `json:"rollingCount,omitempty"`
	RollSize    int64  `json:"rollingSize,omitempty"`
}

// settings is what users set of an action.
type settings struct {
	options
	roll, check time.Duration
	// Of the encoding, which says what a line is.
	format, delimiter string
	hasHeader         bool
	fields            []string
}

func newSettings() *settings {
	return &settings{options: options{Path: "cache", Type: "lines", Pattern: "none", RollCount: 1000000}, delimiter: ","}
}

func (s *settings) table() props.Table {
	return props.Table{
		props.Text(&s.Path, "path", "the file, relative to the folder files of the data directory; may be a template"),
		props.OneOf(&s.Type, "fileType", "what a file is: a message a line, one JSON array, or CSV", "lines", "json", "csv"),
		props.OneOf(&s.Pattern, "rollingNamePattern", "where the time stands in the name of a file of a series; none: one file, no series", "prefix", "suffix", "none"),
		props.Duration(&s.roll, "rollingInterval", "the age at which the next file of a series begins; 0: no bound"),
		props.Whole(&s.RollCount, "rollingCount", 0, math.MaxInt64, "messages after which the next file of a series begins; 0: no bound"),
		props.Bytes(&s.RollSize, "rollingSize", 0, math.MaxInt64, "the size at which the next file of a series begins; 0: no bound"),
		props.Duration(&s.check, "checkInterval", "how often ages are looked at").Ignored("files are closed when they are due"),
		props.OneOf(&s.Compression, "compression", "how the file is compressed", "gzip", "zstd"),
		props.Text(&s.format, "format", "what messages are encoded as"),
		props.Flag(&s.hasHeader, "hasHeader", "begins a CSV file with the names of its columns; a row that has others ends the file"),
		props.Text(&s.delimiter, "delimiter", "what stands between the values of a line"),
		props.List(&s.fields, "fields", "the columns, in their order"),
		props.Refused("rollingHook", "not supported yet"),
	}
}

// Properties describes what can be set.
func (f *Factory) Properties() props.Table { return newSettings().table() }

// Open checks an action's properties.
func (f *Factory) Open(given map[string]any) (sinks.Target, error) {
	s := newSettings()
	faults := s.table().Read(given)
	s.RollMs = s.roll.Milliseconds()
	s.header(&faults)
	o := s.options
	if o.Path == "" || strings.HasSuffix(o.Path, "/") || strings.IndexByte(o.Path, 0) >= 0 {
		faults.Add("path", "want a file, got %q", o.Path)
	}
	if o.Type == "json" && o.Compression != "" {
		faults.Add("compression", "a file of fileType json cannot be continued when it is compressed, want lines or csv")
	}
	if err := f.guard(f.fixed(o.Path)); err != nil {
		faults.Add("path", "%q: %w; relative paths begin in %q", o.Path, err, f.place(""))
	}
	if err := faults.Err(); err != nil {
		return sinks.Target{}, err
	}
	spec, err := json.Marshal(o)
	if err != nil {
		return sinks.Target{}, err
	}
	dest, dynamic := f.fixed(o.Path), sinks.Dynamic(o.Path)
	if !dynamic {
		dest = filepath.Dir(dest)
	}
	all := &shared{locate: f.locate}
	t := sinks.Target{
		DestKey: "file " + dest, Route: f.route(string(spec), o),
		WithHeader: o.HeaderFirst, CSV: o.Type == "csv", Restore: f.restore, CompressesItself: true, Unframed: true,
		Open: func(context.Context, int) (sinks.Destination, error) { return all.open(), nil },
	}
	if dynamic {
		t.Dynamic = o.Path
	}
	return t, nil
}

// header finds what the first line of a CSV file is to be.
func (s *settings) header(faults *props.Faults) {
	switch {
	case s.Type != "csv":
		return
	case s.format != "" && !strings.EqualFold(s.format, "delimited"):
		faults.Add("fileType", "csv needs the format delimited, got %q", s.format)
	}
	if !s.hasHeader {
		return
	}
	if s.delimiter == "" {
		s.delimiter = ","
	}
	s.Delimiter = s.delimiter
	if len(s.fields) > 0 {
		names := make([]string, len(s.fields))
		for i, name := range s.fields {
			names[i] = quoted(name, s.delimiter)
		}
		s.Header = strings.Join(names, s.delimiter)
		return
	}
	s.HeaderFirst = true
}

// fixed is what a path leads to whatever payloads say: the path, or the directory
// of the constant part of a template.
func (f *Factory) fixed(path string) string {
	static, _, dynamic := strings.Cut(path, "{{")
	if !dynamic {
		return f.place(path)
	}
	return filepath.Dir(f.place(static + "x"))
}

func (f *Factory) route(spec string, o options) *sinks.Route {
	return f.routes.Intern(spec, func() *sinks.Route {
		fm := &form{options: o, every: time.Duration(o.RollMs) * time.Millisecond}
		if static, _, dynamic := strings.Cut(o.Path, "{{"); dynamic {
			fm.dynamic, fm.static = true, static[:strings.LastIndexByte(static, '/')+1]
		}
		return &sinks.Route{Target: o.Path, Options: fm}
	})
}

func (f *Factory) restore(spec string) (*sinks.Route, error) {
	var o options
	if err := json.Unmarshal([]byte(spec), &o); err != nil {
		return nil, err
	}
	return f.route(spec, o), nil
}

// form is a Route's options, ready for use.
type form struct {
	options
	every time.Duration
	// static is the directory that a templated path begins with, as it is
	// written, with its last slash; the rest differs by message.
	static  string
	dynamic bool
}

// rolls tells whether there is a series of files.
func (f *form) rolls() bool { return f.Pattern != "none" }

// ages tells whether the files of a series end by time; a nil form is no series.
func (f *form) ages() bool { return f != nil && f.every > 0 }

// aged tells whether a file's time is over.
func (f *form) aged(opened, now time.Time) bool {
	return f.ages() && now.Sub(opened) >= f.every
}
