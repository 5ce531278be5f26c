package engine

import (
	"fmt"
	"slices"

	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/planner/ruledef"
)

// A server lets a client in once. Two connections under one name with different
// settings would put each other out for ever, so the second is not made: a rule that
// wants it is refused when it is created, or stops by an error until the name is free.
// That such things are defined is said in the answer to who defines the second.

// claimLocked refuses a rule whose connections cannot be made beside those that are
// there, or beside each other.
func (e *Engine) claimLocked(c *compiled) error {
	e.mu.AssertRHeld()
	own := claims{}
	for _, name := range c.streams {
		s := c.inline[name]
		if s == nil {
			s = e.mu.streams[name]
		}
		given, err := e.propsLocked(s)
		t := e.types.sources[s.typ()]
		if err != nil || t.Free == nil || e.external(s) {
			continue
		}
		if err := t.Free(source.Def{Name: s.name, Props: given}); err != nil {
			return ruledef.Errorf(ruledef.CodeStream, "stream %s: %w", c.flow.Named(name), err)
		}
		own.add(&e.types, s.typ(), "stream "+name, given)
	}
	for _, p := range c.parts {
		for i := range p.actions {
			if err := p.actions[i].taken; err != nil {
				return ruledef.Errorf(ruledef.CodeExecutor, "sink %s: %w", p.actions[i].typ, err)
			}
		}
	}
	for i := range c.flow.Queries {
		for _, a := range c.flow.Queries[i].Actions {
			given, err := e.sinkPropsLocked(a)
			if err != nil {
				return err
			}
			if text := own.add(&e.types, a.Type, fmt.Sprintf("sink %d of type %s", a.Index, a.Type), given); text != "" {
				return ruledef.Errorf(ruledef.CodeExecutor, "sink %s: %s", a.Type, text)
			}
		}
	}
	return nil
}

// claims are the clients that something defines, by their names.
type claims map[string]claimed

type claimed struct{ settings, user string }

// add notes the client of properties; it returns a text if another one has its name
// with other settings.
func (c claims) add(t *types, typ, user string, given map[string]any) string {
	if !hasClient(given) || t.sources[typ].Client == nil {
		return ""
	}
	name, settings := t.sources[typ].Client(given)
	if name == "" {
		return ""
	}
	switch old, ok := c[name]; {
	case !ok:
		c[name] = claimed{settings, user}
	case old.settings != settings:
		return fmt.Sprintf("%s is that of %s and of %s, with different settings: a server lets a client in once, so only one of them connects at a time", name, old.user, user)
	}
	return ""
}

// clientWarnings tells of other groups of settings, and of other streams, that define
// the client of given with other settings.
func (e *Engine) clientWarnings(typ, user string, given map[string]any) []string {
	if !hasClient(given) || e.types.sources[typ].Client == nil {
		return nil
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	var out []string
	other := func(name string, has map[string]any) {
		c := claims{}
		c.add(&e.types, typ, user, given)
		if text := c.add(&e.types, typ, name, has); text != "" && name != user {
			out = append(out, text)
		}
	}
	for n := range e.mu.confs {
		if n.typ == typ {
			other("settings "+n.id(), e.wholeLocked(n))
		}
	}
	for _, s := range e.mu.streams {
		if s.typ() != typ || !hasClient(s.def.Options.Extra) {
			continue // its group is looked at
		}
		if p, err := e.propsLocked(s); err == nil {
			other("stream "+s.name, p)
		}
	}
	slices.Sort(out)
	return out
}

func hasClient(given map[string]any) bool {
	id, _ := props.Get(given, "clientid")
	return id != nil
}

// wholeLocked returns a group of settings as a stream has it that names it.
func (e *Engine) wholeLocked(n confName) map[string]any {
	e.mu.AssertRHeld()
	if n.kind != "sources" {
		return e.confLocked(n)
	}
	return e.overDefaultLocked(n, e.confLocked(n))
}

// overDefaultLocked returns what a group of settings of sources says as a stream has it.
func (e *Engine) overDefaultLocked(n confName, given map[string]any) map[string]any {
	return e.withServer(n.typ, props.Merge(e.confLocked(confName{"sources", n.typ, "default"}), given))
}

// groupClientWarnings is clientWarnings for a group of settings that is to be.
func (e *Engine) groupClientWarnings(n confName, given map[string]any) []string {
	if !hasClient(given) {
		return nil
	}
	if n.kind == "sources" {
		e.mu.RLock()
		given = e.overDefaultLocked(n, given)
		e.mu.RUnlock()
	}
	return e.clientWarnings(n.typ, "settings "+n.id(), given)
}

// streamClientWarnings is clientWarnings for a stream that has a client of its own.
func (e *Engine) streamClientWarnings(s *stream) []string {
	if !hasClient(s.def.Options.Extra) {
		return nil // its group was looked at when it was defined
	}
	e.mu.RLock()
	given, err := e.propsLocked(s)
	e.mu.RUnlock()
	if err != nil {
		return nil // it is refused, or waits
	}
	return e.clientWarnings(s.typ(), "stream "+s.name, given)
}
