package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/vfs"
)

// diskFS is the file system under Pebble, with two properties of its own.
//
// A write that finds the disk full waits and is made again: Pebble would give up
// the process at an error of its log. Nobody waits long in practice, since the
// store refuses new data before (checkRoom). A failed sync is not made again: the
// second one would succeed and say nothing of what was lost.
//
// A sync of the log is left out unless a commit that wants it is under way (hard):
// Pebble hands small unsynced commits to the operating system only with the next
// sync, so a Written commit is a Pebble sync whose fsync is left out here.
type diskFS struct {
	vfs.FS
	log   *slog.Logger
	hards atomic.Int32
	mu    sync.Mutex
	why   error // of the write that waits, nil if none
	since time.Time
	retry time.Duration
}

func newDiskFS(base vfs.FS, log *slog.Logger) *diskFS {
	return &diskFS{FS: base, log: log, retry: 250 * time.Millisecond}
}

// hard makes syncs of the log real until the returned function is called.
func (d *diskFS) hard() (done func()) {
	d.hards.Add(1)
	return func() { d.hards.Add(-1) }
}

// stuck is why a write waits, or nil.
func (d *diskFS) stuck() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.why
}

// stuckFor gets a value when a write has waited for t without end.
func (d *diskFS) stuckFor(t time.Duration) <-chan time.Time {
	if d.stuck() == nil {
		t *= 12 // a slow disk, not a full one
	}
	return time.After(t)
}

func (d *diskFS) setStuck(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if (err == nil) == (d.why == nil) {
		return
	}
	if err != nil {
		d.since = time.Now()
		d.log.Error("writes wait for room on the disk", "err", err)
	} else {
		d.log.Info("writes go on", "waited", time.Since(d.since).Round(time.Millisecond))
	}
	d.why = err
}

// noRoom tells errors that end when an operator makes room.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}

// again runs f until it does not fail for want of room.
func (d *diskFS) again(f func() error) error {
	err := f()
	if err == nil || !noRoom(err) {
		return err
	}
	t := time.NewTicker(d.retry)
	defer t.Stop()
	for noRoom(err) {
		d.setStuck(err)
		<-t.C
		err = f()
	}
	d.setStuck(nil)
	return err
}

// Create creates a file whose writes wait for room.
func (d *diskFS) Create(name string) (f vfs.File, err error) {
	err = d.again(func() error { f, err = d.FS.Create(name); return err })
	return d.wrap(name, f, err)
}

// ReuseForWrite is Create over an old file.
func (d *diskFS) ReuseForWrite(oldname, newname string) (f vfs.File, err error) {
	err = d.again(func() error { f, err = d.FS.ReuseForWrite(oldname, newname); return err })
	return d.wrap(newname, f, err)
}

func (d *diskFS) wrap(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &diskFile{File: f, d: d, wal: strings.HasSuffix(name, ".log")}, nil
}

type diskFile struct {
	vfs.File
	d     *diskFS
	wal   bool
	dirty atomic.Bool // a sync was left out
}

// Write writes all of p, waiting for room where there is none.
func (f *diskFile) Write(p []byte) (n int, err error) {
	err = f.d.again(func() error {
		m, err := f.File.Write(p[n:])
		n += m
		return err
	})
	return n, err
}

func (f *diskFile) soft() bool {
	if f.wal && f.d.hards.Load() == 0 {
		f.dirty.Store(true)
		return true
	}
	f.dirty.Store(false)
	return false
}

// Sync makes what was written durable, if a commit asks for it.
func (f *diskFile) Sync() error {
	if f.soft() {
		return nil
	}
	return f.File.Sync()
}

// SyncData is Sync without the file's metadata.
func (f *diskFile) SyncData() error {
	if f.soft() {
		return nil
	}
	return f.File.SyncData()
}

// Close syncs what Sync left out: later logs rely on this one.
func (f *diskFile) Close() error {
	var err error
	if f.dirty.Load() {
		err = f.File.SyncData()
	}
	return errors.Join(err, f.File.Close())
}

// errLocked marks the error of a lock that somebody else holds.
var errLocked = errors.New("locked")

// Lock locks the directory for this process.
func (d *diskFS) Lock(name string) (io.Closer, error) {
	c, err := d.FS.Lock(name)
	var pe *fs.PathError
	if err != nil && !errors.As(err, &pe) { // the file could be opened, but not locked
		err = fmt.Errorf("%w: %w", errLocked, err)
	}
	return c, err
}

// space watches the room on the disk.
type space struct {
	fs      vfs.FS
	dir     string
	reserve uint64
	mu      sync.Mutex
	free    uint64 // at the last look, less what was taken since
	at      time.Time
	last    uint64
	unknown bool
}

// take tells whether n bytes may be written and how many are free. It looks at
// the disk when a second has passed or a quarter of the reserve was taken.
func (s *space) take(n int) (free uint64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unknown {
		return 0, true
	}
	if now := time.Now(); now.Sub(s.at) > time.Second || s.free+s.reserve/4 < s.last {
		u, err := s.fs.GetDiskUsage(s.dir)
		if errors.Is(err, vfs.ErrUnsupported) {
			s.unknown = true
			return 0, true
		}
		if err != nil {
			return s.free, true // the write itself will say what is wrong
		}
		s.free, s.last, s.at = u.AvailBytes, u.AvailBytes, now
	}
	if s.free < s.reserve+uint64(n) {
		return s.free, false
	}
	s.free -= uint64(n)
	return s.free, true
}
