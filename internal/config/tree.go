package config

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// node is a part of the settings before it is known what they should be, and
// where it came from: "line 3", "environment WEIR__X" or "flag --x".
type node struct {
	at   string
	keys []entry // of a mapping
	list []*node
	kind nodeKind

	value any  // of a scalar: string, bool, int64, uint64, float64
	text  bool // value is text without a type: from the environment or a flag
}

type entry struct {
	name string
	node *node
}

type nodeKind uint8

const (
	scalarNode nodeKind = iota
	mappingNode
	listNode
	nullNode
)

// child returns the entry called name, in any case.
func (n *node) child(name string) *node {
	for _, e := range n.keys {
		if strings.EqualFold(e.name, name) {
			return e.node
		}
	}
	return nil
}

// set puts a text at a path below n and makes the mappings on the way. A key that
// is there keeps its spelling.
func (n *node) set(path []string, at, text string) error {
	for i, name := range path {
		if n.kind == nullNode {
			n.kind = mappingNode
		}
		if n.kind != mappingNode {
			return fmt.Errorf("%s: %s is a value, not a section", at, strings.Join(path[:i], "."))
		}
		c := n.child(name)
		if c == nil {
			c = &node{kind: mappingNode, at: at}
			n.keys = append(n.keys, entry{name, c})
		}
		n = c
	}
	*n = node{at: at, kind: scalarNode, value: text, text: true}
	return nil
}

// what names the kind of n in errors.
func (n *node) what() string {
	switch n.kind {
	case mappingNode:
		return "a section"
	case listNode:
		return "a list"
	case nullNode:
		return "nothing"
	}
	if s, ok := n.value.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(n.value)
}

// parseTree reads YAML. A file of several documents is refused.
func parseTree(text []byte) (*node, error) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, syntaxFault(err)
	}
	root := &node{kind: mappingNode, at: "line 1"}
	for i, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if i > 0 {
			return nil, fmt.Errorf("%s: a second document begins here; settings are one", at(doc.Body.GetToken()))
		}
		if root, err = convert(doc.Body); err != nil {
			return nil, err
		}
	}
	if root.kind == nullNode { // only comments
		root.kind = mappingNode
	}
	if root.kind != mappingNode {
		return nil, fmt.Errorf("%s: want sections, not %s", root.at, root.what())
	}
	return root, nil
}

// syntaxFault words an error of the YAML parser in one line.
func syntaxFault(err error) error {
	var e interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if errors.As(err, &e) {
		return fmt.Errorf("%s: %s", at(e.GetToken()), e.GetMessage())
	}
	return err
}

// at is the place of a token.
func at(t *token.Token) string {
	if t == nil || t.Position == nil {
		return "line 1"
	}
	return fmt.Sprintf("line %d", t.Position.Line)
}

// convert makes a node of a part of the syntax tree.
func convert(n ast.Node) (*node, error) {
	r := &node{at: at(n.GetToken())}
	switch x := n.(type) {
	case *ast.MappingNode:
		r.kind = mappingNode
		for _, v := range x.Values {
			if err := r.addEntry(v); err != nil {
				return nil, err
			}
		}
	case *ast.MappingValueNode:
		r.kind = mappingNode
		return r, r.addEntry(x)
	case *ast.SequenceNode:
		r.kind = listNode
		for _, v := range x.Values {
			c, err := convert(v)
			if err != nil {
				return nil, err
			}
			r.list = append(r.list, c)
		}
	case *ast.NullNode:
		r.kind = nullNode
	case *ast.StringNode:
		r.value = x.Value
	case *ast.LiteralNode:
		r.value = x.Value.Value
	case *ast.IntegerNode:
		r.value = x.Value
	case *ast.FloatNode:
		r.value = x.Value
	case *ast.BoolNode:
		r.value = x.Value
	default:
		return nil, fmt.Errorf("%s: %q: anchors, aliases and tags are not read", r.at, n.GetToken().Value)
	}
	return r, nil
}

func (n *node) addEntry(v *ast.MappingValueNode) error {
	key, ok := v.Key.(ast.ScalarNode)
	if !ok || v.Key.IsMergeKey() {
		return fmt.Errorf("%s: a key must be plain text", at(v.Key.GetToken()))
	}
	c, err := convert(v.Value)
	if err != nil {
		return err
	}
	c.at = at(v.Key.GetToken())
	n.keys = append(n.keys, entry{fmt.Sprint(key.GetValue()), c})
	return nil
}
