package sqldb

import (
	"fmt"

	"github.com/weir-engine/weir/ingest/lookup"
)

// NewType makes the lookup type sql; relative paths are below dir.
func NewType(dir string) lookup.Type {
	return lookup.Type{
		Properties: Properties,
		Check: func(d lookup.Def) (lookup.Use, error) {
			var columns []string
			for _, f := range d.Fields {
				columns = append(columns, f.Name)
			}
			o, err := ParseProps(d.Props, d.DataSource, dir, columns)
			return lookup.Use{Open: func() (lookup.Store, error) { return New(o) }}, err
		},
		Group: func(given map[string]any) error { return group(given, dir) },
		Ping: lookup.Pinger(func(d lookup.Def) (lookup.Use, error) { // the table is known later
			o := Options{Table: d.DataSource, Dir: dir}
			err := o.read(d.Props)
			return lookup.Use{Open: func() (lookup.Store, error) { return New(o) }}, err
		}),
		Named: true,
	}
}

// group checks settings of which others may stand elsewhere.
func group(given map[string]any, dir string) error {
	o := Options{Dir: dir}
	if err := o.table().Partial().Read(given).Err(); err != nil {
		return fmt.Errorf("sql: %w", err)
	}
	if o.DBURL == "" {
		return nil
	}
	_, _, err := o.driver()
	return err
}
