package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

func mustOpen(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func ids(t *testing.T, s *Store, kind string) (out []string) {
	t.Helper()
	err := s.Catalog().Each(kind, func(id string, data []byte) error {
		out = append(out, id+"="+string(data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCatalog(t *testing.T) {
	fs := vfs.NewMem()
	s := mustOpen(t, Options{Dir: "d", FS: fs})
	c := s.Catalog()
	steps := []error{
		c.Put("rule", "b", []byte("1")),
		c.Put("rule", "a", []byte("2")),
		c.PutAll([]Item{{"stream", "x", []byte("3")}, {"rule", "c", nil}, {"rules", "z", []byte("other kind")}}),
		c.Put("rule", "b", []byte("4")),
		c.Delete("rule", "c"),
		c.Delete("rule", "missing"),
	}
	if err := errors.Join(steps...); err != nil {
		t.Fatal(err)
	}
	check := func(s *Store) {
		t.Helper()
		if got, want := ids(t, s, "rule"), []string{"a=2", "b=4"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if v, err := s.Catalog().Get("stream", "x"); err != nil || string(v) != "3" {
			t.Errorf("got %q %v, want 3", v, err)
		}
		if _, err := s.Catalog().Get("rule", "c"); !errors.Is(err, ErrNotFound) {
			t.Errorf("got %v, want not found", err)
		}
	}
	check(s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check(mustOpen(t, Options{Dir: "d", FS: fs}))
	if err := c.Put("rule", "x", nil); !errors.Is(err, ErrClosed) {
		t.Errorf("put after close: got %v, want closed", err)
	}
	if err := c.Put("a\x00b", "x", nil); err == nil {
		t.Error("a kind with a zero byte was taken")
	}
}

func TestEachUsesStore(t *testing.T) {
	s := mustOpen(t, Options{})
	c := s.Catalog()
	if err := c.PutAll([]Item{{"k", "a", nil}, {"k", "b", nil}}); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := c.Each("k", func(id string, _ []byte) error {
		n++
		return c.Put("k", id+"2", nil)
	})
	if err != nil || n != 2 {
		t.Fatalf("got %d items, %v, want 2", n, err)
	}
	stop := errors.New("stop")
	if err := c.Each("k", func(string, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("got %v, want the error of f", err)
	}
}

// TestPowerCut shows what a power cut leaves: everything Synced, and of the rest
// nothing without what came before.
func TestPowerCut(t *testing.T) {
	fs := vfs.NewStrictMem()
	s := mustOpen(t, Options{Dir: "d", FS: fs})
	c := s.Catalog()
	if err := c.Put("rule", "a", nil); err != nil {
		t.Fatal(err)
	}
	lazy := s.Begin()
	if err := errors.Join(c.PutIn(lazy, Item{"rule", "lazy", nil}), lazy.Commit(Lazy)); err != nil {
		t.Fatal(err)
	}
	if err := c.Put("rule", "b", nil); err != nil {
		t.Fatal(err)
	}
	written := s.Begin()
	if err := errors.Join(c.PutIn(written, Item{"rule", "written", nil}), written.Commit(Written)); err != nil {
		t.Fatal(err)
	}
	fs.SetIgnoreSyncs(true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	fs.ResetToSyncedState()
	fs.SetIgnoreSyncs(false)
	s = mustOpen(t, Options{Dir: "d", FS: fs})
	if got, want := ids(t, s, "rule"), []string{"a=", "b=", "lazy="}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDeleteSyncsSoon shows that a deletion is durable without another call.
func TestDeleteSyncsSoon(t *testing.T) {
	fs := vfs.NewStrictMem()
	s := mustOpen(t, Options{Dir: "d", FS: fs})
	c := s.Catalog()
	if err := errors.Join(c.Put("rule", "a", nil), c.Delete("rule", "a")); err != nil {
		t.Fatal(err)
	}
	s.users.Wait() // for the background sync
	fs.SetIgnoreSyncs(true)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	fs.ResetToSyncedState()
	fs.SetIgnoreSyncs(false)
	if got := ids(t, mustOpen(t, Options{Dir: "d", FS: fs}), "rule"); len(got) != 0 {
		t.Errorf("got %q, want nothing", got)
	}
}

// TestProcessCrash opens a copy of the files as the operating system has them, as
// a process finds them that follows one which was killed.
func TestProcessCrash(t *testing.T) {
	dir, after := t.TempDir(), t.TempDir()
	s := mustOpen(t, Options{Dir: dir})
	c := s.Catalog()
	if err := errors.Join(c.Put("rule", "a", nil), c.Put("rule", "b", nil), c.Delete("rule", "a")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(after, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if got, want := ids(t, mustOpen(t, Options{Dir: after}), "rule"), []string{"b="}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: file}); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("a file as directory: got %v", err)
	}
	s := mustOpen(t, Options{Dir: filepath.Join(dir, "a", "b")})
	if st, err := os.Stat(filepath.Join(dir, "a", "b")); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the directory that was made: %v, %v, want mode 0700", st, err)
	}
	_, err := Open(Options{Dir: filepath.Join(dir, "a", "b")})
	if err == nil || !strings.Contains(err.Error(), "is used by another process") {
		t.Errorf("a directory in use: got %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() != 0 {
		locked := filepath.Join(dir, "locked")
		if err := os.Mkdir(locked, 0o555); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Options{Dir: locked}); err == nil || !strings.Contains(err.Error(), "cannot be written") {
			t.Errorf("a directory that is read-only: got %v", err)
		}
	}
}

// smallDisk is a file system with a bound.
type smallDisk struct {
	vfs.FS
	free atomic.Int64
	fail atomic.Bool // writes fail
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: uint64(max(d.free.Load(), 0))}, nil
}

func (d *smallDisk) Create(name string) (vfs.File, error) {
	f, err := d.FS.Create(name)
	return smallFile{f, d}, err
}

func (d *smallDisk) ReuseForWrite(a, b string) (vfs.File, error) {
	f, err := d.FS.ReuseForWrite(a, b)
	return smallFile{f, d}, err
}

type smallFile struct {
	vfs.File
	d *smallDisk
}

func (f smallFile) Write(p []byte) (int, error) {
	if f.d.fail.Load() {
		return 0, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	f.d.free.Add(-int64(len(p)))
	return f.File.Write(p)
}

func TestFull(t *testing.T) {
	d := &smallDisk{FS: vfs.NewMem()}
	if _, err := Open(Options{Dir: "d", FS: d}); !errors.Is(err, ErrFull) {
		t.Fatalf("open on a full disk: got %v, want full", err)
	}
	d.free.Store(20 << 20)
	s := mustOpen(t, Options{Dir: "d", FS: d})
	c := s.Catalog()
	if err := c.Put("rule", "a", nil); err != nil {
		t.Fatal(err)
	}
	var err error
	data := make([]byte, 64<<10)
	n := 0
	for ; err == nil && n < 1000; n++ {
		err = c.Put("blob", fmt.Sprint(n), data)
	}
	if !errors.Is(err, ErrFull) || n < 10 {
		t.Fatalf("after %d blobs: got %v, want full", n, err)
	}
	if err := c.Delete("rule", "a"); err != nil {
		t.Errorf("delete on a full disk: %v", err)
	}
	if err := s.Health(); !errors.Is(err, ErrFull) {
		t.Errorf("health: got %v, want full", err)
	}
	if free := d.free.Load(); free < 12<<20 {
		t.Errorf("got %d bytes free, want most of the reserve", free)
	}
	d.free.Store(1 << 30)
	s.space.at = time.Time{} // a second later
	if err := c.Put("rule", "b", nil); err != nil {
		t.Errorf("put with room again: %v", err)
	}
}

// TestWriteWaitsForRoom lets the disk fill up below the store: writes wait, new
// ones are refused, and both go on when there is room.
func TestWriteWaitsForRoom(t *testing.T) {
	d := &smallDisk{FS: vfs.NewMem()}
	d.free.Store(1 << 40)
	s := mustOpen(t, Options{Dir: "d", FS: d})
	s.fs.retry = time.Millisecond
	d.fail.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.Catalog().Put("rule", "a", nil); err != nil {
			t.Errorf("put that waited: %v", err)
		}
	})
	for s.fs.stuck() == nil {
		runtime.Gosched() // until the writer has made its first attempt
	}
	if err := s.Catalog().Put("rule", "b", nil); !errors.Is(err, ErrFull) {
		t.Errorf("put meanwhile: got %v, want full", err)
	}
	d.fail.Store(false)
	wg.Wait()
	if got, want := ids(t, s, "rule"), []string{"a="}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestConcurrentPuts(t *testing.T) {
	s := mustOpen(t, Options{Dir: t.TempDir()})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if err := s.Catalog().Put("rule", fmt.Sprintf("%d-%d", g, i), []byte("x")); err != nil {
					t.Error(err)
				}
				if i%3 == 0 {
					if err := s.Catalog().Delete("rule", fmt.Sprintf("%d-%d", g, i)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if got, want := len(ids(t, s, "rule")), 8*33; got != want {
		t.Errorf("got %d rules, want %d", got, want)
	}
}
