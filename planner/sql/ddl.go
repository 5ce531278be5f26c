package sql

import (
	"strings"

	"github.com/weir-engine/weir/vec"
)

// manage reads SHOW, DESCRIBE, EXPLAIN or DROP, which is word.
func (p *parser) manage(word string) Statement {
	p.next()
	if word == "SHOW" {
		tables := p.isWord("TABLES")
		if !tables && !p.isWord("STREAMS") {
			p.expected("STREAMS or TABLES")
			return nil
		}
		p.next()
		p.finish("the end of the statement")
		return &Show{tables}
	}
	table, name, ok := p.object()
	if !ok {
		return nil
	}
	p.finish("the end of the statement")
	switch word {
	case "DESCRIBE":
		return &Describe{table, name}
	case "EXPLAIN":
		return &Explain{table, name}
	}
	return &Drop{table, name}
}

// object reads STREAM or TABLE and a name.
func (p *parser) object() (table bool, name string, ok bool) {
	table = p.isWord("TABLE")
	if !table && !p.isWord("STREAM") {
		p.expected("STREAM or TABLE")
		return false, "", false
	}
	p.next()
	name, ok = p.name("name of the " + map[bool]string{false: "stream", true: "table"}[table])
	return table, name, ok
}

// create reads CREATE STREAM or CREATE TABLE.
func (p *parser) create() *Create {
	p.next()
	c := &Create{Text: p.text}
	var ok bool
	if c.Table, c.Name, ok = p.object(); !ok {
		return nil
	}
	if p.kind() != tLParen {
		p.expected(`"(" and the fields, or "()"`)
		return nil
	}
	if c.Fields, ok = p.columns(); !ok {
		p.toWith()
	}
	if !p.acceptWord("WITH") {
		p.expected("WITH and the options")
		return nil
	}
	if p.options(c) {
		p.finish("the end of the statement")
	}
	return c
}

// toWith goes to WITH (, where reading can go on after a fault in the fields.
func (p *parser) toWith() {
	for p.kind() != tEOF && !(p.isWord("WITH") && p.ahead(1).kind == tLParen) {
		p.next()
	}
}

// columns reads the fields of a stream, or of a STRUCT, in parentheses. A comma
// behind the last one is allowed.
func (p *parser) columns() ([]vec.Field, bool) {
	p.next()
	var fields []vec.Field
	seen := map[string]bool{}
	for p.kind() != tRParen {
		t := p.tok()
		f, ok := p.column()
		if !ok {
			return nil, false
		}
		if seen[f.Name] {
			p.faults.add(t.pos(), "found a second field %s", clip(f.Name))
		}
		seen[f.Name] = true
		fields = append(fields, f)
		if !p.accept(tComma) {
			break
		}
	}
	return fields, p.want(tRParen, `"," or ")"`)
}

func (p *parser) column() (f vec.Field, ok bool) {
	if f.Name, ok = p.columnName(`name of a field or ")"`); !ok {
		return f, false
	}
	t := p.tok()
	if f.Type, ok = p.columnType(); !ok {
		return f, false
	}
	if p.kw() != kDefault {
		return f, true
	}
	switch f.Type.Kind {
	case vec.Int64, vec.Float64, vec.String, vec.Bool:
	default:
		p.expected("no DEFAULT for the type " + strings.ToUpper(p.src(t)))
		return f, false
	}
	p.next()
	f.Default, ok = p.defaultValue(f.Type.Kind)
	return f, ok
}

// columnType reads a type of any depth.
func (p *parser) columnType() (vec.Type, bool) {
	if !p.enter() {
		return vec.Type{}, false
	}
	defer p.leave()
	const types = "BIGINT, FLOAT, STRING, DATETIME, BOOLEAN, BYTEA, ARRAY(type) or STRUCT(fields)"
	t := vec.Type{}
	switch p.word() {
	case "ARRAY":
		p.next()
		if !p.want(tLParen, `"(" and the type of the elements`) {
			return t, false
		}
		elem, ok := p.columnType()
		t.Kind, t.Elem = vec.JSON, &elem
		return t, ok && p.want(tRParen, `")"`)
	case "STRUCT":
		p.next()
		if p.kind() != tLParen {
			p.expected(`"(" and the fields of the struct`)
			return t, false
		}
		var ok bool
		t.Kind = vec.JSON
		t.Fields, ok = p.columns()
		return t, ok
	default:
		var ok bool
		t.Kind, ok = p.simpleType("type: " + types)
		return t, ok
	}
}

// defaultValue reads the constant behind DEFAULT, which must be of kind k.
func (p *parser) defaultValue(k vec.Kind) (*vec.Value, bool) {
	negative := k.Numeric() && p.accept(tMinus)
	t := p.tok()
	var v vec.Value
	ok := true
	switch {
	case t.kind == tNumber && k.Numeric():
		p.next()
		v, ok = p.number(t, negative)
		if ok && k == vec.Float64 && v.Kind == vec.Int64 {
			v = vec.ExactValue(v.I)
		}
	case t.kind == tString && k == vec.String:
		p.next()
		var s string
		s, ok = p.unquote(t)
		v = vec.StringValue(s)
	case (t.kw == kTrue || t.kw == kFalse) && k == vec.Bool:
		p.next()
		v = vec.BoolValue(t.kw == kTrue)
	}
	if ok && v.Kind != k {
		p.expectedAt(t, "a constant of type "+k.String())
		return nil, false
	}
	return &v, ok
}
