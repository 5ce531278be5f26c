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
	stage
	def    *planner.TableTap
	named  *planner.TableTap // that names is of
	retain int64
	keyed  bool
	rows   []tableRow
	at     map[string]int // keyed: position in rows
	dead   int            // rows that were deleted and are not yet taken out
	log    []int32        // positions in rows that changed, oldest first
	logged uint64         // version before the changes of log
	taken  uint64         // rows and changes so far
	names  []string       // of the values of a row; "" is the whole row
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

func newTable(s stage, def *planner.TableTap) *table {
	t := &table{stage: s, retain: def.Retain, keyed: def.Key != planner.NoStep, logged: 1}
	if t.keyed {
		t.at = map[string]int{}
	}
	return t
}

// name finds what the values of a row are called. The columns are the same for
// every rule on the table.
func (t *table) name() {
	if t.named == t.def {
		return
	}
	t.named = t.def
	t.names = t.names[:0]
	for _, id := range t.def.Rows {
		name := ""
		if id != planner.NoStep {
			if path := t.in.prog.Steps[id].Node.Col.Path; len(path) > 0 {
				name = path[0]
			}
		}
		t.names = append(t.names, name)
	}
}

// feed notes the rows of m's batch, for the end of the batch: a join must see the
// table as it was when its own rows came.
func (t *table) feed(m *machine) {
	x := t.x
	t.name()
	for _, id := range t.def.Rows {
		m.col(id, nil)
	}
	var key, kind *vec.Column
	if t.keyed {
		key, kind = m.col(t.def.Key, nil), m.col(t.def.RowKind, nil)
	}
	t.taken += uint64(m.rows)
	for row := range m.rows {
		c := tableChange{table: t, order: x.origin(int32(row))}
		if t.keyed {
			b, ok := vec.AppendEqual(nil, key.Value(row))
			if !ok {
				t.fault("row of a lookup table without a key")
				continue
			}
			c.row.key = string(b)
			c.gone = kind.Value(row).S == "delete"
		}
		c.row.v = make([]vec.Value, len(t.def.Rows))
		for i, id := range t.def.Rows {
			c.row.v[i] = m.value(id, row).Clone()
		}
		x.joining.changes = append(x.joining.changes, c)
	}
	slices.SortStableFunc(x.joining.changes, func(a, b tableChange) int { return int(a.order - b.order) })
}

func (t *table) apply(c tableChange) {
	i, known := t.at[c.row.key]
	switch {
	case !t.keyed:
		t.add(c.row)
		if t.retain > 0 && int64(len(t.rows)-t.dead) > t.retain {
			t.remove(t.dead) // the oldest
		}
	case c.gone && known:
		delete(t.at, c.row.key)
		t.remove(i)
	case c.gone:
	case known:
		t.rows[i] = c.row
		t.changed(i)
	default:
		t.at[c.row.key] = len(t.rows)
		t.add(c.row)
	}
}

func (t *table) add(r tableRow) {
	t.rows = append(t.rows, r)
	t.changed(len(t.rows) - 1)
}

// minDead is the number of deleted rows that are not worth taking out.
const minDead = 64

func (t *table) remove(i int) {
	t.rows[i] = tableRow{}
	t.changed(i)
	t.dead++
	if t.dead < minDead || t.dead <= len(t.rows)/2 {
		return
	}
	t.rows = slices.DeleteFunc(t.rows, func(r tableRow) bool { return r.v == nil })
	t.dead = 0
	if t.keyed {
		for i := range t.rows {
			t.at[t.rows[i].key] = i
		}
	}
	t.forget()
}

// version is another after each change.
func (t *table) version() uint64 { return t.logged + uint64(len(t.log)) }

// changed notes that the row at i is another. What is older than a change of
// every row is not worth following.
func (t *table) changed(i int) {
	if len(t.log) > len(t.rows)+minDead {
		t.forget()
	}
	t.log = append(t.log, int32(i))
}

// forget drops the log: whoever followed it reads all rows.
func (t *table) forget() {
	t.logged = t.version() + 1
	t.log = t.log[:0]
}

// since returns the positions of rows that changed after version, in order.
// They are known only for late versions.
func (t *table) since(version uint64) (rows []int32, ok bool) {
	if version < t.logged {
		return nil, false
	}
	return t.log[version-t.logged:], true
}

// tableOf returns the table of a source; nil for a stream, and for a table that
// had no program yet.
func (x *Executor) tableOf(s *planner.JoinSource) *table {
	n := x.live(s.Num)
	if !s.Table || n == nil {
		return nil
	}
	if len(n.tables) == 0 {
		return nil
	}
	return n.tables[0]
}

// refresh makes s.rows what the table holds, position by position: rows that were
// deleted are gone.
func (s *joinSource) refresh(x *Executor, src int32) {
	if s.def.External {
		return
	}
	t := x.tableOf(s.def)
	if t == nil {
		s.rows, s.table, s.seen = s.rows[:0], nil, 0
		s.index.valid = false
		return
	}
	changed, ok := t.since(s.seen)
	if ok = ok && t == s.table; !ok {
		clear(s.rows)
		s.rows = s.rows[:0]
		s.index.valid = false
	}
	s.table, s.seen = t, t.version()
	for i := len(s.rows); i < len(t.rows); i++ {
		s.rows = append(s.rows, windowRow{})
		if !ok {
			s.show(i, src)
		}
	}
	for _, i := range changed {
		s.show(int(i), src)
	}
	if s.index.valid {
		s.index.follow(changed, len(s.rows))
	}
}

// show makes row i what the table holds there.
func (s *joinSource) show(i int, src int32) {
	k := &s.rows[i]
	if s.table.rows[i].v == nil {
		*k = windowRow{src: gone}
		return
	}
	k.src = src
	k.v = slices.Grow(k.v[:0], len(s.need))
	for _, c := range s.need {
		k.v = append(k.v, s.table.value(i, c))
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
