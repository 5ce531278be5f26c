package vec

// Gather makes c a column of rows of o, in the order given. c shares o's
// dictionary and data and is valid only as long as o.
func (c *Column) Gather(o *Column, rows []int32) {
	c.Reset(len(rows))
	c.Ints64 = o.Ints64
	if o.Fault != nil {
		for i, r := range rows {
			if o.Fault.Has(int(r)) {
				c.SetFault(i)
			}
		}
	}
	present := o.Present
	if present == nil {
		present = o.Valid
	}
	for i, r := range rows {
		if present.Has(int(r)) {
			c.Present.Set(i)
		}
		if o.Valid.Has(int(r)) {
			c.Valid.Set(i)
		}
	}
	if o.Kind == Null {
		return
	}
	c.As(o.Kind)
	switch o.Kind {
	case Bool:
		for i, r := range rows {
			if o.Bits.Has(int(r)) {
				c.Bits.Set(i)
			}
		}
	case Int64, Timestamp:
		for i, r := range rows {
			c.Ints[i] = o.Ints[r]
		}
	case Float64:
		for i, r := range rows {
			c.Floats[i] = o.Floats[r]
		}
	case String:
		c.Dict = o.Dict
		for i, r := range rows {
			c.Codes[i] = o.Codes[r]
		}
	case JSON, Bytes:
		c.Data = o.Data
		for i, r := range rows {
			c.Spans[i] = o.Spans[r]
		}
	case Variant:
		for i, r := range rows {
			c.Vals[i] = o.Vals[r]
		}
	}
}
