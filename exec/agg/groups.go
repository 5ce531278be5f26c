package agg

import (
	enc "encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// Groups numbers the keys of groups. A number stands until Renumber.
type Groups struct {
	ids   map[string]int32
	keys  []vec.Value // width values a group
	width int
	n     int
	null  []bool // groups with a key that is null or missing; shorter than n if the last ones have none

	codes []int32 // by dictionary code, for a key that is one text column
	buf   []byte
}

// Len returns how many groups there are.
func (g *Groups) Len() int { return g.n }

// Key returns key i of group id.
func (g *Groups) Key(id int32, i int) vec.Value { return g.keys[int(id)*g.width+i] }

// exactKey is what the kind of a float with more digits than float64 has in a key.
const exactKey = 0x80

// AppendKey appends v to b so that different values are different bytes.
func AppendKey(b []byte, v vec.Value) []byte {
	b = append(b, byte(v.Kind))
	switch v.Kind {
	case vec.Missing, vec.Null:
		b[len(b)-1] = byte(vec.Null) // one group
	case vec.Int64, vec.Timestamp, vec.Bool:
		b = enc.LittleEndian.AppendUint64(b, uint64(v.I))
	case vec.Float64:
		if v.I != 0 {
			b[len(b)-1] |= exactKey
			return enc.LittleEndian.AppendUint64(b, uint64(v.I))
		}
		b = enc.LittleEndian.AppendUint64(b, math.Float64bits(v.F))
	case vec.JSON: // what is written otherwise is the same value
		tree := rawjson.Tree(v)
		text, err := json.Marshal(tree)
		if err != nil { // infinite numbers: equal texts are equal values
			text = fmt.Append(nil, tree)
		}
		b = enc.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	default:
		b = enc.AppendUvarint(b, uint64(len(v.S)))
		b = append(b, v.S...)
	}
	return b
}

// Number returns the groups of rows, one for each, appended to gids. keys are the
// columns of their keys, as many in every call; without any there is one group.
func (g *Groups) Number(keys []*vec.Column, rows, gids []int32) []int32 {
	if g.ids == nil {
		g.ids, g.width = map[string]int32{}, len(keys)
	}
	switch {
	case len(keys) == 0:
		if g.n == 0 {
			g.n = 1
		}
		for range rows {
			gids = append(gids, 0)
		}
		return gids
	case len(keys) == 1 && keys[0].Kind == vec.String:
		return g.texts(keys[0], rows, gids)
	}
	for _, r := range rows {
		b := g.buf[:0]
		for _, k := range keys {
			b = AppendKey(b, k.Value(int(r)))
		}
		g.buf = b
		id, ok := g.ids[string(b)]
		if !ok {
			id = g.enter(string(b))
			for _, k := range keys {
				g.key(id, k.Value(int(r)))
			}
		}
		gids = append(gids, id)
	}
	return gids
}

func (g *Groups) enter(key string) int32 {
	id := int32(g.n)
	g.ids[key] = id
	g.n++
	return id
}

// key enters the next key of group id.
func (g *Groups) key(id int32, v vec.Value) {
	g.keys = append(g.keys, v.Clone())
	if v.IsNull() {
		g.null = append(g.null, make([]bool, int(id)+1-len(g.null))...)
		g.null[id] = true
	}
}

// IsNull tells whether a key of group id is null or missing.
func (g *Groups) IsNull(id int32) bool { return int(id) < len(g.null) && g.null[id] }

// texts is Number for one text column: a look-up for each distinct text.
func (g *Groups) texts(c *vec.Column, rows, gids []int32) []int32 {
	if n := c.Dict.Len(); cap(g.codes) < n {
		g.codes = make([]int32, n)
	} else {
		g.codes = g.codes[:n]
	}
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

func (g *Groups) one(v vec.Value) int32 {
	g.buf = AppendKey(g.buf[:0], v)
	id, ok := g.ids[string(g.buf)]
	if !ok {
		id = g.enter(string(g.buf))
		g.key(id, v)
	}
	return id
}

// Renumber gives group g the number ids[g], out of n; -1: it is forgotten.
func (g *Groups) Renumber(ids []int32, n int) {
	keys := make([]vec.Value, n*g.width)
	for old, id := range ids {
		if id >= 0 {
			copy(keys[int(id)*g.width:], g.keys[old*g.width:(old+1)*g.width])
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
