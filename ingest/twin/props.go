package twin

import (
	"fmt"
	"strings"

	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/ingest/twin/model"
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

// ParseProps reads what a source's properties say about twins, and tells whether
// a stream gets this package's decoder: it does with a model file, or with a format
// other than raw. Model files are relative to dir.
//
//   - kubeedgeModelFile: a model file or a directory of them, see model.Load
//   - kubeedgeVersion: accepted, and of no effect: the form of the file shows
//   - kubeedgeFormat: both (default), flat or raw
func ParseProps(props map[string]any, dir string) (o Options, use bool, err error) {
	p := source.NewProps(props)
	switch v := p.Any("kubeedgeVersion"); v.(type) {
	case nil, string, float64, int, int64:
	default:
		p.Fault("kubeedgeVersion", "want a text, found %v", v)
	}
	name := p.String("kubeedgeFormat", "")
	if o.Format, err = parseFormat(name); err != nil {
		p.Fault("kubeedgeFormat", "%v", err)
	}
	file := p.String("kubeedgeModelFile", "")
	if file != "" {
		if o.Models, err = model.Load(file, dir); err != nil {
			p.Fault("kubeedgeModelFile", "%v", err)
		}
	}
	return o, file != "" || name != "" && o.Format != Raw, p.Err()
}
