package sinks

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/weir-engine/weir/internal/loss"
)

// Options are a Queue's bounds. The zero value of a field means its default.
type Options struct {
	// MemoryBytes is what a lane holds in memory before it writes to disk.
	// Default 4 MiB. Without a store it is not used.
	MemoryBytes int64
	// MaxBytes is the bound of the whole backlog, in memory and on disk. Default
	// 256 MiB, or 8 MiB when nothing may go to disk. At the bound the queue is
	// Full: whoever feeds it must pause until OnRoom, or, with DropOldest, the
	// oldest messages go, counted.
	MaxBytes int64
	// DropOldest drops the oldest messages at MaxBytes instead of being Full, by whole
	// chunks: those of up to 256 KiB that each lane fills and delivers may be beyond it.
	DropOldest bool
	// RetryMin and RetryMax bound the wait after an error, which doubles each
	// time. Defaults 100 ms and 5 s.
	RetryMin, RetryMax time.Duration
	// Patience is the least time that a write may take before what it is of is set
	// aside, so that others need not wait for it. Default 100 ms.
	Patience time.Duration
	// OnRoom is called when a queue that was Full has room again, from a worker:
	// it must not block and not call the queue.
	OnRoom func()
	// OnWrite is told how long each Write of a destination took, from its worker;
	// nil: nobody is.
	OnWrite func(d time.Duration)
	// OnPanic is told of a panic in a destination's Write, by its value, on the
	// goroutine that panicked. Default: it is logged.
	OnPanic func(what string, value any)
	// Logger tells of destinations that go away and come back. Default
	// slog.Default().
	Logger *slog.Logger
}

// EnsureDefaults fills the fields that are zero; disk says whether there is one.
func (o *Options) EnsureDefaults(disk bool) {
	if o.MemoryBytes == 0 {
		o.MemoryBytes = 4 << 20
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 256 << 20
		if !disk {
			o.MaxBytes = 8 << 20
		}
	}
	if o.RetryMin == 0 {
		o.RetryMin = 100 * time.Millisecond
	}
	if o.RetryMax == 0 {
		o.RetryMax = max(5*time.Second, o.RetryMin)
	}
	if o.Patience == 0 {
		o.Patience = 100 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.OnPanic == nil {
		o.OnPanic = func(what string, value any) { o.Logger.Error(what, "panic", value, "stack", string(debug.Stack())) }
	}
}

// Validate lists every fault of options that have their defaults.
func (o *Options) Validate() error {
	var errs []error
	if o.MemoryBytes < 0 {
		errs = append(errs, fmt.Errorf("sink memory %d bytes: want a positive number", o.MemoryBytes))
	}
	if o.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("sink backlog %d bytes: want a positive number", o.MaxBytes))
	}
	if o.RetryMin < 0 || o.RetryMax < o.RetryMin {
		errs = append(errs, fmt.Errorf("sink retry %v to %v: want a positive range", o.RetryMin, o.RetryMax))
	}
	return errors.Join(errs...)
}

// Stats is what a queue counted since it was made, and how its destination does.
type Stats struct {
	// Received is the messages of Put, Delivered those the destination took.
	Received, Delivered uint64
	// Lost is what it did not: loss.Refused messages for good, loss.Dropped ones
	// were given up by DropOldest, loss.Discarded ones by Queues.Discard,
	// loss.Deleted ones by Queues.Drop, loss.Stored ones could not be read from disk
	// again, loss.Unsaved ones not be stored at the end.
	Lost loss.Counts
	// Retries is the attempts that failed and were made again.
	Retries uint64
	// Messages and Bytes are the backlog, of which DiskBytes are on disk.
	Messages, Bytes, DiskBytes int64
	// LastError is the last failure's text, at LastErrorMs.
	LastError   string
	LastErrorMs int64
	// DiskError is why messages that should go to disk stay in memory, "" if
	// none do.
	DiskError string
	// LastDeliveredMs is when messages were last delivered.
	LastDeliveredMs int64
	// Connection is the state of the way out.
	Connection ConnStatus
}

// merge adds the counts of a queue that is no more.
func (s *Stats) merge(o *Stats) {
	s.Received, s.Delivered, s.Retries = s.Received+o.Received, s.Delivered+o.Delivered, s.Retries+o.Retries
	s.Messages, s.Bytes, s.DiskBytes = s.Messages+o.Messages, s.Bytes+o.Bytes, s.DiskBytes+o.DiskBytes
	s.Lost.Merge(&o.Lost)
}

// ConnState is the state of a connection in the numbers of eKuiper's API.
type ConnState int

// The states of a connection.
const (
	Disconnected ConnState = -1
	Connecting   ConnState = 0
	Connected    ConnState = 1
)

// ConnStatus is the state of a connection and how it came to it. Times are Unix
// milliseconds, 0 for never.
type ConnStatus struct {
	State              ConnState
	LastConnectedMs    int64
	LastDisconnectedMs int64
	LastDisconnected   string // why
	LastTryMs          int64
}
