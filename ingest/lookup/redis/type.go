package redis

import (
	"fmt"

	"github.com/weir-engine/weir/ingest/lookup"
)

// NewType makes the lookup type redis.
func NewType() lookup.Type {
	return lookup.Type{Properties: Properties, Check: check, Group: group, Ping: lookup.Pinger(check), Named: true}
}

func check(d lookup.Def) (lookup.Use, error) {
	o, err := ParseProps(d.Props, d.DataSource)
	return lookup.Use{Open: func() (lookup.Store, error) { return New(o), nil }, OneKey: true}, err
}

// group checks settings of which others may stand elsewhere.
func group(given map[string]any) error {
	if err := newSettings().table().Partial().Read(given).Err(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}
