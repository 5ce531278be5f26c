package engine

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/planner/graph"
	"github.com/weir-engine/weir/planner/ruledef"
)

// sinkPropsLocked returns an action's properties over the group that it names, over
// the connection that one of the two names.
func (e *Engine) sinkPropsLocked(a ruledef.Action) (map[string]any, error) {
	given, _, err := e.sinkGroupsLocked(a)
	return given, err
}

// sinkGroupsLocked is sinkPropsLocked, and tells from which groups, there or not, they
// come beside the action's own.
func (e *Engine) sinkGroupsLocked(a ruledef.Action) (given map[string]any, from []confName, err error) {
	e.mu.AssertRHeld()
	given = a.Props
	for _, ref := range []struct{ prop, kind string }{{"resourceId", "sinks"}, {"connectionSelector", "connections"}} {
		v, _ := props.Get(given, ref.prop)
		key, ok := v.(string)
		if !ok || key == "" {
			continue
		}
		n := confName{ref.kind, a.Type, strings.ToLower(key)}
		from = append(from, n)
		group := e.confLocked(n)
		if group == nil {
			return nil, from, fmt.Errorf("sink %s: %s %s does not exist", a.Type, ref.prop, key)
		}
		given = props.Merge(group, given)
	}
	if e.types.sources[a.Type].Named && !namesServer(given) {
		n := confName{"sources", a.Type, "default"}
		from = append(from, n)
		given = props.Merge(serverIn(e.confLocked(n)), given)
	}
	return e.withServer(a.Type, given), from, nil
}

// withServer has what names no server connect to that of this process. What belongs to
// it comes as a whole: its password, and a certificate that nobody checks, are for no
// other server.
func (e *Engine) withServer(typ string, given map[string]any) map[string]any {
	own := e.opt.Servers[typ]
	if own == nil || namesServer(given) {
		return given
	}
	return props.Merge(own, given)
}

// namesServer tells whether properties say where to connect.
func namesServer(given map[string]any) bool {
	for _, name := range []string{"server", "servers"} {
		if v, _ := props.Get(given, name); v != nil {
			return true
		}
	}
	return false
}

// serverIn returns what a sink that shares its connections with sources and says nothing
// of its server takes from the sources' default group: what is needed to connect there,
// not what belongs to a client.
func serverIn(group map[string]any) map[string]any {
	out := map[string]any{}
	for name, v := range group {
		if slices.ContainsFunc(ofServer, func(of string) bool { return strings.EqualFold(of, name) }) {
			out[name] = v
		}
	}
	return out
}

// ofServer are the properties of a connection that are those of its server.
var ofServer = []string{
	"server", "servers", "username", "password", "protocolVersion", "certificationPath", "privateKeyPath", "rootCaPath",
	"certificationRaw", "privateKeyRaw", "rootCARaw", "insecureSkipVerify", "tlsMinVersion",
}

// sendersAfter lists the rules with a sink that a change of a group to given concerns.
func (e *Engine) sendersAfter(n confName, given map[string]any) []string {
	if n.kind == "sources" {
		e.mu.RLock()
		old := e.confLocked(n)
		e.mu.RUnlock()
		if equalProps(serverIn(old), serverIn(given)) {
			return nil
		}
	}
	return e.senders(n)[n]
}

// senders lists, for groups of settings, the rules with a sink that takes something from
// them.
func (e *Engine) senders(names ...confName) map[confName][]string {
	out := map[confName][]string{}
	for _, id := range e.maybeSenders(names) {
		text, err := e.RuleText(id)
		if err != nil || !mayName(text, names) {
			continue // most have none, and are not parsed
		}
		def, err := ruledef.ParseFor(id, text, e.opt.Rules)
		if err != nil {
			continue
		}
		flow, err := graph.Compile(def, fn.Set{})
		if err != nil {
			continue
		}
		e.mu.RLock()
		var used []confName
		for _, q := range flow.Queries {
			for _, a := range q.Actions {
				_, from, _ := e.sinkGroupsLocked(a)
				used = append(used, from...)
			}
		}
		e.mu.RUnlock()
		for _, n := range names {
			if slices.Contains(used, n) {
				out[n] = append(out[n], id)
			}
		}
	}
	return out
}

// maybeSenders lists the rules but for those of which is known that they have no sink of
// the types of groups.
func (e *Engine) maybeSenders(names []confName) (ids []string) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	typed := func(k sinkInfo) bool {
		return slices.ContainsFunc(names, func(n confName) bool { return n.typ == k.typ })
	}
	for id, r := range e.mu.rules {
		maybe := !r.running
		for _, p := range r.parts() {
			maybe = maybe || slices.ContainsFunc(p.sinks, typed)
		}
		if maybe {
			ids = append(ids, id)
		}
	}
	return ids
}

// mayName tells whether a rule with this text may have a sink that takes something from
// one of the groups: sinks take from the default group of sources without naming it.
func mayName(text []byte, names []confName) bool {
	text = bytes.ToLower(text)
	return slices.ContainsFunc(names, func(n confName) bool {
		switch n.kind {
		case "sources":
			return n.key == "default"
		case "sinks":
			return bytes.Contains(text, []byte("resourceid"))
		}
		return bytes.Contains(text, []byte("connectionselector")) || bytes.Contains(text, []byte("resourceid"))
	})
}
