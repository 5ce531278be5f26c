package rowref

import (
	"slices"

	"github.com/weir-engine/weir/planner/sql"
)

// Table is the rows of a table: of a lookup table one for each value of Key, else the
// last Retain, 0 for all.
type Table struct {
	Key    string
	Retain int
	rows   []map[string]any
}

// Put has a row come to the table; gone takes the row of its key out of a lookup table.
func (t *Table) Put(row map[string]any, gone bool) {
	if t.Key == "" {
		t.rows = append(t.rows, row)
		if t.Retain > 0 && len(t.rows) > t.Retain {
			t.rows = t.rows[1:]
		}
		return
	}
	key := row[t.Key]
	if key == nil || isNested(key) {
		return // a row without a key
	}
	i := slices.IndexFunc(t.rows, func(old map[string]any) bool { return keyText([]any{old[t.Key]}) == keyText([]any{key}) })
	switch {
	case gone && i >= 0:
		t.rows = slices.Delete(slices.Clone(t.rows), i, i+1)
	case gone:
	case i >= 0:
		t.rows = slices.Clone(t.rows)
		t.rows[i] = row
	default:
		t.rows = append(t.rows, row)
	}
}

// source is what FROM or JOIN names.
type source struct {
	name, label string
	table       *Table // nil: a stream
}

// member is the key of a column of a source in a joined row.
func member(label, name string) string { return label + "\x00" + name }

// alone returns a row of a source as a joined row.
func (s *source) alone(row map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range row {
		out[member(s.label, k)] = v
	}
	return out
}

// pushJoined has a row come to the sources of the join that are called stream.
func (r *Rule) pushJoined(stream string, row map[string]any, now int64) {
	for i := range r.srcs {
		s := &r.srcs[i]
		if s.name != stream || s.table != nil {
			continue
		}
		rec := record{ts: now, row: s.alone(row)}
		if r.sel.Window != nil {
			if r.counts(rec) {
				r.intoWindow(rec, i)
			}
			continue
		}
		r.each(timed{record: rec, src: i})
	}
}

// each joins one row with tables. What it gives is a message: rows, or groups of them.
func (r *Rule) each(row timed) {
	joined := r.join([]timed{row})
	r.win.end = row.ts
	var err error
	switch {
	case r.overJoin:
		if joined = r.passing(joined); len(joined) > 0 {
			err = r.emit(joined)
		}
	case len(joined) == 1:
		err = r.sendRow(r.seen(joined[0].row, joined[0].ts))
	default:
		if joined = r.passing(joined); len(joined) > 0 {
			err = r.emit(joined)
		}
	}
	if err != nil {
		r.lose(err)
	}
}

// passing shows joined rows to the stateful calls and keeps those that WHERE lets in.
func (r *Rule) passing(rows []timed) []timed {
	var out []timed
	for _, k := range rows {
		k.record = r.seen(k.row, k.ts)
		s := r.rowScope(k.record)
		if ok, err := s.passes(r.early); err != nil {
			r.lose(err)
		} else if ok {
			out = append(out, k)
		}
	}
	return out
}

// join joins rows of the streams, and what the tables hold, from left to right.
func (r *Rule) join(rows []timed) []timed {
	of := make([][]timed, len(r.srcs))
	for i := range r.srcs {
		if t := r.srcs[i].table; t != nil {
			for _, row := range t.rows {
				of[i] = append(of[i], timed{record: record{row: r.srcs[i].alone(row)}, src: -1})
			}
		}
	}
	for _, k := range rows {
		of[k.src] = append(of[k.src], k)
	}
	left := of[0]
	for i, j := range r.sel.Joins {
		left = r.joinOne(left, of[i+1], j)
	}
	return left
}

// joinOne joins rows to those on the left.
func (r *Rule) joinOne(left, right []timed, j sql.Join) []timed {
	var out []timed
	on := conjuncts(j.On)
	hit := make([]bool, len(right))
	match := func(a, b timed) bool {
		s := r.rowScope(record{row: both(a.row, b.row)})
		s.columns = true
		for _, e := range on {
			if ok, err := s.holds(e); !ok || err != nil {
				return false
			}
		}
		return true
	}
	add := func(a, b timed) {
		k := timed{record: record{row: both(a.row, b.row), ts: a.ts}, src: a.src}
		if a.row == nil || a.src < 0 { // the time of a joined row is that of its first stream's
			k.ts, k.src = b.ts, b.src
		}
		out = append(out, k)
	}
	if j.Kind == sql.RightJoin {
		for _, b := range right {
			n := len(out)
			for _, a := range left {
				if match(a, b) {
					add(a, b)
				}
			}
			if len(out) == n {
				add(timed{}, b)
			}
		}
		return out
	}
	for _, a := range left {
		n := len(out)
		for i, b := range right {
			if match(a, b) {
				hit[i] = true
				add(a, b)
			}
		}
		if len(out) == n && (j.Kind == sql.LeftJoin || j.Kind == sql.FullJoin) {
			add(a, timed{})
		}
	}
	for i, b := range right {
		if j.Kind == sql.FullJoin && !hit[i] {
			add(timed{}, b)
		}
	}
	return out
}

func both(a, b map[string]any) map[string]any {
	out := map[string]any{}
	for _, m := range []map[string]any{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

// column looks a column up: that of a source, or of the first source that has it.
func (r *Rule) column(row map[string]any, stream, name string) (v any, ok bool) {
	if len(r.srcs) == 0 {
		v, ok = row[name]
		return v, ok
	}
	at := slices.IndexFunc(r.srcs, func(s source) bool { return s.label == stream })
	if at < 0 {
		at = slices.IndexFunc(r.srcs, func(s source) bool { return s.name == stream })
	}
	for i, s := range r.srcs {
		if stream != "" && i != at {
			continue
		}
		if v, ok = row[member(s.label, name)]; ok {
			return v, true
		}
	}
	return nil, false
}

// merged returns the row that * stands for, or that of one source. Of columns that are
// called alike the one of the first source is taken.
func (r *Rule) merged(row map[string]any, stream string) map[string]any {
	if len(r.srcs) == 0 {
		return row
	}
	out := map[string]any{}
	for _, s := range r.srcs {
		if stream != "" && stream != s.label && stream != s.name {
			continue
		}
		for k, v := range row {
			if len(k) > len(s.label) && k[:len(s.label)+1] == member(s.label, "") {
				if _, known := out[k[len(s.label)+1:]]; !known {
					out[k[len(s.label)+1:]] = v
				}
			}
		}
	}
	return out
}
