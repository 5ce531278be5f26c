package vec

// Extend makes room for a number of rows in a column that is being written, keeping
// what it has; the new rows are missing. It never shrinks.
func (c *Column) Extend(rows int) {
	if rows <= c.Rows {
		return
	}
	c.Rows = rows
	c.Present = c.Present.extend(rows)
	c.Valid = c.Valid.extend(rows)
	if c.Fault != nil {
		c.Fault = c.Fault.extend(rows)
	}
	switch c.Kind {
	case Bool:
		c.Bits = c.Bits.extend(rows)
	case Int64, Timestamp:
		c.Ints = grow(c.Ints, rows)
	case Float64:
		c.Floats = grow(c.Floats, rows)
	case String:
		c.Codes = grow(c.Codes, rows)
	case JSON, Bytes:
		c.Spans = grow(c.Spans, rows)
	case Variant:
		c.Vals = grow(c.Vals, rows)
	}
}

// Truncate gives every slice of the column exactly that many rows; later rows are
// forgotten. It never grows.
func (c *Column) Truncate(rows int) {
	if rows > c.Rows {
		return
	}
	c.Rows = rows
	c.Present = c.Present.truncate(rows)
	c.Valid = c.Valid.truncate(rows)
	c.Fault = c.Fault.truncate(rows)
	switch c.Kind {
	case Bool:
		c.Bits = c.Bits.truncate(rows)
	case Int64, Timestamp:
		c.Ints = c.Ints[:rows]
	case Float64:
		c.Floats = c.Floats[:rows]
	case String:
		c.Codes = c.Codes[:rows]
	case JSON, Bytes:
		if c.Data != nil {
			c.Spans = c.Spans[:rows]
		} else {
			c.Vals = c.Vals[:rows]
		}
	case Variant:
		c.Vals = c.Vals[:rows]
	}
}

// ClearFrom makes row from and all later ones missing. A column that has no
// value left takes the kind of the next one.
func (c *Column) ClearFrom(from int) {
	c.Present.clearFrom(from)
	c.Valid.clearFrom(from)
	c.Fault.clearFrom(from)
	if !c.Valid.Any() {
		c.Kind, c.Dict, c.Data = Null, nil, nil
	}
}

// extend returns b with the words for rows bits, the new ones zero.
func (b Bitmap) extend(rows int) Bitmap {
	n, old := Words(rows), len(b)
	if n <= old {
		return b
	}
	if cap(b) < n {
		t := make(Bitmap, n, max(n, 16))
		copy(t, b)
		return t
	}
	b = b[:n]
	clear(b[old:])
	return b
}

// truncate returns b with the words for rows bits; bits beyond are zero.
func (b Bitmap) truncate(rows int) Bitmap {
	if n := Words(rows); n < len(b) {
		b = b[:n]
	}
	if r := rows & 63; r != 0 && len(b) == Words(rows) {
		b[len(b)-1] &= 1<<r - 1
	}
	return b
}

func (b Bitmap) clearFrom(row int) {
	w := row >> 6
	if w >= len(b) {
		return
	}
	b[w] &= 1<<(row&63) - 1
	clear(b[w+1:])
}
