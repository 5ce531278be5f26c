package vec

import "unsafe"

// view returns b as a string without a copy. It is the one place where a value
// borrows a batch's bytes as text: a row function over a 300-byte nested value
// costs 20 ns so, and 60 ns with a copy (BenchmarkValue). The bytes must not
// change while the string is used; Value's comment says so to its users.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// View returns string code without a copy; it is valid until Reset.
func (d *Dict) View(code uint32) string { return view(d.Bytes(code)) }

// AddString is Add for a string; s is copied.
func (d *Dict) AddString(s string) uint32 { return d.Add(bytesOf(s)) }
