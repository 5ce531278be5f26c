package twin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weir-engine/weir/ingest/twin/model"
	"github.com/weir-engine/weir/internal/props"
)

// parseFormat returns the format called name, in any case.
func parseFormat(name string) (Format, error) {
	switch strings.ToLower(name) {
	case "", "both":
		return Both, nil
	case "flat":
		return Flat, nil
	case "raw":
		return Raw, nil
	}
	return Both, fmt.Errorf("unknown format %q, want raw, flat or both", name)
}

// settings is what users set of twins.
type settings struct {
	version, format, file string
	strict                bool
}

func (s *settings) table() props.Table {
	return props.Table{
		props.Text(&s.file, "kubeedgeModelFile", "a device model file, or a directory of them: the columns of twins get their types"),
		props.Text(&s.format, "kubeedgeFormat", "what rows hold: both, flat (a column a property) or raw (the message)").Otherwise("both with a model file, else raw"),
		props.Flag(&s.strict, "kubeedgeModelStrict", "leaves the properties of devices that stand in no file without a type; else they have the type on which all models agree"),
		props.Scalar(&s.version, "kubeedgeVersion", "the version of KubeEdge").Ignored("the form of the file shows the version"),
	}
}

// Properties describes what can be set of twins, for each type of source.
func Properties() props.Table { return new(settings).table() }

// Loader reads the model file, or the directory of them, that a property names.
type Loader func(path string) (*model.Models, error)

// ParseProps reads what a source's properties say about twins, and tells whether
// a stream gets this package's decoder: it does with a model file, or with a format
// other than raw.
func ParseProps(given map[string]any, load Loader) (o Options, use bool, err error) {
	var s settings
	faults := s.table().Read(given)
	if o.Format, err = parseFormat(s.format); err != nil {
		faults.Add("kubeedgeFormat", "%w", err)
	}
	if s.file != "" {
		if o.Models, err = load(s.file); err != nil {
			faults.Add("kubeedgeModelFile", "%w", err)
		}
		o.Strict, o.Notes = s.strict, new(Notes)
	}
	return o, s.file != "" || s.format != "" && o.Format != Raw, faults.Err()
}

// Warnings tells what is odd in the model files that a source's properties name,
// and which properties they leave as text.
func Warnings(given map[string]any, load Loader) []string {
	if v, ok := props.Get(given, "kubeedgeModelFile"); !ok || v == "" {
		return nil
	}
	o, _, err := ParseProps(given, load)
	if err != nil || o.Models == nil {
		return nil // whoever starts the source tells it
	}
	out := slices.Clone(o.Models.Warnings)
	if !o.Strict && o.Format != Raw {
		out = append(out, o.Models.Disputes()...)
	}
	return out
}

// Columns returns the flat columns that the models of o give, by name; those about
// which they disagree have the type Unknown.
func (o *Options) Columns() map[string]model.Type {
	if o.Format == Raw {
		return nil
	}
	out := map[string]model.Type{}
	for _, name := range o.Models.Names() {
		out[name] = o.Models.Common().Property(name).Type
	}
	return out
}
