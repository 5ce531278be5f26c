package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-engine/weir/planner/ruledef"
)

// maxWarnings bounds the warnings in an answer about many definitions.
const maxWarnings = 100

// warned adds a line for each warning to a text, whose first line is eKuiper's.
func warned(text string, warnings []string) string {
	for _, w := range warnings {
		if text != "" {
			text += "\n"
		}
		text += "warning: " + w
	}
	return text
}

// bulkWarning is what one rule of a bulk says in vain.
type bulkWarning struct {
	Index    int      `json:"index"`
	ID       string   `json:"id"`
	Warnings []string `json:"warnings"`
}

// importWarnings lists what the definitions of an import say in vain, those that
// cannot be read excepted.
func (s *Server) importWarnings(d Definitions) []string {
	var out []string
	add := func(kind, name string, list []string) {
		for _, text := range list {
			out = append(out, fmt.Sprintf("%s %q: %s", kind, name, text))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Streams)) {
		add("stream", name, s.engine.StreamWarnings(d.Streams[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(d.Tables)) {
		add("table", name, s.engine.StreamWarnings(d.Tables[name]))
	}
	for _, g := range []struct {
		kind ConfKind
		m    texts
	}{{ConfSources, d.SourceConfig}, {ConfSinks, d.SinkConfig}, {ConfConnections, d.ConnectionConfig}} {
		for _, typ := range slices.Sorted(maps.Keys(g.m)) {
			var groups map[string]map[string]any
			if json.Unmarshal([]byte(g.m[typ]), &groups) != nil {
				continue
			}
			for _, key := range slices.Sorted(maps.Keys(groups)) {
				add(strings.TrimSuffix(string(g.kind), "s")+" settings", typ+" "+key, s.engine.ConfWarnings(g.kind, typ, key, groups[key]))
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(d.Rules)) {
		if len(out) > maxWarnings {
			break
		}
		if def, err := ruledef.ParseFor(id, []byte(d.Rules[id]), *s.opts.RuleDefaults); err == nil {
			add("rule", id, s.engine.RuleWarnings(def))
		}
	}
	if len(out) > maxWarnings {
		out = append(out[:maxWarnings], "there are more: the status of each rule has its own")
	}
	return out
}

// statusWarnings returns what a stored rule says in vain.
func (s *Server) statusWarnings(id string) []string {
	text, err := s.engine.RuleText(id)
	if err != nil {
		return nil
	}
	def, err := ruledef.ParseFor(id, text, *s.opts.RuleDefaults)
	if err != nil {
		return nil
	}
	return s.engine.RuleWarnings(def)
}
