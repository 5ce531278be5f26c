// Package file is the source that reads files: JSON, lines and CSV, once, again
// and again, or as they appear in a directory. Files are streamed: memory does
// not depend on their size. A faulty line or record is counted and passed over,
// with its file and line in the status; a file that cannot be read on ends, and
// the next one is read.
package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/vec"
)

// burst is the number of messages that are pushed as one read.
const burst = 256

// Source is a source of type file. It has the metadata file, the path of the
// file that a row is from.
type Source struct {
	o       Options
	to      source.Target
	tracker source.Tracker
	gone    bool // the path could not be listed the last time
}

// New makes a source of o that writes to to. It opens nothing: Run does.
func New(o Options, to source.Target) (*Source, error) {
	o.EnsureDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Source{o: o, to: to}, nil
}

// Status tells what the source does; faults are those of single lines and files.
func (s *Source) Status() source.Status { return s.tracker.Status() }

// Run reads until ctx ends, or everything is read that is to be read once. It is
// called once. An error is that of a single file that cannot be read.
func (s *Source) Run(ctx context.Context) error {
	s.tracker.Start()
	return s.tracker.End(ctx, s.run(ctx))
}

func (s *Source) run(ctx context.Context) error {
	files, dir, err := s.o.list()
	if err != nil && s.o.Interval == 0 {
		return fmt.Errorf("file source: %w", err)
	}
	watch := dir && s.o.Interval == 0
	every := s.o.Interval
	if watch {
		every = s.o.Watch
	}
	var seen seen
	for first := true; ; first = false {
		if !first {
			if err := wait(ctx, every); err != nil {
				return err
			}
			files, _, err = s.o.list()
		}
		s.there(err)
		if watch && err == nil {
			files = seen.fresh(files, first)
		}
		if err := s.readAll(ctx, files, every > 0); err != nil || every == 0 {
			return err
		}
	}
}

// ReadOnce feeds all files once, in place of Run.
func (s *Source) ReadOnce(ctx context.Context) error {
	files, _, err := s.o.list()
	if err != nil {
		return fmt.Errorf("file source: %w", err)
	}
	return s.readAll(ctx, files, false)
}

// Version is equal for files that have not changed: their names, sizes and times.
func (s *Source) Version() (string, error) {
	files, _, err := s.o.list()
	if err != nil {
		return "", fmt.Errorf("file source: %w", err)
	}
	var b strings.Builder
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return "", fmt.Errorf("file source: %w", err)
		}
		fmt.Fprintf(&b, "%s\x00%d\x00%d\x00", f, info.Size(), info.ModTime().UnixNano())
	}
	return b.String(), nil
}

// there notes that the path cannot be listed: once, until it can be again.
func (s *Source) there(err error) {
	if err != nil && !s.gone {
		s.tracker.Fault(fmt.Errorf("file source: %w", err))
	}
	s.gone = err != nil
}

// readAll reads files in turn. If others may follow, one that cannot be read is
// a fault to go on after.
func (s *Source) readAll(ctx context.Context, files []string, others bool) error {
	for _, f := range files {
		err := s.read(ctx, f)
		if err == nil {
			continue
		}
		if ctx.Err() != nil || errors.Is(err, ingest.ErrClosed) || !others {
			return err
		}
		s.tracker.Fault(err)
	}
	return nil
}

// stamp tells one version of a file from the next.
type stamp struct {
	size    int64
	changed time.Time
}

// seen remembers the files of a directory that is watched.
type seen map[string]*state

type state struct {
	stamp
	read bool
}

// fresh returns the files that are to be read: at first all of them, later those
// that are new or changed, and the same as at the last look.
func (s *seen) fresh(files []string, first bool) []string {
	if *s == nil {
		*s = make(seen)
	}
	var out []string
	there := map[string]bool{}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			continue // gone in the meantime
		}
		there[f] = true
		now := stamp{info.Size(), info.ModTime()}
		x := (*s)[f]
		if x == nil {
			x = &state{}
			(*s)[f] = x
		}
		switch {
		case first:
			x.stamp, x.read = now, true
			out = append(out, f)
		case x.stamp != now:
			x.stamp, x.read = now, false
		case !x.read:
			x.read = true
			out = append(out, f)
		}
	}
	for f := range *s {
		if !there[f] {
			delete(*s, f)
		}
	}
	return out
}

// read feeds one file and does with it what is to be done afterwards.
func (s *Source) read(ctx context.Context, path string) error {
	w := &writer{s: s, ctx: ctx, path: path, meta: ingest.Meta{
		More: &ingest.MetaMap{Items: []ingest.MetaItem{{Key: "file", Value: vec.StringValue(path)}}},
	}}
	err := w.file()
	w.end()
	if err != nil || s.o.After == Keep {
		return err
	}
	if err := w.safe(); err != nil {
		return err
	}
	if s.o.After == Delete {
		err = os.Remove(path)
	} else {
		err = s.move(path)
	}
	if err != nil {
		return fmt.Errorf("file source: %w", err)
	}
	return nil
}

// move puts the file into MoveTo under a name that is free there.
func (s *Source) move(path string) error {
	if err := os.MkdirAll(s.o.MoveTo, 0o755); err != nil {
		return err
	}
	name := filepath.Base(path)
	to := filepath.Join(s.o.MoveTo, name)
	for i := 1; ; i++ {
		if _, err := os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return os.Rename(path, to)
		} else if err != nil {
			return err
		}
		to = filepath.Join(s.o.MoveTo, fmt.Sprintf("%s.%d", name, i))
	}
}

// writer pushes the messages of one file.
type writer struct {
	s      *Source
	ctx    context.Context
	path   string
	meta   ingest.Meta
	begun  int // messages since Begin; 0: outside Begin and End
	pushed uint64
	acks   *acks
}

// push feeds one message, which is borrowed until it returns.
func (w *writer) push(payload []byte) error {
	if w.begun == 0 {
		if w.s.o.SendInterval > 0 && w.pushed > 0 {
			if err := wait(w.ctx, w.s.o.SendInterval); err != nil {
				return err
			}
		}
		if err := w.ctx.Err(); err != nil {
			return err
		}
		w.s.to.Feed.Begin(time.Now().UnixMilli())
	}
	w.begun++
	w.pushed++
	var ack ingest.Ack
	if w.s.o.After != Keep {
		if w.acks == nil {
			w.acks = &acks{done: make(chan struct{}, 1)}
		}
		ack = ingest.Ack{To: w.acks, Token: w.pushed}
	}
	err := w.s.to.Feed.Push(payload, w.s.to.Route, &w.meta, ack)
	if w.begun == burst || w.s.o.SendInterval > 0 || err != nil {
		w.end()
	}
	return err
}

func (w *writer) end() {
	if w.begun > 0 {
		w.begun = 0
		w.s.to.Feed.End()
	}
}

// fault counts a fault at a line of the file.
func (w *writer) fault(line int, err error) { w.s.tracker.Fault(w.at(line, err)) }

// at is err with the place in the file.
func (w *writer) at(line int, err error) error {
	return fmt.Errorf("file source: %q line %d: %w", w.path, line, err)
}

// safe waits until every message of the file is acknowledged.
func (w *writer) safe() error {
	if w.acks == nil {
		return nil
	}
	for w.acks.last() < w.pushed {
		select {
		case <-w.acks.done:
		case <-w.ctx.Done():
			return w.ctx.Err()
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
