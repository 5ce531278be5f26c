package encode

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"text/template"
	"text/template/parse"
	"time"
)

const (
	// maxTemplateBytes bounds a template's text: parsing nests as deep as it does.
	maxTemplateBytes = 256 << 10
	// maxOutputBytes bounds what a template may write for one message.
	maxOutputBytes = 16 << 20
	// maxRunTime bounds one run of a template; everything else waits meanwhile.
	maxRunTime = time.Second

	tickFunc = "__tick"
)

var (
	errTooLong  = fmt.Errorf("ran longer than %s", maxRunTime)
	errTooLarge = fmt.Errorf("wrote more than %d MB", maxOutputBytes>>20)
)

// Template is a text with {{...}} that is evaluated on the data of a message: a
// dataTemplate, or a dynamic property such as a topic. It has the functions of
// text/template and sprig, and json, base64 and prop; none of them reads the
// environment, files or the network.
//
// A run that takes longer than a second or writes more than 16 MB is an error: a
// call at the head of each loop and each named template looks at the clock. Runs
// of one Template go one after the other; it may be used from any goroutine.
type Template struct {
	prop     string // the property, for errors
	text     string
	settings settings
	parts    []part // see simpleParts

	mu    sync.Mutex // guards the following
	tmpl  *template.Template
	start time.Time
	ticks int
}

// compile parses the text of property prop. A simple text is only checked: the
// library's form of it (4 KB) is made when it is needed first.
func compile(prop, text string, s settings) (*Template, error) {
	if len(text) > maxTemplateBytes {
		return nil, fmt.Errorf("%s: %d bytes, at most %d are allowed", prop, len(text), maxTemplateBytes)
	}
	t := &Template{prop: prop, text: text, settings: s}
	trees, err := t.parse()
	if err != nil {
		return nil, err
	}
	if t.parts = simpleParts(trees[prop]); t.parts != nil {
		return t, nil
	}
	if err := t.build(trees); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Template) parse() (map[string]*parse.Tree, error) {
	trees, err := parse.Parse(t.prop, t.text, "{{", "}}", builtins, functions(), own)
	if err != nil {
		return nil, t.fault(err)
	}
	return trees, nil
}

// build makes the template that runs. Only the functions that the text calls go
// with it: all 200 are 40 KB, and every rule may have a template of its own.
func (t *Template) build(trees map[string]*parse.Tree) error {
	w := walker{used: template.FuncMap{tickFunc: t.tick, textFunc: functions()[textFunc]}, tick: tickNode(), text: textNode()}
	for _, tree := range trees {
		w.node(tree.Root)
		w.watch(tree.Root)
	}
	all := functions()
	for name := range w.used {
		if f, ok := all[name]; ok {
			w.used[name] = f
		}
	}
	if _, ok := w.used["prop"]; ok {
		w.used["prop"] = func(key string) string { return key } // what eKuiper answers for a property that is not set
	}
	tmpl := template.New(t.prop).Funcs(w.used)
	for name, tree := range trees {
		if _, err := tmpl.AddParseTree(name, tree); err != nil {
			return t.fault(err)
		}
	}
	t.tmpl = tmpl
	return nil
}

// walker collects the functions that a template calls, and sets the watching calls
// and those that make texts of numbers.
type walker struct {
	used template.FuncMap
	tick parse.Node
	text *parse.CommandNode
}

// watch puts a call of tick at the head of list.
func (w *walker) watch(list *parse.ListNode) {
	list.Nodes = append([]parse.Node{w.tick.Copy()}, list.Nodes...)
}

func (w *walker) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, c := range n.Nodes {
				w.node(c)
			}
		}
	case *parse.ActionNode:
		w.node(n.Pipe)
		if len(n.Pipe.Decl) == 0 { // else nothing is written
			n.Pipe.Cmds = append(n.Pipe.Cmds, w.text.Copy().(*parse.CommandNode))
		}
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				for _, a := range c.Args {
					w.node(a)
				}
			}
		}
	case *parse.ChainNode:
		w.node(n.Node)
	case *parse.IdentifierNode:
		if _, builtin := builtins[n.Ident]; !builtin && w.used[n.Ident] == nil {
			w.used[n.Ident] = own[n.Ident]
		}
	case *parse.TemplateNode:
		w.node(n.Pipe)
	case *parse.IfNode:
		w.branch(&n.BranchNode)
	case *parse.WithNode:
		w.branch(&n.BranchNode)
	case *parse.RangeNode:
		w.branch(&n.BranchNode)
		w.watch(n.List)
	}
}

func (w *walker) branch(b *parse.BranchNode) {
	w.node(b.Pipe)
	w.node(b.List)
	w.node(b.ElseList)
}

// tickNode returns {{__tick}} as a node.
func tickNode() parse.Node {
	trees, err := parse.Parse(tickFunc, "{{"+tickFunc+"}}", "{{", "}}", own)
	if err != nil {
		panic("bug: " + err.Error())
	}
	return trees[tickFunc].Root.Nodes[0]
}

// tick is called at the head of loops and named templates.
func (t *Template) tick() (string, error) {
	if t.ticks++; t.ticks&0xff == 0 && time.Since(t.start) > maxRunTime {
		return "", errTooLong
	}
	return "", nil
}

// appendText appends the text for data to dst.
func (t *Template) appendText(dst []byte, data any) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.tmpl == nil {
		trees, err := t.parse()
		if err == nil {
			err = t.build(trees)
		}
		if err != nil {
			return dst, err
		}
	}
	t.start, t.ticks = time.Now(), 0
	out := output{buf: dst, limit: len(dst) + maxOutputBytes}
	if err := t.tmpl.Execute(&out, inInts(data)); err != nil {
		return dst, t.fault(err)
	}
	return out.buf, nil
}

// fault words an error of the template library for the user.
func (t *Template) fault(err error) error {
	for _, bound := range []error{errTooLong, errTooLarge} {
		if errors.Is(err, bound) {
			return fmt.Errorf("%s: %w", t.prop, bound)
		}
	}
	return errors.New(strings.TrimPrefix(err.Error(), "template: "))
}

// output takes what a template writes, up to limit bytes.
type output struct {
	buf   []byte
	limit int
}

// Write appends b.
func (o *output) Write(b []byte) (int, error) {
	if len(o.buf)+len(b) > o.limit {
		return 0, errTooLarge
	}
	o.buf = append(o.buf, b...)
	return len(b), nil
}
