//go:build !invariants

package exec

// check looks at the ring in builds with the tag invariants.
func (r *ring) check() {}

func (x *Executor) checkPaid() {}
