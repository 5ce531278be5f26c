package memory

import (
	"fmt"

	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/membus"
)

// NewType makes the source type memory, which reads what is published on bus.
func NewType(bus *membus.Bus) source.Type {
	return source.Type{Check: func(d source.Def) (source.Use, error) {
		if err := membus.CheckFilter(d.DataSource); err != nil {
			return source.Use{}, fmt.Errorf("DATASOURCE: %w", err)
		}
		return source.Use{Open: func(to source.Target) (source.Source, error) {
			return New(bus, Options{Topic: d.DataSource}, to)
		}}, nil
	}}
}
