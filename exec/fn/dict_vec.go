package fn

import "github.com/weir-engine/weir/vec"

// Marks in Ctx.entries: no value has these kinds.
const (
	unseen  = vec.Variant     // the entry's result is not computed
	failing = vec.Variant + 1 // the function fails for the entry
)

// overDict computes a call for a column of strings, once for each distinct string.
// With seesNulls, rows without a value get what the function makes of null.
func overDict(c *Ctx, dst, col *vec.Column, b Bound, lits Lits, seesNulls bool) bool {
	n := col.Dict.Len()
	if cap(c.entries) < n+1 {
		c.entries = make([]vec.Value, n+1, 2*n+64)
		c.codes = make([]uint32, 2*n+64)
	}
	entries := c.entries[:n+1] // the last one is for null
	defer clear(entries)       // they borrow col's memory
	for i := range entries {
		entries[i].Kind = unseen
	}
	args := append(c.args[:0], make([]vec.Value, len(lits))...)
	c.args = args
	for i, l := range lits {
		if l != nil {
			args[i] = *l
		}
	}
	defer func() { // they borrow col's memory
		clear(entries)
		clear(args)
	}()
	eval := func(code int, arg vec.Value) {
		args[b.Col] = arg
		v, err := b.Row(c, args)
		if err != nil {
			v = vec.Value{Kind: failing}
		}
		entries[code] = v
		if v.Kind == vec.String {
			if dst.Kind == vec.Null {
				dst.As(vec.String)
			}
			if dst.Kind == vec.String {
				c.codes[code] = dst.Dict.AddString(v.S)
			}
		}
	}
	set := func(row, code int) {
		switch e := &entries[code]; {
		case e.Kind == failing:
			dst.SetFault(row)
		case e.Kind == vec.String && dst.Kind == vec.String:
			dst.Codes[row] = c.codes[code]
			dst.Present.Set(row)
			dst.Valid.Set(row)
		default:
			dst.Set(row, *e)
		}
	}
	dst.Reset(col.Rows)
	for row := range col.Rows {
		switch {
		case col.Valid.Has(row):
			code := int(col.Codes[row])
			if entries[code].Kind == unseen {
				eval(code, col.Value(row))
			}
			set(row, code)
		case col.Fault != nil && col.Fault.Has(row):
			dst.SetFault(row)
		case seesNulls:
			if entries[n].Kind == unseen {
				eval(n, vec.NullValue)
			}
			set(row, n)
		}
	}
	return true
}
