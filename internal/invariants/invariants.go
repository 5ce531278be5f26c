// Package invariants is what the build tag of its name switches on: checks that are
// too dear for production, of what the code says of itself in comments. With the
// tag, memory that is given back to a pool is filled with rubbish, so that whoever
// still reads it is found by any test; a mutex knows who holds it; and packages look
// at their own structures where they say `if invariants.Enabled`.
//
// Without the tag all of it is empty functions and a constant that is false: nothing
// is left in the program. The package imports nothing of ours and does nothing in
// itself.
package invariants

import "fmt"

// poison is the byte that memory in a pool is filled with.
const poison = 0xDB

// Fail ends the goroutine because of a broken invariant of ours. It is called under
// Enabled only.
func Fail(format string, args ...any) {
	panic("bug: " + fmt.Sprintf(format, args...))
}

// Fill sets all of the memory behind s, beyond its length too, to v.
func Fill[T any](s []T, v T) {
	if Enabled {
		s = s[:cap(s)]
		for i := range s {
			s[i] = v
		}
	}
}

// Bytes fills all of the memory behind b with rubbish that is no UTF-8.
func Bytes(b []byte) { Fill(b, poison) }
