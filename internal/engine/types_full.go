//go:build !slim

package engine

import (
	"github.com/weir-engine/weir/ingest/lookup/redis"
	"github.com/weir-engine/weir/ingest/lookup/sqldb"
)

// leftOut names the types that this build goes without.
var leftOut []string

// addFull adds the types that a slim build leaves out.
func (t *types) addFull(env typeEnv) {
	t.lookups["redis"] = redis.NewType()
	t.lookups["sql"] = sqldb.NewType(env.dir)
}
