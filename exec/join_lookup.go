package exec

import (
	"math"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// Lookup is a question to the store of an external lookup table: the rows for
// each of some keys.
type Lookup struct {
	Table  uint32   // number of the table
	Fields []string // columns that must be equal to the parts of a key
	Keys   []LookupKey

	in   *joiner
	job  *job
	step int
}

// LookupKey is a key, its parts in the order of Lookup.Fields. Whole numbers are
// Int64, whatever they were in the message; times are ms since 1970.
type LookupKey struct {
	Text   string // equal for keys that are equal
	Values []vec.Value
}

// LookupRows is what a store has for a key: rows as JSON objects, or why it could
// not be asked.
type LookupRows struct {
	Rows []vec.Value
	Err  error
}

// maxCached is the number of keys that are kept of one table.
const maxCached = 1 << 16

// lookupCache keeps answers of a store, by the text of their keys.
type lookupCache struct {
	entries map[string]cachedRows
}

type cachedRows struct {
	rows  *LookupRows
	until int64 // ms since 1970
}

// forever is when rows are out of date that never are.
const forever = math.MaxInt64

// cache returns the cache of the source of a join step, nil if it has none.
func (x *Executor) cache(s *planner.JoinSource, st *planner.JoinStep) *lookupCache {
	if !s.Cache.On {
		return nil
	}
	name := ""
	for _, f := range st.Keys {
		name += f + "\x00"
	}
	of := x.caches[s.Num]
	if of == nil {
		if x.caches == nil {
			x.caches = map[uint32]map[string]*lookupCache{}
		}
		of = map[string]*lookupCache{}
		x.caches[s.Num] = of
	}
	c := of[name]
	if c == nil {
		c = &lookupCache{entries: map[string]cachedRows{}}
		of[name] = c
	}
	return c
}

// get returns the rows of a key, nil if they are not known at now.
func (c *lookupCache) get(key []byte, now int64) *LookupRows {
	if c == nil {
		return nil
	}
	e, ok := c.entries[string(key)]
	if !ok || now >= e.until {
		return nil
	}
	return e.rows
}

// put keeps the rows of a key. A full cache loses what is out of date, then
// whatever comes to hand.
func (c *lookupCache) put(key string, rows *LookupRows, o planner.LookupCache, now int64) {
	if rows.Err != nil || len(rows.Rows) == 0 && !o.Missing {
		return
	}
	if _, known := c.entries[key]; !known && len(c.entries) >= maxCached {
		for k, e := range c.entries {
			if now >= e.until {
				delete(c.entries, k)
			}
		}
		for k := range c.entries {
			if len(c.entries) < maxCached {
				break
			}
			delete(c.entries, k)
		}
	}
	until := int64(forever)
	if o.TTLMs > 0 {
		until = now + o.TTLMs
	}
	c.entries[key] = cachedRows{rows, until}
}

// Found gives the answer to l, a LookupRows for each key, and runs what waited
// for it. now is the time of the call. An answer that nobody waits for any more
// is ignored.
func (x *Executor) Found(l *Lookup, found []LookupRows, now int64) Receipt {
	if !l.job.dropped {
		x.found(l, found, now)
	}
	return x.receipt(0)
}

func (x *Executor) found(l *Lookup, found []LookupRows, now int64) {
	b := l.job
	x.now = now
	j := l.in
	src := &j.srcs[l.step+1]
	c := x.cache(src.def, &j.plan.Steps[l.step])
	known := b.known(l.step)
	for i := range l.Keys {
		known[l.Keys[i].Text] = &found[i]
		src.in += uint64(len(found[i].Rows))
		if c != nil {
			c.put(l.Keys[i].Text, &found[i], src.def.Cache, now)
		}
	}
	b.asked = false
	defer x.guardProgram(j.num, j.n.prog, x.scratch.depth)
	if b != j.jobs[0] {
		j.probe(b)
	}
	j.work()
}

// lookUp is match for a source whose rows a store is asked for. What is not known
// of it is asked for; then match has no result.
func (j *joiner) lookUp(f *pairFilter) bool {
	b, src, x := j.job, &j.srcs[f.k+1], j.x
	known, c := b.known(f.k), x.cache(src.def, f.st)
	rows := make([]*LookupRows, f.t.n)
	var ask *Lookup
	var asked map[string]bool
	get := func(c, row int) vec.Value { return j.value(c, f.t, row) }
	j.keys(&f.st.Left, f.t.n, get, func(row int, key []byte, part func(int) vec.Value) {
		r := known[string(key)]
		if r == nil {
			if r = c.get(key, x.now); r != nil {
				known[string(key)] = r
			}
		}
		switch {
		case r == nil && ask == nil:
			ask = &Lookup{Table: src.def.Num, Fields: f.st.Keys, in: j, job: b, step: f.k}
			asked = map[string]bool{}
			fallthrough
		case r == nil:
			if k := string(key); !asked[k] {
				asked[k] = true
				ask.Keys = append(ask.Keys, LookupKey{k, keyParts(len(f.st.Left.Steps), part)})
			}
		case r.Err != nil:
			b.lose(j.eventOf(f.t, row), r.Err.Error())
		default:
			rows[row] = r
		}
	})
	if ask != nil {
		b.asked = true
		x.env.Lookup(ask)
		return false
	}
	return len(b.lost) == 0 && j.pairUp(f, rows)
}

func keyParts(n int, part func(int) vec.Value) []vec.Value {
	out := make([]vec.Value, n)
	for i := range out {
		v := part(i).Clone()
		switch {
		case v.Kind == vec.Timestamp:
			v = vec.IntValue(v.I)
		case v.Kind == vec.Float64:
			if i, ok := v.Whole(); ok {
				v = vec.IntValue(i)
			}
		}
		out[i] = v
	}
	return out
}

// pairUp makes the rows that were found those of the source, and pairs each joined
// row with its own.
func (j *joiner) pairUp(f *pairFilter, rows []*LookupRows) bool {
	src := &j.srcs[f.k+1]
	clear(src.rows)
	src.rows = src.rows[:0]
	first := map[*LookupRows]int32{}
	for l, r := range rows {
		if r == nil {
			continue
		}
		at, ok := first[r]
		if !ok {
			at = int32(len(src.rows))
			first[r] = at
			for i := range r.Rows {
				k := windowRow{src: int32(f.k + 1), v: make([]vec.Value, len(src.need))}
				for p, c := range src.need {
					k.v[p] = foundValue(r.Rows[i], c)
				}
				src.rows = append(src.rows, k)
			}
		}
		for i := range r.Rows {
			if !f.add(int32(l), at+int32(i)) {
				return false
			}
		}
	}
	return f.end()
}

// foundValue returns what c means of a row, as a number of the kind that the table
// declares.
func foundValue(row vec.Value, c vec.ColumnSpec) vec.Value {
	if c.Meta {
		return vec.Value{}
	}
	v := dig(row, c.Path)
	switch {
	case c.Type.Kind == vec.Int64 && v.Kind == vec.Float64:
		if i, ok := v.Whole(); ok {
			return vec.IntValue(i)
		}
	case c.Type.Kind == vec.Float64 && v.Kind == vec.Int64:
		return vec.ExactValue(v.I)
	}
	return v
}
