//go:build !slim

package engine

import (
	"github.com/weir-engine/weir/ingest/lookup/redis"
	"github.com/weir-engine/weir/ingest/lookup/sqldb"
)

// addFull adds the types that a slim build leaves out.
func (t *types) addFull(env typeEnv) {
	t.lookups["redis"] = redis.NewType()
	t.lookups["sql"] = sqldb.NewType(env.dir)
}
