package mqttconn

import (
	"errors"
	"syscall"
)

// canLower tells that setLowat has an effect.
const canLower = true

// setLowat makes the kernel report the socket as readable only from n bytes on:
// while reads are paced, what trickles in must not wake the process through its
// poller (each arrival would, read or not).
func setLowat(rc syscall.RawConn, n int) {
	// Without effect the process only wakes up more often, so errors are of no
	// interest.
	_ = rc.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, n)
	})
}

// trial is a read that does not wait. It keeps its function, so that a read does
// not allocate.
type trial struct {
	f   func(fd uintptr) bool
	p   []byte
	n   int
	err error
}

// read reads what there is; ok is false if there is nothing. n is 0 at the end.
func (r *trial) read(rc syscall.RawConn, p []byte) (n int, ok bool, err error) {
	if r.f == nil {
		r.f = func(fd uintptr) bool {
			r.n, r.err = syscall.Read(int(fd), r.p)
			for r.err == syscall.EINTR {
				r.n, r.err = syscall.Read(int(fd), r.p)
			}
			return true
		}
	}
	r.p = p
	err = rc.Read(r.f)
	r.p = nil
	switch {
	case err != nil:
		return 0, false, err
	case errors.Is(r.err, syscall.EAGAIN):
		return 0, false, nil
	}
	return max(r.n, 0), true, r.err
}
