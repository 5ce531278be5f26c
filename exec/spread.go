package exec

import (
	"github.com/weir-engine/weir/exec/agg"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// spreader makes the rows of a SELECT list with unnest, extract or changed_cols:
// an object beside the other columns, or several.
type spreader struct {
	cols  []vec.Column
	star  vec.Column
	out   vec.Projection
	rows  []int32
	which []int32
	made  []map[string]any // the objects themselves, without the row's own columns
}

// cover takes field f back where the spread object has a member of its name: that
// is what is sent.
func (sp *spreader) cover(f *vec.OutField, sendNil bool) {
	for row, o := range sp.made {
		x, ok := o[f.Name]
		if !ok {
			continue
		}
		f.Col.Valid.Unset(row)
		f.Col.Present.Unset(row)
		if sendNil { // a field without a value would write null
			f.Col.Set(row, rawjson.FromAny(x))
		}
	}
}

// objects returns what the spread value of a row stands for: the objects of one
// row each. An element that is none is column as, or unnest.
func objects(f *planner.FuncSig, v vec.Value, as string) ([]map[string]any, error) {
	switch {
	case f.Kind == planner.FuncMultiCol:
		m, _ := rawjson.Tree(v).(map[string]any)
		return []map[string]any{m}, nil
	case f.Name == "extract":
		m, err := fn.Extract(v)
		return []map[string]any{m}, err
	case as == "":
		as = f.Name
	}
	list, err := fn.Unnest(v)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, len(list))
	for i, e := range list {
		if m, ok := e.(map[string]any); ok {
			out[i] = m
		} else {
			out[i] = map[string]any{as: e}
		}
	}
	return out, nil
}

// spread makes the projection of rows with their spread columns: sp.out, whose
// rows are all rows of it.
func (x *Executor) spread(m *machine, p *projection, rows []int32) error {
	sp := &x.sending.spreads
	f := p.plan.SpreadFunc
	sp.which = sp.which[:0]
	sp.made = sp.made[:0]
	var objs []map[string]any
	for _, r := range rows {
		list, err := objects(f, m.value(p.plan.Spread, int(r)), p.plan.SpreadAs)
		if err != nil {
			return err
		}
		for _, o := range list {
			sp.made = append(sp.made, o)
			if p.out.Star != nil {
				o = overlay(rawjson.Tree(p.out.Star.Value(int(r))), o)
			}
			objs = append(objs, o)
			sp.which = append(sp.which, r)
		}
	}
	if len(sp.cols) < len(p.out.Fields) {
		sp.cols = make([]vec.Column, len(p.out.Fields))
	}
	sp.out.Fields = append(sp.out.Fields[:0], p.out.Fields...)
	for i := range sp.out.Fields {
		sp.cols[i].Gather(p.out.Fields[i].Col, sp.which)
		sp.out.Fields[i].Col = &sp.cols[i]
		if f.Kind == planner.FuncSRF {
			sp.cover(&sp.out.Fields[i], p.out.SendNil)
		}
	}
	clear(sp.made)
	sp.star.Reset(len(objs))
	sp.rows = sp.rows[:0]
	for i, o := range objs {
		sp.star.Set(i, vec.TreeValue(o))
		sp.rows = append(sp.rows, int32(i))
	}
	sp.out.Star, sp.out.Clean, sp.out.Except, sp.out.SendNil = &sp.star, nil, p.out.Except, p.out.SendNil
	sp.out.Gen = x.generation()
	return nil
}

// overlay returns the members of a and b, those of b over those of a.
func overlay(a any, b map[string]any) map[string]any {
	out := map[string]any{}
	if m, ok := a.(map[string]any); ok {
		for k, v := range m {
			out[k] = v
		}
	}
	for k, v := range b {
		out[k] = v
	}
	return out
}

// distinct keeps of rows the first of those that are equal in every field.
func distinct(p *vec.Projection, rows []int32) []int32 {
	seen := map[string]bool{}
	out := rows[:0]
	var key []byte
	for _, r := range rows {
		key = key[:0]
		for i := range p.Fields {
			key = agg.AppendKey(key, p.Fields[i].Col.Value(int(r)))
		}
		if p.Star != nil {
			key = agg.AppendKey(key, p.Star.Value(int(r)))
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			out = append(out, r)
		}
	}
	return out
}
