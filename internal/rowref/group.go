package rowref

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// grouped tells whether the rule sends groups, not rows. An aggregate elsewhere than
// in the SELECT list is over all rows of the window, for each of them.
func (r *Rule) grouped() bool {
	found := len(r.sel.GroupBy) > 0
	look := func(e sql.Expr) { found = found || r.aggregates(e) }
	for _, f := range r.sel.Fields {
		look(f.Expr)
	}
	return found
}

// fire sends what the open window gives.
func (r *Rule) fire() error {
	rows := r.win.rows()
	if len(r.srcs) > 0 {
		if rows = r.passing(r.join(rows)); len(rows) == 0 {
			return nil
		}
	}
	return r.emit(rows)
}

// emit sends what rows give, as one message.
func (r *Rule) emit(rows []timed) error {
	scopes := r.scopes(rows)
	empty := len(scopes) == 0
	kept := scopes[:0]
	for _, s := range scopes {
		s.calls = maps.Clone(s.calls)
		r.remember(s, r.aggCalls)
		ok, err := s.passes(r.late, r.sel.Having)
		if err != nil {
			r.lose(err)
		} else if ok {
			kept = append(kept, s)
		}
	}
	var err error
	if len(kept) == 0 && (!empty || r.grouped() || r.sel.Having != nil || len(r.late) > 0) {
		return nil
	}
	out := make([]map[string]any, len(kept))
	for i, s := range kept {
		if out[i], err = s.project(); err != nil {
			return err
		}
	}
	if out, err = r.sorted(kept, out); err != nil {
		return err
	}
	if r.sel.Distinct {
		out = distinct(out)
	}
	if o := r.sel.Offset; o != nil {
		out = out[min(int(*o), len(out)):]
	}
	if l := r.sel.Limit; l != nil {
		if *l == 0 {
			return nil
		}
		out = out[:min(int(*l), len(out))]
	}
	return r.send(out)
}

// distinct keeps the first of rows that are equal. A null and nothing are.
func distinct(rows []map[string]any) []map[string]any {
	seen := map[string]bool{}
	return slices.DeleteFunc(rows, func(row map[string]any) bool {
		var parts []any
		for _, k := range slices.Sorted(maps.Keys(row)) {
			if row[k] != nil {
				parts = append(parts, k, row[k])
			}
		}
		k := keyText(parts)
		again := seen[k]
		seen[k] = true
		return again
	})
}

// scopes returns the rows of a window, or its groups in order of their first
// rows. Aggregates without keys have one group even of nothing.
func (r *Rule) scopes(rows []timed) []*scope {
	w := &r.win
	over := func(k timed) *scope {
		return &scope{r: r, row: k.row, calls: k.calls, over: true, start: w.start(), ts: w.end}
	}
	var out []*scope
	if !r.grouped() {
		for _, k := range rows {
			s := over(k)
			s.group = rows
			out = append(out, s)
		}
		return out
	}
	byKey := map[string]*scope{}
	for _, k := range rows {
		rs := r.rowScope(k.record)
		keys, err := rs.list(r.sel.GroupBy...)
		if err != nil {
			r.lose(err)
			continue
		}
		text := keyText(keys)
		if byKey[text] == nil {
			byKey[text] = over(k)
			out = append(out, byKey[text])
		}
		byKey[text].group = append(byKey[text].group, k)
	}
	if len(out) == 0 && len(r.sel.GroupBy) == 0 {
		out = append(out, over(timed{}))
	}
	return out
}

func keyText(keys []any) string {
	var b strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&b, "%T %#v|", k, k)
	}
	return b.String()
}

// sorted sorts rows by the keys, null last, and keeps the order of equals.
func (r *Rule) sorted(scopes []*scope, rows []map[string]any) ([]map[string]any, error) {
	type item struct {
		keys []any
		row  map[string]any
	}
	items := make([]item, len(rows))
	for i, s := range scopes {
		items[i].row = rows[i]
		for _, o := range r.sel.OrderBy {
			v, err := s.eval(o.Expr)
			if err != nil {
				return nil, err
			}
			items[i].keys = append(items[i].keys, v)
		}
	}
	var bad error
	slices.SortStableFunc(items, func(a, b item) int {
		for i, o := range r.sel.OrderBy {
			c, err := orderOf(a.keys[i], b.keys[i], o.Desc)
			if err != nil {
				bad = err
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	out := make([]map[string]any, len(items))
	for i, x := range items {
		out[i] = x.row
	}
	return out, bad
}

func orderOf(a, b any, desc bool) (int, error) {
	switch {
	case a == nil && b == nil:
		return 0, nil
	case a == nil:
		return 1, nil
	case b == nil:
		return -1, nil
	}
	if p, ok := a.(bool); ok {
		if q, ok := b.(bool); ok {
			n := map[bool]int{true: 1}
			c := cmp.Compare(n[p], n[q])
			if desc {
				c = -c
			}
			return c, nil
		}
	}
	less, err := compare(sql.OpLt, a, b)
	if err != nil {
		return 0, err
	}
	more, err := compare(sql.OpGt, a, b)
	switch {
	case less != desc && (less || more):
		return -1, err
	case less || more:
		return 1, err
	}
	return 0, err
}

// aggregate computes an aggregate over the group; without a window over the row.
// Of no rows at all it is null.
func (s *scope) aggregate(e *sql.Call, f *fn.Func) (any, error) {
	rows := s.group
	if !s.over {
		rows = []timed{{record: record{ts: s.ts, row: s.row, calls: s.calls}}}
	}
	if len(rows) == 0 {
		return nil, nil
	}
	st := f.Agg.New()
	seen := map[string]bool{}
	for _, k := range rows {
		rs := s.r.rowScope(k.record)
		rs.inside = s.inside
		if e.Filter != nil {
			if ok, err := rs.holds(e.Filter); !ok || err != nil {
				continue
			}
		}
		var args []vec.Value
		for _, a := range e.Args {
			if _, star := a.(*sql.Star); star {
				if e.Name != "count" {
					args = append(args, vec.TreeValue(s.r.merged(k.row, "")))
				}
				continue
			}
			v, err := rs.eval(a)
			if err != nil {
				return nil, err
			}
			args = append(args, rawjson.FromAny(v))
		}
		if f.NeedsRow {
			args = append(args, vec.TreeValue(s.r.merged(k.row, "")))
		}
		if e.Distinct {
			text := fmt.Sprint(args)
			if seen[text] {
				continue
			}
			seen[text] = true
		}
		st.Add(args)
	}
	v, err := st.Result(&fn.Ctx{Location: time.UTC})
	return native(v), err
}
