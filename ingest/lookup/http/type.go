package http

import "github.com/weir-engine/weir/ingest/lookup"

// NewType makes the lookup type httppull.
func NewType() lookup.Type {
	return lookup.Type{
		Properties: Properties, Check: check, Ping: lookup.Pinger(check),
		Group: func(given map[string]any) error {
			_, err := ParseProps(given, "")
			return err
		},
	}
}

func check(d lookup.Def) (lookup.Use, error) {
	o, err := ParseProps(d.Props, d.DataSource)
	return lookup.Use{Open: func() (lookup.Store, error) { return New(o) }}, err
}
