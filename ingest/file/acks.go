package file

import "sync/atomic"

// acks is told which messages of a file are safe, by number from 1.
type acks struct {
	n    atomic.Uint64
	done chan struct{} // cap 1: n has changed
}

// Ack notes the last of tokens, which come in order.
func (a *acks) Ack(tokens []uint64) {
	if len(tokens) == 0 {
		return
	}
	a.n.Store(tokens[len(tokens)-1])
	select {
	case a.done <- struct{}{}:
	default:
	}
}

func (a *acks) last() uint64 { return a.n.Load() }
