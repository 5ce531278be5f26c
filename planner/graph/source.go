package graph

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/planner/sql"
)

// start reads the source nodes; the rows of each are the beginning of a way.
func (g *graph) start(f *Flow, ways map[port]*way) error {
	for _, name := range g.Topo.Sources {
		s, err := g.source(name, g.Nodes[name])
		if err != nil {
			return fmt.Errorf("node %q: %w", name, err)
		}
		label := s.Name
		if s.Create != nil {
			label = name
		}
		if slices.Contains(g.labels, label) {
			return fmt.Errorf("node %q: there is another source node for %q", name, label)
		}
		g.labels = append(g.labels, label)
		f.Sources = append(f.Sources, s)
		ways[port{name, 0}] = &way{g: g, sources: []waySource{{Source: s, label: label}}, out: []wayField{{star: &sql.Field{Star: true}}}}
	}
	return nil
}

// source reads a source node: the name of a stream or table, or the options of a
// stream of its own.
func (g *graph) source(name string, n *node) (Source, error) {
	var p struct{ SourceName, SourceType string }
	s := Source{Node: name, Type: n.NodeType}
	if err := n.read(&p); err != nil {
		return s, err
	}
	if strings.Contains(name+p.SourceName, "`") {
		return s, fmt.Errorf("a name must not have a backquote")
	}
	typ := strings.ToLower(p.SourceType)
	switch {
	case typ != "" && typ != "stream" && typ != "table":
		return s, fmt.Errorf("sourceType %q: want stream or table", p.SourceType)
	case p.SourceName != "":
		s.Name, s.Table = p.SourceName, typ == "table"
		return s, nil
	case typ == "table":
		return s, fmt.Errorf("sourceName is missing")
	case n.NodeType == "":
		return s, fmt.Errorf("nodeType is missing")
	}
	var err error
	s.Create, err = n.create(name)
	if s.Create != nil {
		s.Name = s.Create.Name
	}
	return s, err
}

// inlineOptions are the properties of a source node that are options of a stream,
// in small letters and without underscores.
var inlineOptions = map[string]string{
	"datasource": "DATASOURCE", "format": "FORMAT", "confkey": "CONF_KEY", "key": "KEY", "schemaid": "SCHEMAID",
	"strictvalidation": "STRICT_VALIDATION", "timestamp": "TIMESTAMP", "timestampformat": "TIMESTAMP_FORMAT",
	"shared": "SHARED", "delimiter": "DELIMITER", "extra": "EXTRA",
}

// create makes the definition of a stream from the properties of a source node.
// What is no option of a stream is left out, as eKuiper does. The name is made of
// the definition: rules with equal nodes have one stream.
func (n *node) create(node string) (*sql.Create, error) {
	props := map[string]any{}
	if err := n.read(&props); err != nil {
		return nil, err
	}
	opts := map[string]string{"TYPE": n.NodeType}
	for _, prop := range slices.Sorted(maps.Keys(props)) {
		opt := inlineOptions[strings.ToLower(strings.ReplaceAll(prop, "_", ""))]
		if opt == "" {
			continue
		}
		text, err := optionText(opt, props[prop])
		if err != nil {
			return nil, fmt.Errorf("props: %q must be %w", prop, err)
		}
		if text != "" {
			opts[opt] = text
		}
	}
	name, _ := props["schemaName"].(string)
	msg, _ := props["schemaMessage"].(string)
	if opts["SCHEMAID"] == "" && name != "" && msg != "" {
		opts["SCHEMAID"] = name + "." + msg
	}
	var list []string
	for _, k := range slices.Sorted(maps.Keys(opts)) {
		list = append(list, k+"="+strconv.Quote(opts[k]))
	}
	with := "() WITH (" + strings.Join(list, ", ") + ")"
	sum := sha256.Sum256([]byte(node + "\x00" + with))
	st, err := sql.Parse("CREATE STREAM `graph:" + hex.EncodeToString(sum[:8]) + "` " + with)
	if err != nil {
		return nil, fmt.Errorf("props: %w", err)
	}
	return st.(*sql.Create), nil
}

// optionText returns the value of a property as an option has it; the error says
// what it should be.
func optionText(opt string, v any) (string, error) {
	switch x := v.(type) {
	case nil:
		return "", nil
	case string:
		if opt != "SHARED" && opt != "STRICT_VALIDATION" {
			return x, nil
		}
	case bool:
		if opt == "SHARED" || opt == "STRICT_VALIDATION" {
			return strconv.FormatBool(x), nil
		}
	case map[string]any:
		if opt == "EXTRA" {
			text, err := json.Marshal(x)
			return string(text), err
		}
	}
	switch opt {
	case "SHARED", "STRICT_VALIDATION":
		return "", fmt.Errorf("true or false")
	case "EXTRA":
		return "", fmt.Errorf("an object, or the text of one")
	}
	return "", fmt.Errorf("a text")
}
