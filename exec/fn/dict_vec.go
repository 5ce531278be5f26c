package fn

import "github.com/weir-engine/weir/vec"

// Marks in Ctx.entries: no value has these kinds.
const (
	unseen  = vec.Variant     // the entry's result is not computed
	failing = vec.Variant + 1 // the function fails for the entry
)

// dictCall is a call that is computed once for each distinct string of a column.
type dictCall struct {
	bound     Bound
	lits      Lits
	seesNulls bool // rows without a value get what the function makes of null
}

// over computes the call for a column of strings.
func (d *dictCall) over(c *Ctx, dst, col *vec.Column) {
	n := col.Dict.Len()
	entries := d.begin(c, n)
	defer func() { // they borrow col's memory
		clear(entries)
		clear(c.args)
	}()
	dst.Reset(col.Rows)
	for row := range col.Rows {
		switch {
		case col.Valid.Has(row):
			code := int(col.Codes[row])
			if entries[code].Kind == unseen {
				d.eval(c, dst, code, col.Value(row))
			}
			c.setEntry(dst, row, code)
		case col.Fault != nil && col.Fault.Has(row):
			dst.SetFault(row)
		case d.seesNulls:
			if entries[n].Kind == unseen {
				d.eval(c, dst, n, vec.NullValue)
			}
			c.setEntry(dst, row, n)
		}
	}
}

// begin makes room in c for the results of n strings, and one more for null, and
// puts the literals among the arguments.
func (d *dictCall) begin(c *Ctx, n int) []vec.Value {
	if cap(c.entries) < n+1 {
		c.entries = make([]vec.Value, n+1, 2*n+64)
		c.codes = make([]uint32, 2*n+64)
	}
	c.entries = c.entries[:n+1]
	for i := range c.entries {
		c.entries[i] = vec.Value{Kind: unseen}
	}
	c.args = append(c.args[:0], make([]vec.Value, len(d.lits))...)
	for i, l := range d.lits {
		if l != nil {
			c.args[i] = *l
		}
	}
	return c.entries
}

// eval computes the result of one string.
func (d *dictCall) eval(c *Ctx, dst *vec.Column, code int, arg vec.Value) {
	c.args[d.bound.Col] = arg
	v, err := d.bound.Row(c, c.args)
	if err != nil {
		v = vec.Value{Kind: failing}
	}
	c.entries[code] = v
	if v.Kind == vec.String {
		if dst.Kind == vec.Null {
			dst.As(vec.String)
		}
		if dst.Kind == vec.String {
			c.codes[code] = dst.Dict.AddString(v.S)
		}
	}
}

// setEntry writes the result of a string into a row.
func (c *Ctx) setEntry(dst *vec.Column, row, code int) {
	switch e := &c.entries[code]; {
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
