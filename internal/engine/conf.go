package engine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner/ruledef"
)

// confName names a group of settings. All parts are in lower case.
type confName struct{ kind, typ, key string }

func (n confName) id() string { return n.kind + "/" + n.typ + "/" + n.key }

// loadConfs reads the groups of the configuration file, then those of the store.
func (e *Engine) loadConfs() error {
	e.fileConfs()
	return e.catalog.Each(kindConf, func(id string, data []byte) error {
		parts := strings.SplitN(id, "/", 3)
		var props map[string]any
		if len(parts) != 3 || json.Unmarshal(data, &props) != nil {
			e.log.Error("stored settings are refused", "name", id)
			return nil
		}
		e.mu.confs[confName{parts[0], parts[1], parts[2]}] = props
		return nil
	})
}

// fileConfs enters the groups of the configuration file.
func (e *Engine) fileConfs() {
	for kind, types := range e.opt.Confs {
		for typ, groups := range types {
			for key, props := range groups {
				e.mu.confs[confName{kind, strings.ToLower(typ), strings.ToLower(key)}] = props
			}
		}
	}
}

// dropConfs deletes the groups of the store. Those of the configuration file are
// as the file has them.
func (e *Engine) dropConfs() {
	defer e.defLocks.lockAll()()
	var groups []store.Item
	err := e.catalog.Each(kindConf, func(id string, _ []byte) error {
		groups = append(groups, store.Item{Kind: kindConf, ID: id})
		return nil
	})
	if err == nil {
		err = e.catalog.DeleteAll(groups)
	}
	if err != nil {
		e.log.Warn("settings are not deleted before the import", "err", err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.mu.confs)
	e.fileConfs()
	e.mu.epoch++
}

// confLocked returns a group, nil if there is none.
func (e *Engine) confLocked(n confName) map[string]any {
	e.mu.AssertRHeld()
	return e.mu.confs[n]
}

// PutConfKey creates or replaces a group; what uses it connects anew. It is refused if
// a started rule could not go on.
func (e *Engine) PutConfKey(kind api.ConfKind, typ, key string, props map[string]any) error {
	err := e.putConfKey(kind, typ, key, props, nobody)
	if err == nil {
		e.freed()
	}
	return err
}

// putConfKey is PutConfKey. Rules of which may says that they may stop do not count.
func (e *Engine) putConfKey(kind api.ConfKind, typ, key string, props map[string]any, may func(id string) bool) error {
	n := confName{string(kind), strings.ToLower(typ), strings.ToLower(key)}
	if err := ruledef.CheckID(key); err != nil {
		return ruledef.Errorf(ruledef.CodeConfig, "Invalid confKey: %w", err)
	}
	if err := e.checkConf(n, props); err != nil {
		return ruledef.Errorf(ruledef.CodeConfig, "%s %s: %w", typ, key, err)
	}
	return e.putConf(n, props, may)
}

func (e *Engine) putConf(n confName, props map[string]any, may func(id string) bool) error {
	defer e.defLocks.lock(n.id())()
	data, err := json.Marshal(props)
	if err != nil {
		return ruledef.Errorf(ruledef.CodeConfig, "settings %s: %w", n.id(), err)
	}
	senders := e.sendersAfter(n, props)
	if err := e.checkSettings(n, props, senders, may); err != nil {
		return err
	}
	if err := e.catalog.Put(kindConf, n.id(), data); err != nil {
		return ruledef.Errorf(ruledef.CodeIO, "store settings %s: %w", n.id(), err)
	}
	e.restartUsers(func() []*rule {
		old, had := e.mu.confs[n]
		e.mu.confs[n] = props
		if had && equalProps(old, props) {
			return nil
		}
		users := e.readersLocked(e.confUsersLocked(n)...)
		for _, id := range senders {
			if r := e.mu.rules[id]; r != nil && r.running && !slices.Contains(users, r) {
				users = append(users, r)
			}
		}
		return users
	})
	return nil
}

func equalProps(a, b map[string]any) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && string(x) == string(y)
}

// confUsersLocked lists the active streams that a group of settings concerns.
func (e *Engine) confUsersLocked(n confName) []string {
	e.mu.AssertRHeld()
	var out []string
	for name, s := range e.mu.streams {
		if s.feed == nil || n.typ != s.typ() {
			continue
		}
		switch n.kind {
		case "sources":
			if n.key == "default" || n.key == strings.ToLower(s.def.Options.ConfKey) {
				out = append(out, name)
			}
		case "connections":
			if strings.EqualFold(e.selectedLocked(s), n.key) {
				out = append(out, name)
			}
		}
	}
	return out
}

// checkConf refuses settings that their type cannot read. What a group leaves out may
// stand in another, or in the definition that names it.
func (e *Engine) checkConf(n confName, given map[string]any) error {
	switch n.kind {
	case "sources", "connections":
		return e.checkGroup(n, given)
	case "sinks":
		if e.types.sinks[n.typ] == nil {
			return fmt.Errorf("sink %s is not defined", n.typ)
		}
		return e.checkSinkGroup(n.typ, given)
	}
	return fmt.Errorf("there are no settings of kind %q", n.kind)
}

// checkSinkGroup checks settings of a sink. Of a type that there is not nothing is known.
func (e *Engine) checkSinkGroup(typ string, given map[string]any) error {
	f := e.types.sinks[typ]
	if f == nil {
		return nil
	}
	return sinkProperties(f).Partial().Read(given).Err()
}

// checkGroup checks settings of a source, or else of a lookup table, or else of
// connections that only sinks have.
func (e *Engine) checkGroup(n confName, given map[string]any) error {
	t, err := e.types.source(n.typ)
	switch {
	case err != nil:
	case t.Group != nil:
		return t.Group(given)
	default:
		return propertiesOf(t.Properties).And(feedTable(new(bool))).Partial().Read(given).Err()
	}
	if l, ok := e.types.lookups[n.typ]; ok {
		if _, err := lookup.ParseProps(given); err != nil || l.Group == nil {
			return err
		}
		return l.Group(given)
	}
	if n.kind == "connections" {
		return e.checkSinkGroup(n.typ, given)
	}
	return err
}

// DeleteConfKey removes a group that no active stream uses.
func (e *Engine) DeleteConfKey(kind api.ConfKind, typ, key string) error {
	n := confName{string(kind), strings.ToLower(typ), strings.ToLower(key)}
	defer e.defLocks.lock(n.id())()
	e.mu.Lock()
	if e.mu.confs[n] == nil {
		e.mu.Unlock()
		return ruledef.ErrNotFound
	}
	if users := e.confUsersLocked(n); len(users) > 0 {
		e.mu.Unlock()
		slices.Sort(users)
		return fmt.Errorf("settings %s of %s are %w by the streams %s", key, typ, ruledef.ErrInUse, strings.Join(users, ", "))
	}
	delete(e.mu.confs, n)
	e.mu.epoch++
	e.mu.Unlock()
	return e.catalog.Delete(kindConf, n.id())
}

// ConfKeys returns the groups of a type.
func (e *Engine) ConfKeys(kind api.ConfKind, typ string) (map[string]map[string]any, error) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	out := map[string]map[string]any{}
	for n, props := range e.mu.confs {
		if n.kind == string(kind) && n.typ == strings.ToLower(typ) {
			out[n.key] = maps.Clone(props)
		}
	}
	return out, nil
}

// PutConnection creates or replaces a named connection.
func (e *Engine) PutConnection(c api.Connection) error {
	n := confName{"connections", strings.ToLower(c.Type), strings.ToLower(c.ID)}
	if err := ruledef.CheckID(c.ID); err != nil {
		return ruledef.Errorf(ruledef.CodeConfig, "%w", err)
	}
	if !e.types.sources[n.typ].Named && !e.types.lookups[n.typ].Named {
		err := fmt.Errorf("connection type %s is not supported: want %s", c.Type, strings.Join(e.types.named(), ", "))
		return ruledef.Errorf(ruledef.CodeConfig, "%w", missing(n.typ, err))
	}
	if err := e.checkConf(n, c.Props); err != nil {
		return ruledef.Errorf(ruledef.CodeConfig, "connection %s: %w", c.ID, err)
	}
	if err := e.putConf(n, c.Props, nobody); err != nil {
		return err
	}
	e.freed()
	return nil
}
