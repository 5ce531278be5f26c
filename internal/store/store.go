// Package store is the one Pebble database of a process. Several key spaces live
// in it, each with its own small API: the catalog (definitions of streams, tables,
// rules, configurations), the outbox (messages that wait for a destination) and keyed
// state (values that rules read by a key).
// Whatever must become durable together is written into one Txn.
//
// It keeps texts on disk and in small caches only, knows nothing of what it
// stores, and refuses new data, with ErrFull, before the disk is really full, so
// that what was accepted can still be committed, compacted and deleted.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/vfs"
)

// The key spaces, one leading byte each.
const (
	spaceCatalog = 'c'
	spaceDest    = 'd'
	spaceBlock   = 'o'
	spaceKeyed   = 'k'
	spaceCursor  = 'p'
	spaceSegment = 's'
)

var (
	// ErrFull matches the error of a write that was refused because the disk has
	// less than ReserveBytes left. Nothing was written; the caller keeps what it
	// has and tries again later.
	ErrFull = errors.New("data directory is full")
	// ErrClosed matches the error of a call after Close.
	ErrClosed = errors.New("store is closed")
	// ErrNotFound is returned by Get for what is not there.
	ErrNotFound = errors.New("not found")
)

// Options say where a store is and how large it may become in memory.
type Options struct {
	// Dir is the data directory; it is made if missing. Empty keeps everything
	// in memory, until Close.
	Dir string
	// FS replaces the file system, for tests.
	FS vfs.FS
	// MemtableBytes is the size of one table of recent writes, of which up to
	// four exist under load. Default 2 MiB.
	MemtableBytes int
	// CacheBytes is the cache of blocks read. Default 1 MiB.
	CacheBytes int64
	// SegmentBytes is how much of an outbox is deleted at once. Default 4 MiB.
	SegmentBytes int64
	// ReserveBytes of the disk are left free. Default 16 MiB.
	ReserveBytes uint64
	// Logger tells of a disk that is full and of background errors. Default
	// slog.Default().
	Logger *slog.Logger
}

// EnsureDefaults fills the fields that are zero.
func (o *Options) EnsureDefaults() {
	if o.FS == nil {
		o.FS = vfs.Default
		if o.Dir == "" {
			o.FS = vfs.NewMem()
		}
	}
	if o.MemtableBytes == 0 {
		o.MemtableBytes = 2 << 20
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 1 << 20
	}
	if o.SegmentBytes == 0 {
		o.SegmentBytes = 4 << 20
	}
	if o.ReserveBytes == 0 {
		o.ReserveBytes = 16 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// Store is an open database. Its methods may be called from several goroutines.
type Store struct {
	o  Options
	fs *diskFS
	db *pebble.DB

	// users are the calls under way and the background sync: Close waits.
	mu     sync.Mutex
	closed bool
	users  sync.WaitGroup
	soon   atomic.Bool // a background sync is due
	large  atomic.Bool // a large commit is in memory, see Tidy

	space space

	destMu   sync.Mutex
	nextDest uint32
	open     map[string]*Outbox
}

// Open opens or creates the store. The error says what stands in the way: a
// directory that cannot be written, that another process uses, or that is full.
func Open(o Options) (*Store, error) {
	o.EnsureDefaults()
	s := &Store{o: o, fs: newDiskFS(o.FS, o.Logger), open: make(map[string]*Outbox)}
	s.space = space{fs: o.FS, dir: o.Dir, reserve: o.ReserveBytes}
	if err := makeDir(o.FS, o.Dir, 0o700); err != nil {
		return nil, openError(o.Dir, err)
	}
	if o.FS == vfs.Default {
		if err := checkDir(o.Dir); err != nil {
			return nil, err
		}
	}
	if err := s.checkRoom(0); err != nil {
		return nil, err
	}
	cache := pebble.NewCache(o.CacheBytes)
	defer cache.Unref()
	db, err := pebble.Open(o.Dir, s.pebbleOptions(cache))
	if err != nil {
		return nil, openError(o.Dir, err)
	}
	s.db = db
	if s.nextDest, err = s.lastDest(); err != nil {
		return nil, errors.Join(fmt.Errorf("data directory %q: %w", o.Dir, err), db.Close())
	}
	return s, nil
}

func (s *Store) pebbleOptions(cache *pebble.Cache) *pebble.Options {
	p := &pebble.Options{
		FS:                 s.fs,
		Cache:              cache,
		Logger:             pebbleLog{},
		MaxOpenFiles:       64,
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       uint64(s.o.MemtableBytes),
		// A commit waits at these bounds. The outbox deletes most of what it
		// wrote before a compaction would have moved it, so many small tables
		// at the top cost little, and a wait would be one of the executor.
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       64,
		MaxManifestFileSize:         1 << 20,
		MaxConcurrentCompactions:    func() int { return 1 },
	}
	p.Levels = []pebble.LevelOptions{{TargetFileSize: 2 << 20}}
	return p
}

// makeDir makes dir so that it is there after a power cut. What is in it is for
// nobody else: rules have secrets. Directories above it are made as usual.
func makeDir(fs vfs.FS, dir string, mode os.FileMode) error {
	if _, err := fs.Stat(dir); err == nil || dir == "" {
		return nil
	}
	parent := fs.PathDir(dir)
	if parent != dir {
		if err := makeDir(fs, parent, 0o755); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, mode); err != nil {
		return err
	}
	d, err := fs.OpenDir(parent)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// checkDir proves that dir can be written.
func checkDir(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return openError(dir, err)
	}
	_, err = f.Write([]byte("probe"))
	err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	if err != nil {
		return openError(dir, err)
	}
	return nil
}

func openError(dir string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		if strings.HasPrefix(filepath.Base(pe.Path), ".probe-") {
			return fmt.Errorf("data directory %q cannot be written: %w", dir, pe.Err)
		}
	}
	if errors.Is(err, errLocked) {
		return fmt.Errorf("data directory %q is used by another process: %w", dir, err)
	}
	return fmt.Errorf("data directory %q: %w", dir, err)
}

// Close makes everything durable that was committed and closes the database. A
// second call does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	done := make(chan error, 1)
	go func() {
		s.users.Wait()
		err := s.syncNow()
		done <- errors.Join(err, s.db.Close())
	}()
	select {
	case err := <-done:
		return err
	case <-s.fs.stuckFor(5 * time.Second):
		// A write waits for room that nobody makes. What was committed is in the
		// log, or is lost with this process as it would be in a crash.
		return fmt.Errorf("data directory %q: closed while %w", s.o.Dir, s.fs.stuck())
	}
}

// Health is nil while the store can write, and otherwise says why it cannot.
func (s *Store) Health() error {
	if err := s.use(); err != nil {
		return err
	}
	defer s.users.Done()
	return s.checkRoom(256 << 10)
}

// use holds the store open until users.Done.
func (s *Store) use() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.users.Add(1)
	return nil
}

// checkRoom returns an error if n more bytes should not be written.
func (s *Store) checkRoom(n int) error {
	if err := s.fs.stuck(); err != nil {
		return fmt.Errorf("%w: %q: %v", ErrFull, s.o.Dir, err)
	}
	if free, ok := s.space.take(n); !ok {
		return fmt.Errorf("%w: %q has %d KiB free, %d KiB are kept in reserve",
			ErrFull, s.o.Dir, free>>10, s.o.ReserveBytes>>10)
	}
	return nil
}

// syncSoon makes what was committed so far durable within 10 ms, in the
// background.
func (s *Store) syncSoon() {
	if !s.soon.CompareAndSwap(false, true) {
		return
	}
	if s.use() != nil {
		return // Close syncs
	}
	time.AfterFunc(10*time.Millisecond, func() {
		defer s.users.Done()
		s.soon.Store(false)
		if err := s.syncNow(); err != nil {
			s.o.Logger.Error("data directory cannot be synced", "dir", s.o.Dir, "err", err)
		}
	})
}

func (s *Store) syncNow() error {
	defer s.fs.hard()()
	return s.db.LogData(nil, pebble.Sync)
}

// pebbleLog drops what Pebble has to say, but for what it cannot go on after.
type pebbleLog struct{}

// Infof drops the notes of flushes and compactions.
func (pebbleLog) Infof(string, ...any) {}

// Fatalf is called when the database cannot go on, as after an I/O error of its
// log: what it would write from then on would have a hole before it.
func (pebbleLog) Fatalf(format string, args ...any) {
	panic("store: " + fmt.Sprintf(format, args...)) // lint:allow panic: Pebble wants that it does not return
}

// Eventf and IsTracingEnabled complete Pebble's logger; nothing is traced.
func (pebbleLog) Eventf(context.Context, string, ...any) {}

// IsTracingEnabled is always false.
func (pebbleLog) IsTracingEnabled(context.Context) bool { return false }
