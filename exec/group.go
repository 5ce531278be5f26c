package exec

import (
	enc "encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// groups numbers the group keys of a ring. Numbers live as long as the ring has
// use for them; see ring.tidy.
type groups struct {
	ids  map[string]int32
	keys []vec.Value // width values a group
	n    int
	null []bool // groups with a key that is null or missing; shorter than n if the last ones have none

	codes []int32 // by dictionary code, for a key that is one text column
	buf   []byte
}

// appendKey writes v so that different values are different bytes.
func appendKey(b []byte, v vec.Value) []byte {
	b = append(b, byte(v.Kind))
	switch v.Kind {
	case vec.Missing, vec.Null:
		b[len(b)-1] = byte(vec.Null) // one group
	case vec.Int64, vec.Timestamp, vec.Bool:
		b = enc.LittleEndian.AppendUint64(b, uint64(v.I))
	case vec.Float64:
		b = enc.LittleEndian.AppendUint64(b, math.Float64bits(v.F))
	case vec.JSON:
		s := v.S
		if v.X != nil {
			text, err := json.Marshal(v.X)
			if err != nil { // infinite numbers: equal texts are equal values
				text = fmt.Append(nil, v.X)
			}
			s = string(text)
		}
		b = enc.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	default:
		b = enc.AppendUvarint(b, uint64(len(v.S)))
		b = append(b, v.S...)
	}
	return b
}

// number returns the groups of rows, one for each, appended to gids.
func (g *groups) number(m *machine, keys []planner.StepID, rows, gids []int32) []int32 {
	if g.ids == nil {
		g.ids = map[string]int32{}
	}
	if len(keys) == 0 {
		if g.n == 0 {
			g.n = 1
		}
		for range rows {
			gids = append(gids, 0)
		}
		return gids
	}
	if len(keys) == 1 {
		if c := m.col(keys[0], nil); c.Kind == vec.String {
			return g.texts(c, rows, gids)
		}
	}
	for _, r := range rows {
		b := g.buf[:0]
		for _, k := range keys {
			m.col(k, nil)
			b = appendKey(b, m.value(k, int(r)))
		}
		g.buf = b
		id, ok := g.ids[string(b)]
		if !ok {
			id = g.enter(string(b))
			for _, k := range keys {
				g.key(id, m.value(k, int(r)))
			}
		}
		gids = append(gids, id)
	}
	return gids
}

func (g *groups) enter(key string) int32 {
	id := int32(g.n)
	g.ids[key] = id
	g.n++
	return id
}

// key enters the next key of group id.
func (g *groups) key(id int32, v vec.Value) {
	g.keys = append(g.keys, v.Clone())
	if v.IsNull() {
		g.null = append(g.null, make([]bool, int(id)+1-len(g.null))...)
		g.null[id] = true
	}
}

// isNull tells whether a key of group id is null or missing.
func (g *groups) isNull(id int32) bool { return int(id) < len(g.null) && g.null[id] }

// texts is number for one text column: a look-up for each distinct text.
func (g *groups) texts(c *vec.Column, rows, gids []int32) []int32 {
	g.codes = resize(g.codes, c.Dict.Len())
	for i := range g.codes {
		g.codes[i] = -1
	}
	for _, r := range rows {
		if !c.Valid.Has(int(r)) {
			gids = append(gids, g.one(c.Value(int(r)))) // null or missing, as the first row has it
			continue
		}
		code := c.Codes[r]
		if g.codes[code] < 0 {
			g.codes[code] = g.one(c.Value(int(r)))
		}
		gids = append(gids, g.codes[code])
	}
	return gids
}

func (g *groups) one(v vec.Value) int32 {
	g.buf = appendKey(g.buf[:0], v)
	id, ok := g.ids[string(g.buf)]
	if !ok {
		id = g.enter(string(g.buf))
		g.key(id, v)
	}
	return id
}

// renumber gives group g the number ids[g], out of n; -1: it is forgotten. A key
// has width values.
func (g *groups) renumber(ids []int32, n, width int) {
	keys := make([]vec.Value, n*width)
	for old, id := range ids {
		if id >= 0 {
			copy(keys[int(id)*width:], g.keys[old*width:(old+1)*width])
		}
	}
	g.keys, g.n = keys, n
	g.null = renumber(g.null, ids, n)
	for k, id := range g.ids {
		if ids[id] < 0 {
			delete(g.ids, k)
		} else {
			g.ids[k] = ids[id]
		}
	}
}
