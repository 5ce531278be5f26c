package engine

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/weir-engine/weir/ingest/file"
	"github.com/weir-engine/weir/ingest/lookup"
	lookupfile "github.com/weir-engine/weir/ingest/lookup/file"
	lookuphttp "github.com/weir-engine/weir/ingest/lookup/http"
	"github.com/weir-engine/weir/ingest/memory"
	"github.com/weir-engine/weir/ingest/mqtt"
	"github.com/weir-engine/weir/ingest/sim"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/membus"
	"github.com/weir-engine/weir/internal/mqttconn"
	"github.com/weir-engine/weir/sinks"
	sinkfile "github.com/weir-engine/weir/sinks/file"
	sinklog "github.com/weir-engine/weir/sinks/log"
	sinkmemory "github.com/weir-engine/weir/sinks/memory"
	sinkmqtt "github.com/weir-engine/weir/sinks/mqtt"
	"github.com/weir-engine/weir/sinks/nop"
	"github.com/weir-engine/weir/sinks/rest"
)

// The types of sources, lookup tables and sinks of this process. A connector is a
// package below ingest or sinks and a line here, or in types_full.go if small
// gateways go without it; nothing else of the engine names it.

// What TYPE is when a definition does not say.
const (
	streamType = "mqtt"
	tableType  = "file"
)

// typeEnv is what types may need of the process.
type typeEnv struct {
	dir      string // of files that are read by a relative path
	files    string // of files that are written by a relative path
	store    string // of the store, in which nobody else has files
	log      *slog.Logger
	bus      *membus.Bus
	ruleName func(num uint32) string // of a sink, by the number of its counters
	freed    func()                  // what rules that stopped by an error may have missed is there
	later    func(func())            // runs what may wait for the network; Close waits for it
}

// types are the types by the names that users write.
type types struct {
	sources source.Registry
	lookups lookup.Registry
	sinks   sinks.Registry
	pools   []pool
}

// pool is connections that sources and sinks of a type share. Lost is what all of
// them lost, those that were closed included. None starts before Go, which comes when
// the rules of the store are there. Leave says that the process ends: what a server
// keeps for us, it is to keep until the next one. Close comes last, when nobody uses
// them.
type pool interface {
	Lost() loss.Counts
	Go()
	Leave()
	Close()
}

func newTypes(env typeEnv) types {
	lines := sinklog.Options{Logger: env.log, RuleName: env.ruleName}
	conns := new(mqttconn.Pool)
	conns.Hold()
	conns.OnFree = env.freed
	t := types{
		sources: source.Registry{
			"file":      file.NewType(env.dir),
			"memory":    memory.NewType(env.bus),
			"mqtt":      mqtt.NewType(conns, env.later),
			"sim":       sim.NewType(),
			"simulator": sim.NewPlaybackType(),
		},
		lookups: lookup.Registry{
			"file":     lookupfile.NewType(env.dir),
			"httppull": lookuphttp.NewType(),
			"memory":   {Fed: true},
		},
		sinks: sinks.Registry{
			"file":   &sinkfile.Factory{Dir: env.files, Store: env.store},
			"log":    sinklog.New(lines),
			"memory": sinkmemory.New(env.bus),
			"mqtt":   sinkmqtt.New(conns),
			"nop":    nop.New(lines),
			"rest":   &rest.Factory{},
		},
		pools: []pool{conns},
	}
	t.addFull(env)
	return t
}

// source returns the type of source called name.
func (t *types) source(name string) (source.Type, error) {
	s, err := t.sources.Find(name)
	return s, missing(name, err)
}

// lookup returns the type of lookup table called name.
func (t *types) lookup(name string) (lookup.Type, error) {
	l, err := t.lookups.Find(name)
	return l, missing(name, err)
}

// missing words err, which says that there is no type called name, for a type that
// this build goes without.
func missing(name string, err error) error {
	if err != nil && slices.Contains(leftOut, name) {
		return fmt.Errorf("type %s is not part of this slim build of weir: the full build has it", name)
	}
	return err
}
