package exec

import (
	"slices"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// table keeps rows of a table for the joins that read it: the last ones, all, or
// of a lookup table one for each key. A rule that comes later finds them too.
type table struct {
	idle
	def     *planner.Window
	retain  int
	keyed   bool
	rows    []tableRow
	at      map[string]int // keyed: position in rows
	dead    int            // rows that were deleted and are not yet taken out
	version uint64         // changes with rows
	in      uint64         // rows and changes so far
	names   []string       // of the values of a row; "" is the whole row
}

// tableRow is a row of a table; nil values: it was deleted.
type tableRow struct {
	key string
	v   []vec.Value
}

// tableChange is a change that waits for the end of the batch.
type tableChange struct {
	table *table
	order int32
	gone  bool
	row   tableRow
}

func newTable(def *planner.Window) *table {
	t := &table{retain: int(def.Spec.Length), keyed: len(def.Keys) > 0, version: 1}
	if t.keyed {
		t.at = map[string]int{}
	}
	return t
}

// name finds what the values of a row are called. The columns are the same for
// every rule on the table.
func (t *table) name(w *window) {
	if t.def == w.def {
		return
	}
	t.def = w.def
	t.names = t.names[:0]
	for _, id := range w.def.Rows {
		name := ""
		if id != planner.NoStep {
			if path := w.in.prog.Steps[id].Node.Col.Path; len(path) > 0 {
				name = path[0]
			}
		}
		t.names = append(t.names, name)
	}
}

func (t *table) feed(x *Executor, w *window, m *machine, rows []int32) {
	t.name(w)
	for _, id := range w.def.Rows {
		m.col(id, nil)
	}
	var key, kind *vec.Column
	if t.keyed {
		key, kind = m.col(w.def.Keys[0], nil), m.col(w.def.When, nil)
	}
	t.in += uint64(len(rows))
	for _, row := range rows {
		c := tableChange{table: t, order: x.place(row)}
		if t.keyed {
			b, ok := vec.AppendEqual(nil, key.Value(int(row)))
			if !ok {
				x.faultJoined(w, "row of a lookup table without a key")
				continue
			}
			c.row.key = string(b)
			c.gone = kind.Value(int(row)).S == "delete"
		}
		c.row.v = make([]vec.Value, len(w.def.Rows))
		for i, id := range w.def.Rows {
			c.row.v[i] = m.value(id, int(row)).Clone()
		}
		x.changes = append(x.changes, c)
	}
	slices.SortStableFunc(x.changes, func(a, b tableChange) int { return int(a.order - b.order) })
}

func (t *table) apply(c tableChange) {
	t.version++
	if !t.keyed {
		t.rows = append(t.rows, c.row)
		if n := len(t.rows) - t.retain; t.retain > 0 && n > 0 {
			t.rows = slices.Delete(t.rows, 0, n)
		}
		return
	}
	i, known := t.at[c.row.key]
	switch {
	case c.gone && known:
		delete(t.at, c.row.key)
		t.rows[i] = tableRow{}
		if t.dead++; t.dead > len(t.rows)/2 {
			t.compact()
		}
	case c.gone:
	case known:
		t.rows[i] = c.row
	default:
		t.at[c.row.key] = len(t.rows)
		t.rows = append(t.rows, c.row)
	}
}

// compact takes deleted rows out.
func (t *table) compact() {
	t.rows = slices.DeleteFunc(t.rows, func(r tableRow) bool { return r.v == nil })
	t.dead = 0
	for i := range t.rows {
		t.at[t.rows[i].key] = i
	}
}

// tableOf returns the table of a source; nil for a stream, and for a table that
// had no program yet.
func (x *Executor) tableOf(s *planner.JoinSource) *table {
	n := x.node(s.Num)
	if !s.Table || n == nil {
		return nil
	}
	for _, w := range n.windows {
		if t, ok := w.kind.(*table); ok {
			return t
		}
	}
	return nil
}

// refresh makes s.rows what the table holds.
func (s *joinSource) refresh(x *Executor, src int32) {
	if s.def.External {
		return
	}
	t := x.tableOf(s.def)
	switch {
	case t == nil:
		s.rows, s.table, s.seen = s.rows[:0], nil, 0
		s.index.valid = false
		return
	case t == s.table && t.version == s.seen:
		return
	}
	s.table, s.seen = t, t.version
	s.index.valid = false
	clear(s.rows)
	s.rows = s.rows[:0]
	for i := range t.rows {
		if t.rows[i].v == nil {
			continue
		}
		k := kept{src: src, v: make([]vec.Value, len(s.need))}
		for p, c := range s.need {
			k.v[p] = t.value(i, c)
		}
		s.rows = append(s.rows, k)
	}
}

// value returns what c means of row i.
func (t *table) value(i int, c vec.ColumnSpec) vec.Value {
	if c.Meta {
		return vec.Value{}
	}
	for k, name := range t.names {
		switch {
		case name == "":
			return dig(t.rows[i].v[k], c.Path)
		case len(c.Path) > 0 && name == c.Path[0]:
			return dig(t.rows[i].v[k], c.Path[1:])
		}
	}
	return vec.Value{}
}

// dig follows path into v; what is not there is missing.
func dig(v vec.Value, path []string) vec.Value {
	for _, key := range path {
		if v.Kind != vec.JSON {
			return vec.Value{}
		}
		if m, ok := v.X.(map[string]any); ok {
			e, has := m[key]
			if !has {
				return vec.Value{}
			}
			v = rawjson.FromAny(e)
			continue
		}
		raw, ok := rawjson.Get([]byte(v.S), key)
		if !ok || v.X != nil {
			return vec.Value{}
		}
		v = rawjson.Value(raw, v.Ints)
	}
	return v.Clone()
}
