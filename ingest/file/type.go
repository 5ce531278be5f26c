package file

import (
	"context"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/source"
)

// NewType makes the source type file; relative paths are below dir.
func NewType(dir string) source.Type {
	check := func(d source.Def) (source.Use, error) {
		o, err := ParseProps(d.Props, d.DataSource, dir)
		if err != nil {
			return source.Use{}, err
		}
		o.Schema = d.Fields
		return source.Use{
			Feed:  func(f *ingest.Options) { f.Format = o.Format(f.Format) },
			Open:  func(to source.Target) (source.Source, error) { return New(o, to) },
			Ready: o.Ready,
		}, nil
	}
	return source.Type{
		Properties: Properties, Check: check,
		Ping: func(_ context.Context, d source.Def) error {
			o, err := ParseProps(d.Props, d.DataSource, dir)
			if err != nil {
				return err
			}
			return o.Ready()
		},
		Group: func(given map[string]any) error {
			_, err := ParseProps(given, "any", dir) // the path may stand in DATASOURCE
			return err
		},
		Whole: true, Decoded: true,
	}
}
