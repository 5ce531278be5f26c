package planner

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/weir-engine/weir/vec"
)

// project interns the projection of r.
func (b *Builder) project(r *Bound) int32 {
	text := projectionText(r)
	if i, ok := b.projAt[text]; ok {
		b.projRefs[i]++
		return i
	}
	p := &Projection{Star: NoStep, Meta: NoStep, Spread: NoStep, Except: r.Except, SendNil: r.SendNil, Distinct: r.Distinct, Limit: r.Limit, Offset: r.Offset, Text: text}
	for _, f := range r.Fields {
		step := b.intern(f.Node)
		p.Fields = append(p.Fields, Field{Name: strings.Clone(f.Name), Key: jsonKey(f.Name), Step: step, Plain: f.Plain})
	}
	sort.SliceStable(p.Fields, func(i, j int) bool { return p.Fields[i].Name < p.Fields[j].Name })
	if r.Star != nil {
		p.Star = b.intern(r.Star)
	}
	if r.Meta != nil {
		p.Meta = b.intern(r.Meta)
	}
	if r.Spread != nil {
		p.Spread, p.SpreadFunc, p.SpreadAs = b.intern(r.Spread), r.SpreadFunc, strings.Clone(r.SpreadAs)
	}
	for _, o := range r.Order {
		p.Order = append(p.Order, Order{Step: b.intern(o.Node), Desc: o.Desc})
	}
	p.Numbered = b.numbered(r)
	var i int32
	if n := len(b.freeProj); n > 0 {
		i = b.freeProj[n-1]
		b.freeProj = b.freeProj[:n-1]
		b.prog.Projs[i], b.projRefs[i] = p, 1
	} else {
		i = int32(len(b.prog.Projs))
		b.prog.Projs = append(b.prog.Projs, p)
		b.projRefs = append(b.projRefs, 1)
	}
	b.projAt[text] = i
	return i
}

// numbered returns the steps of r's list that depend on row_number, those that
// are it first. They hold references of their own.
func (b *Builder) numbered(r *Bound) []StepID {
	var numbers, others []StepID
	seen := map[string]bool{}
	visit := func(n *Node) bool {
		if !n.nums || seen[n.Text] {
			return n.nums && !seen[n.Text]
		}
		seen[n.Text] = true
		if id := b.intern(n); n.Op == OpNumber {
			numbers = append(numbers, id)
		} else {
			others = append(others, id)
		}
		return true
	}
	for _, f := range r.Fields {
		f.Node.walk(visit)
	}
	for _, o := range r.Order {
		o.Node.walk(visit)
	}
	if r.Spread != nil {
		r.Spread.walk(visit)
	}
	return append(numbers, others...)
}

// jsonKey returns name as the key of a JSON object, with its colon.
func jsonKey(name string) []byte {
	k, err := json.Marshal(name)
	if err != nil {
		panic("bug: a string that JSON cannot hold: " + err.Error())
	}
	return append(k, ':')
}

func projectionText(r *Bound) string {
	var s strings.Builder
	if r.Star != nil {
		s.WriteString(r.Star.Text)
		if len(r.Except) > 0 {
			fmt.Fprintf(&s, " EXCEPT %q", r.Except)
		}
		s.WriteString(", ")
	}
	fields := slices.Clone(r.Fields) // their order in the list does not matter: see project
	sort.SliceStable(fields, func(i, j int) bool { return fields[i].Name < fields[j].Name })
	for _, f := range fields {
		s.WriteString(f.Node.Text + " AS " + quoteName(f.Name))
		if f.Plain {
			s.WriteString(" plain")
		}
		s.WriteString(", ")
	}
	if r.Spread != nil {
		s.WriteString(r.Spread.Text)
		if r.SpreadAs != "" {
			s.WriteString(" AS " + quoteName(r.SpreadAs))
		}
	}
	for _, o := range r.Order {
		fmt.Fprintf(&s, " ORDER BY %s %v", o.Node.Text, o.Desc)
	}
	if r.Limit >= 0 || r.Offset > 0 {
		fmt.Fprintf(&s, " LIMIT %d OFFSET %d", r.Limit, r.Offset)
	}
	if r.SendNil {
		s.WriteString(" nil")
	}
	if r.Distinct {
		s.WriteString(" distinct")
	}
	if r.Meta != nil {
		s.WriteString(" meta")
	}
	return s.String()
}

func (b *Builder) dropProj(i int32) {
	if b.projRefs[i]--; b.projRefs[i] > 0 {
		return
	}
	p := b.prog.Projs[i]
	delete(b.projAt, p.Text)
	b.prog.Projs[i] = nil
	b.freeProj = append(b.freeProj, i)
	for _, f := range p.Fields {
		b.release(f.Step)
	}
	for _, s := range p.Numbered {
		b.release(s)
	}
	for _, o := range p.Order {
		b.release(o.Step)
	}
	for _, s := range []StepID{p.Star, p.Meta, p.Spread} {
		if s != NoStep {
			b.release(s)
		}
	}
}

// safe tells whether what r sends cannot fail once the row was selected: it is
// undeclared columns, and the value by which the row was found.
func (r *Bound) safe() bool {
	if r.Spread != nil || len(r.Order) > 0 {
		return false
	}
	found := ""
	if len(r.Where) == 1 {
		if a := atomOf(r.Where[0]); a.equality() || a.comparison() {
			found = a.node.Text
		}
	}
	for _, f := range r.Fields {
		column := f.Node.Op == OpColumn && f.Node.Col.Type.Kind == vec.Missing
		if !column && f.Node.Text != found {
			return false
		}
	}
	return true
}
