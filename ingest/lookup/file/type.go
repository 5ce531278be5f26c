package file

import (
	"fmt"

	"github.com/weir-engine/weir/ingest/file"
	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/internal/props"
)

func table(ints *bool) props.Table {
	return props.Table{props.Flag(ints, "useInt64ForWholeNumber", "takes whole numbers as bigint instead of float")}
}

// NewType makes the lookup type file; relative paths are below dir.
func NewType(dir string) lookup.Type {
	return lookup.Type{
		Properties: func() props.Table { return table(new(bool)).And(file.Properties()) },
		Check: func(d lookup.Def) (lookup.Use, error) {
			o, err := options(d, dir)
			return lookup.Use{Open: func() (lookup.Store, error) { return New(o) }}, err
		},
	}
}

func options(d lookup.Def, dir string) (o Options, err error) {
	if d.Format != "" && d.Format != "json" {
		return o, fmt.Errorf("format %s is not supported yet for lookup tables in files: want json, or fileType csv", d.Format)
	}
	o.Key = d.Key
	if o.File, err = file.ParseProps(d.Props, d.DataSource, dir); err != nil {
		return o, err
	}
	o.File.Schema = d.Fields
	return o, table(&o.Ints).Read(d.Props).Err()
}
