package encode

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/template/parse"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// noValue is what text/template writes for a null or missing value.
const noValue = "<no value>"

// CompileDynamic parses a property of a sink, such as a topic, that may hold
// {{...}}. If it holds none, dynamic is false and the text stands for itself.
func CompileDynamic(s string, opts ...Option) (t *Template, dynamic bool, err error) {
	if !strings.Contains(s, "{{") {
		return nil, false, nil
	}
	t, err = compile("property", s, newSettings(opts))
	return t, err == nil, err
}

// errNoText is the error of a property that has no text for a message: it would
// be taken for one that was not given.
var errNoText = errors.New("the template gives an empty text")

// Eval returns the property for a message of rows: the data is their array, as in
// a dataTemplate without sendSingle. An empty text is an error.
func (t *Template) Eval(p *vec.Projection, rows []int32) (string, error) {
	if len(rows) > 0 {
		if out, ok := t.simple(p, int(rows[0]), true); ok {
			return t.given(out, nil)
		}
	}
	out, err := t.appendText(nil, rowTrees(p, rows, t.settings.loc))
	return t.given(string(out), err)
}

// EvalRow returns the property for a message of one row with sendSingle: the data
// is the row's object. An empty text is an error.
func (t *Template) EvalRow(p *vec.Projection, row int) (string, error) {
	if out, ok := t.simple(p, row, false); ok {
		return t.given(out, nil)
	}
	out, err := t.appendText(nil, rowTree(p, row, t.settings.loc))
	return t.given(string(out), err)
}

// given refuses an empty text.
func (t *Template) given(text string, err error) (string, error) {
	if text == "" && err == nil {
		err = fmt.Errorf("%s %q: %w", t.prop, t.text, errNoText)
	}
	return text, err
}

// part is a piece of a simple template: a text, or a field of the row.
type part struct {
	text  string
	field string
	first bool // the field of the first row of an array: (index . 0).field
}

// simpleParts returns the pieces of a template that has only text, {{.a}},
// {{(index . 0).a}} and {{index . 0 "a"}} in it, as topics and paths have; nil for
// any other. A simple template needs no tree of the row, which takes most of the
// time of a run.
func simpleParts(tree *parse.Tree) []part {
	var parts []part
	for _, n := range tree.Root.Nodes {
		switch n := n.(type) {
		case *parse.TextNode:
			parts = append(parts, part{text: string(n.Text)})
		case *parse.ActionNode:
			if len(n.Pipe.Decl) != 0 || len(n.Pipe.Cmds) != 1 {
				return nil
			}
			p, ok := simplePart(n.Pipe.Cmds[0])
			if !ok {
				return nil
			}
			parts = append(parts, p)
		default:
			return nil
		}
	}
	return parts
}

func simplePart(c *parse.CommandNode) (part, bool) {
	switch len(c.Args) {
	case 1:
		switch n := c.Args[0].(type) {
		case *parse.FieldNode:
			if len(n.Ident) == 1 {
				return part{field: n.Ident[0]}, true
			}
		case *parse.ChainNode:
			pipe, ok := n.Node.(*parse.PipeNode)
			if ok && len(n.Field) == 1 && len(pipe.Decl) == 0 && len(pipe.Cmds) == 1 && len(pipe.Cmds[0].Args) == 3 && indexesFirst(pipe.Cmds[0]) {
				return part{field: n.Field[0], first: true}, true
			}
		}
	case 4:
		if name, ok := c.Args[3].(*parse.StringNode); ok && indexesFirst(c) {
			return part{field: name.Text, first: true}, true
		}
	}
	return part{}, false
}

// indexesFirst tells whether c starts with: index . 0.
func indexesFirst(c *parse.CommandNode) bool {
	f, ok := c.Args[0].(*parse.IdentifierNode)
	if !ok || f.Ident != "index" || c.Args[1].Type() != parse.NodeDot {
		return false
	}
	n, ok := c.Args[2].(*parse.NumberNode)
	return ok && n.IsInt && n.Int64 == 0
}

// simple returns the text of the pieces for row, see appendSimple.
func (t *Template) simple(p *vec.Projection, row int, array bool) (text string, ok bool) {
	if t.parts == nil {
		return "", false
	}
	var mem [128]byte
	out, ok := t.appendSimple(mem[:0], p, row, array)
	return string(out), ok
}

// appendSimple appends the text of the pieces for row; array tells that the data
// is an array that starts with row. ok is false if the template library has to do
// it.
func (t *Template) appendSimple(dst []byte, p *vec.Projection, row int, array bool) (out []byte, ok bool) {
	if t.parts == nil {
		return dst, false
	}
	n := len(dst)
	for i := range t.parts {
		part := &t.parts[i]
		if part.field == "" {
			dst = append(dst, part.text...)
			continue
		}
		if part.first != array {
			return dst[:n], false
		}
		if dst, ok = appendPrinted(dst, p, row, part.field); !ok {
			return dst[:n], false
		}
	}
	return dst, true
}

// appendPrinted appends the field name of row as text/template prints it. ok is
// false for values that the template library has to print.
func appendPrinted(dst []byte, p *vec.Projection, row int, name string) (out []byte, ok bool) {
	c, _, s := find(p, row, name)
	var v vec.Value
	switch {
	case s == value:
		v = cellValue(c, row)
	case s == null || p.Star == nil:
		return append(dst, noValue...), true
	default:
		text, hasText := starText(p, row)
		if !hasText {
			return dst, false
		}
		for _, except := range p.Except {
			if except == name {
				return append(dst, noValue...), true
			}
		}
		raw, has := rawjson.Get(text, name)
		if !has {
			return append(dst, noValue...), true
		}
		v = rawjson.Value(raw, p.Star.Ints64)
	}
	switch v.Kind {
	case vec.Missing, vec.Null:
		return append(dst, noValue...), true
	case vec.String:
		return append(dst, v.S...), true
	case vec.Int64, vec.Float64:
		return vec.AppendNumber(dst, v), true
	case vec.Bool:
		return strconv.AppendBool(dst, v.I != 0), true
	}
	return dst, false
}
