package props

import "slices"

// Partial returns the table for a part of what is set: a group of settings or a
// connection, of which the rest stands elsewhere. Nothing is required of it.
func (t Table) Partial() Table {
	out := slices.Clone(t)
	for i := range out {
		out[i].Must = false
		out[i].Fields = out[i].Fields.Partial()
	}
	return out
}
