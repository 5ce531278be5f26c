package model

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxDepth bounds the nesting of a model file; KubeEdge's resources have about
// ten levels.
const maxDepth = 64

// node is one value of a JSON or YAML document with its place in the file, so
// that both forms are read by the same code and errors can point into them.
type node struct {
	line, col int
	kind      nodeKind
	text      string // scalars
	fields    []field
	items     []*node
}

type nodeKind uint8

const (
	scalarNode nodeKind = iota
	nullNode
	mapNode
	listNode
)

type field struct {
	key string
	val *node
}

var nodeKindNames = [...]string{"a value", "null", "an object", "a list"}

func (k nodeKind) String() string { return nodeKindNames[k] }

// get returns the last field called key in any case, or nil; null counts as
// none.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for i := len(n.fields) - 1; i >= 0; i-- {
		if f := n.fields[i]; strings.EqualFold(f.key, key) {
			if f.val.kind == nullNode {
				return nil
			}
			return f.val
		}
	}
	return nil
}

// parseNodes returns the documents in data, which is JSON or YAML.
func parseNodes(data []byte) ([]*node, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch first := bytes.TrimLeft(data, " \t\r\n"); {
	case len(first) == 0:
		return nil, errors.New("1:1: file is empty")
	case first[0] == '{' || first[0] == '[':
		return parseJSON(data)
	}
	return parseYAML(data)
}

func parseJSON(data []byte) ([]*node, error) {
	r := &jsonReader{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	var docs []*node
	for {
		n, err := r.value(0)
		if err == io.EOF && len(docs) > 0 {
			return docs, nil
		}
		if err != nil {
			return nil, r.errorAt(err)
		}
		docs = append(docs, n)
	}
}

type jsonReader struct {
	data      []byte
	dec       *json.Decoder
	at        int64 // offset that line and col belong to
	line, col int
}

// position moves line and col on to offset.
func (r *jsonReader) position(offset int64) (line, col int) {
	if r.line == 0 {
		r.line, r.col = 1, 1
	}
	for ; r.at < min(offset, int64(len(r.data))); r.at++ {
		if r.data[r.at] == '\n' {
			r.line, r.col = r.line+1, 1
		} else {
			r.col++
		}
	}
	return r.line, r.col
}

func (r *jsonReader) errorAt(err error) error {
	offset := r.dec.InputOffset()
	if s := (*json.SyntaxError)(nil); errors.As(err, &s) {
		offset = max(s.Offset-1, 0)
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err == io.ErrUnexpectedEOF {
		err = errors.New("unexpected end of JSON")
		offset = int64(len(r.data))
	}
	r.at, r.line = 0, 0
	line, col := r.position(offset)
	return fmt.Errorf("%d:%d: %w", line, col, err)
}

// start is the offset of the token that ends at end, near enough: the first
// byte after blanks and separators.
func (r *jsonReader) start(from int64) int64 {
	for from < int64(len(r.data)) && strings.IndexByte(" \t\r\n,:", r.data[from]) >= 0 {
		from++
	}
	return from
}

func (r *jsonReader) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested more than %d levels", maxDepth)
	}
	from := r.start(r.dec.InputOffset())
	tok, err := r.dec.Token()
	if err != nil {
		return nil, err
	}
	n := new(node)
	n.line, n.col = r.position(from)
	switch x := tok.(type) {
	case json.Delim:
		return n, r.nested(n, x, depth)
	case string:
		n.text = x
	case nil:
		n.kind = nullNode
	default:
		n.text = fmt.Sprint(x)
	}
	return n, nil
}

func (r *jsonReader) nested(n *node, open json.Delim, depth int) error {
	n.kind = listNode
	if open == '{' {
		n.kind = mapNode
	}
	for r.dec.More() {
		var f field
		if open == '{' {
			tok, err := r.dec.Token()
			if err != nil {
				return err
			}
			f.key, _ = tok.(string)
		}
		val, err := r.value(depth + 1)
		if err != nil {
			return noEOF(err)
		}
		if f.val = val; open == '{' {
			n.fields = append(n.fields, f)
		} else {
			n.items = append(n.items, val)
		}
	}
	_, err := r.dec.Token()
	return noEOF(err)
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// parseYAML cuts data into documents itself: the library stops at an empty one.
// A line that begins with --- or ... is a separator wherever it stands.
func parseYAML(data []byte) ([]*node, error) {
	var docs []*node
	start, from := 0, 0 // lines before the document, its first byte
	for at, line := 0, 0; at < len(data); line++ {
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		text := data[at:end]
		switch {
		case isSeparator(text):
			n, err := parseDocument(data[from:at], start)
			if err != nil {
				return nil, err
			}
			docs = append(docs, n...)
			start, from = line, at+3
		case text[0] == '%': // a directive
			start, from = line+1, end
		}
		at = end
	}
	n, err := parseDocument(data[from:], start)
	if err != nil {
		return nil, err
	}
	if docs = append(docs, n...); len(docs) == 0 {
		return nil, errors.New("1:1: file is empty")
	}
	return docs, nil
}

func isSeparator(line []byte) bool {
	for _, sep := range [...]string{"---", "..."} {
		if rest, ok := bytes.CutPrefix(line, []byte(sep)); ok && (len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0) {
			return true
		}
	}
	return false
}

// parseDocument reads one document that begins behind so many lines of the
// file; it returns nothing for one of blanks and comments.
func parseDocument(data []byte, lines int) ([]*node, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, yamlError(err, lines)
	}
	var docs []*node
	for _, d := range file.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType {
			continue
		}
		r := yamlReader{lines: lines, anchors: map[string]*node{}}
		n, err := r.value(d.Body, 0)
		if err != nil {
			return nil, err
		}
		docs = append(docs, n)
	}
	return docs, nil
}

// yamlError keeps the first line of the library's error, "[line:col] text", and
// leaves out its drawing of the source.
func yamlError(err error, lines int) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	var line, col int
	if n, _ := fmt.Sscanf(text, "[%d:%d]", &line, &col); n == 2 {
		_, text, _ = strings.Cut(text, "] ")
		return fmt.Errorf("%d:%d: %s", line+lines, col, text)
	}
	return fmt.Errorf("%d:1: %s", lines+1, text)
}

type yamlReader struct {
	lines   int // lines of the file before the document
	anchors map[string]*node
}

func (r *yamlReader) value(a ast.Node, depth int) (*node, error) {
	n := new(node)
	if tok := a.GetToken(); tok != nil && tok.Position != nil {
		n.line, n.col = r.lines+tok.Position.Line, tok.Position.Column
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("%d:%d: nested more than %d levels", n.line, n.col, maxDepth)
	}
	switch x := a.(type) {
	case *ast.MappingNode:
		n.kind = mapNode
		for _, v := range x.Values {
			if err := r.field(n, v, depth); err != nil {
				return nil, err
			}
		}
	case *ast.MappingValueNode:
		n.kind = mapNode
		return n, r.field(n, x, depth)
	case *ast.SequenceNode:
		n.kind = listNode
		for _, v := range x.Values {
			item, err := r.value(v, depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
	case *ast.AnchorNode:
		v, err := r.value(x.Value, depth)
		if err == nil {
			r.anchors[x.Name.GetToken().Value] = v
		}
		return v, err
	case *ast.AliasNode:
		name := x.Value.GetToken().Value
		if v := r.anchors[name]; v != nil {
			return v, nil
		}
		return nil, fmt.Errorf("%d:%d: alias %q has no anchor", n.line, n.col, name)
	case *ast.TagNode:
		return r.value(x.Value, depth)
	case *ast.LiteralNode:
		n.text = x.Value.Value
	case *ast.NullNode, nil:
		n.kind = nullNode
	case *ast.StringNode:
		n.text = x.Value
	default:
		n.text = a.GetToken().Value
	}
	return n, nil
}

func (r *yamlReader) field(n *node, v *ast.MappingValueNode, depth int) error {
	val, err := r.value(v.Value, depth+1)
	if err != nil {
		return err
	}
	if v.Key.IsMergeKey() {
		n.fields = append(val.fields[:len(val.fields):len(val.fields)], n.fields...)
		return nil
	}
	key := v.Key.GetToken()
	if len(n.fields) == 0 && key.Position != nil {
		n.line, n.col = r.lines+key.Position.Line, key.Position.Column
	}
	n.fields = append(n.fields, field{key.Value, val})
	return nil
}
