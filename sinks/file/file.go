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
	Compression string `json:"compression,omitempty"`
	Pattern     string `json:"rollingNamePattern"`
	RollMs      int64  `json:"rollingInterval,omitempty"`
	RollCount   int64  `json:"rollingCount,omitempty"`
	RollSize    int64  `json:"rollingSize,omitempty"`
}

// Open checks an action's properties.
func (f *Factory) Open(props map[string]any) (sinks.Target, error) {
	p := sinks.NewProps(props)
	o := options{
		Path:        p.Text("path", "cache"),
		Type:        p.OneOf("fileType", "lines", "lines", "json", "csv"),
		Pattern:     p.OneOf("rollingNamePattern", "none", "prefix", "suffix", "none"),
		RollMs:      p.Duration("rollingInterval", 0).Milliseconds(),
		RollCount:   p.Number("rollingCount", 1000000, 0, math.MaxInt64),
		RollSize:    p.Number("rollingSize", 0, 0, math.MaxInt64),
		Compression: p.OneOf("compression", "", "gzip", "zstd"),
	}
	_ = p.Duration("checkInterval", 0) // files are closed when they are due
	header(p, &o)
	if o.Path == "" || strings.HasSuffix(o.Path, "/") || strings.IndexByte(o.Path, 0) >= 0 {
		p.Fault("property path: want a file, got %q", o.Path)
	}
	if o.Type == "json" && o.Compression != "" {
		p.Fault("property compression: a file of fileType json cannot be continued when it is compressed, want lines or csv")
	}
	if p.Has("rollingHook") && p.Text("rollingHook", "") != "" {
		p.Fault("property rollingHook is not supported yet")
	}
	if err := f.guard(f.fixed(o.Path)); err != nil {
		p.Fault("property path: %q: %w; relative paths begin in %q", o.Path, err, f.place(""))
	}
	if err := p.Err(); err != nil {
		return sinks.Target{}, err
	}
	spec, err := json.Marshal(o)
	if err != nil {
		return sinks.Target{}, err
	}
	dest, dynamic := f.fixed(o.Path), strings.Contains(o.Path, "{{")
	if !dynamic {
		dest = filepath.Dir(dest)
	}
	t := sinks.Target{
		DestKey: "file " + dest, Route: f.route(string(spec), o),
		WithHeader: o.HeaderFirst, Restore: f.restore, CompressesItself: true, Unframed: true,
		Open: func(context.Context, int) (sinks.Destination, error) { return newDestination(f.locate), nil },
	}
	if dynamic {
		t.Dynamic = o.Path
	}
	return t, nil
}

// header reads what the first line of a CSV file is to be.
func header(p *sinks.Props, o *options) {
	format := p.Text("format", "")
	switch {
	case o.Type != "csv":
		return
	case format != "" && !strings.EqualFold(format, "delimited"):
		p.Fault("property fileType: csv needs the format delimited, got %q", format)
	}
	if !p.Flag("hasHeader", false) {
		return
	}
	delimiter := p.Text("delimiter", ",")
	if delimiter == "" {
		delimiter = ","
	}
	if fields := p.Texts("fields"); len(fields) > 0 {
		o.Header = strings.Join(fields, delimiter)
		return
	}
	o.HeaderFirst = true
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
