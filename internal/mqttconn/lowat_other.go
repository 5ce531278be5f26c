//go:build !linux

package mqttconn

import "syscall"

// canLower tells that setLowat has an effect: here paced reads save less.
const canLower = false

func setLowat(syscall.RawConn, int) {}

// trial is a read that does not wait; there is none here.
type trial struct{}

func (*trial) read(syscall.RawConn, []byte) (n int, ok bool, err error) { return 0, false, nil }
