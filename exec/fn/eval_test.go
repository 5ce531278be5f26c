package fn

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

const testNow = 1709209845123 // 2024-02-29T12:30:45.123Z

func newCtx() *Ctx {
	return &Ctx{
		Now: func() int64 { return testNow }, Rand: rand.New(rand.NewPCG(1, 2)), Location: time.UTC,
		HitCount: 2, HitTime: 3000, AggHits: 4, AggTime: 5000,
		EventTime: 6000,
		State:     func(key string) (vec.Value, bool) { return vec.StringValue("42"), key == "known" },
		Started:   77,
	}
}

// term is a parsed expression of a test: a literal, a column of the row, or a call.
type term struct {
	text    string
	literal *vec.Value
	column  string
	f       *Func
	args    []*term
	star    bool
}

type parser struct {
	s string
	i int
}

func parse(s string) (*term, error) {
	p := &parser{s: s}
	t, err := p.term()
	if err != nil {
		return nil, err
	}
	if p.blank(); p.i < len(s) {
		return nil, fmt.Errorf("parse %q: %q is left over", s, s[p.i:])
	}
	return t, nil
}

func (p *parser) blank() {
	for p.i < len(p.s) && p.s[p.i] == ' ' {
		p.i++
	}
}

func (p *parser) term() (*term, error) {
	p.blank()
	start := p.i
	if start == len(p.s) {
		return nil, fmt.Errorf("parse %q: nothing left", p.s)
	}
	var t *term
	var err error
	switch c := p.s[start]; {
	case c == '*':
		p.i++
		t = &term{star: true}
	case c == '"' || c == '[' || c == '{' || c == '-' || c >= '0' && c <= '9':
		t, err = p.json()
	default:
		t, err = p.name()
	}
	if t != nil {
		t.text = p.s[start:p.i]
	}
	return t, err
}

func (p *parser) json() (*term, error) {
	d := json.NewDecoder(strings.NewReader(p.s[p.i:]))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		return nil, fmt.Errorf("parse %q: %w", p.s[p.i:], err)
	}
	raw := p.s[p.i : p.i+int(d.InputOffset())]
	p.i += int(d.InputOffset())
	v := vec.JSONValue(raw)
	switch x := x.(type) {
	case string:
		v = vec.StringValue(x)
	case json.Number:
		if i, err := x.Int64(); err == nil {
			v = vec.IntValue(i)
		} else {
			f, _ := x.Float64()
			v = vec.FloatValue(f)
		}
	}
	return &term{literal: &v}, nil
}

func (p *parser) name() (*term, error) {
	start := p.i
	for p.i < len(p.s) && (p.s[p.i] == '_' || p.s[p.i] >= 'a' && p.s[p.i] <= 'z' || p.s[p.i] >= '0' && p.s[p.i] <= '9') {
		p.i++
	}
	name := p.s[start:p.i]
	switch name {
	case "":
		return nil, fmt.Errorf("parse %q: want a value at %q", p.s, p.s[start:])
	case "true", "false":
		v := vec.BoolValue(name == "true")
		return &term{literal: &v}, nil
	case "null":
		return &term{literal: &vec.NullValue}, nil
	case "missing":
		return &term{literal: new(vec.Value)}, nil
	}
	if p.i == len(p.s) || p.s[p.i] != '(' {
		return &term{column: name}, nil
	}
	t := new(term)
	if name != "col" && name != "time" && name != "bytes" {
		var ok bool
		if t.f, ok = Lookup(name); !ok {
			return nil, fmt.Errorf("function %s not found", name)
		}
	} else {
		t.column = name + "()"
	}
	p.i++
	for p.blank(); p.i < len(p.s) && p.s[p.i] != ')'; p.blank() {
		if len(t.args) > 0 {
			if p.s[p.i] != ',' {
				return nil, fmt.Errorf("parse %q: want a comma at %q", p.s, p.s[p.i:])
			}
			p.i++
		}
		a, err := p.term()
		if err != nil {
			return nil, err
		}
		t.args = append(t.args, a)
	}
	if p.i == len(p.s) {
		return nil, fmt.Errorf("parse %q: want a bracket", p.s)
	}
	p.i++
	return t, nil
}

// check is what the binder does: it refuses wrong counts and literals.
func (t *term) check() error {
	if t.f == nil {
		return nil
	}
	if n := len(t.args); n < t.f.MinArgs || t.f.MaxArgs >= 0 && n > t.f.MaxArgs {
		return fmt.Errorf("%d arguments", n)
	}
	facts := make([]planner.FuncArg, len(t.args))
	for i, a := range t.args {
		facts[i] = planner.FuncArg{Literal: a.literal, Star: a.star}
		if a.star && !t.f.AllowStar {
			return fmt.Errorf("%s does not take *", t.f.Name)
		}
		if err := a.check(); err != nil {
			return err
		}
	}
	if t.f.Check == nil {
		return nil
	}
	return t.f.Check(facts)
}

// values evaluates the arguments; * is the row.
func (t *term) values(c *Ctx, row map[string]vec.Value) ([]vec.Value, error) {
	var args []vec.Value
	for _, a := range t.args {
		if a.star && t.f != nil && t.f.Name == "count" {
			continue
		}
		v, err := a.eval(c, row)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	if t.f != nil && t.f.NeedsRow {
		args = append(args, row["*"])
	}
	return args, nil
}

func (t *term) eval(c *Ctx, row map[string]vec.Value) (vec.Value, error) {
	switch {
	case t.literal != nil:
		return *t.literal, nil
	case t.star:
		return row["*"], nil
	}
	args, err := t.values(c, row)
	if err != nil {
		return vec.Value{}, err
	}
	switch t.column {
	case "":
	case "col()":
		return args[0], nil
	case "time()":
		return vec.TimeValue(args[0].I), nil
	case "bytes()":
		return vec.BytesValue([]byte(args[0].S)), nil
	default:
		return row[t.column], nil
	}
	if t.f.Row == nil {
		return vec.Value{}, fmt.Errorf("%s is no function of a row", t.f.Name)
	}
	lits := make(Lits, len(t.args))
	for i, a := range t.args {
		lits[i] = a.literal
	}
	v, err := t.f.Call(c, args)
	bound, boundErr := t.f.Bind(lits).Row(c, args)
	if !t.f.Volatile && (fmt.Sprint(err) != fmt.Sprint(boundErr) || err == nil && display(v) != display(bound)) {
		return v, fmt.Errorf("%s: bound gives %s, %v, unbound %s, %v", t.text, display(bound), boundErr, display(v), err)
	}
	return v, err
}

// display writes a value so that its kind shows.
func display(v vec.Value) string {
	switch v.Kind {
	case vec.Missing, vec.Null:
		return "null"
	case vec.Float64:
		s := strconv.FormatFloat(v.F, 'g', -1, 64)
		if !strings.ContainsAny(s, ".eIN") {
			s += ".0"
		}
		return s
	case vec.String:
		return strconv.Quote(v.S)
	case vec.Bytes:
		return "bytes " + strconv.Quote(v.S)
	case vec.Timestamp:
		return "time " + v.Instant(time.UTC).Format(time.RFC3339Nano)
	case vec.JSON:
		b, err := json.Marshal(rawjson.Tree(v))
		if err != nil {
			return err.Error()
		}
		return string(b)
	}
	return Text(v)
}

func parseRow(t *testing.T, line string) map[string]vec.Value {
	t.Helper()
	e, err := parse(line)
	if err != nil {
		t.Fatal(err)
	}
	v, err := e.eval(newCtx(), nil)
	if err != nil {
		t.Fatal(err)
	}
	row := map[string]vec.Value{"*": v}
	m, ok := rawjson.Tree(v).(map[string]any)
	if !ok {
		row["x"] = v
		row["*"] = vec.TreeValue(map[string]any{"x": rawjson.Tree(v)})
	}
	for k, x := range m {
		row[k] = rawjson.FromAny(x)
	}
	return row
}
