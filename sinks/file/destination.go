package file

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/weir-engine/weir/sinks"
)

const (
	// maxOpen bounds the files of one destination that are open together.
	maxOpen = 64
	// maxRun bounds what is gathered for one write.
	maxRun = 256 << 10
)

// destination writes the files of one directory. Series of files by age are closed
// by a timer too, so that their last file does not wait for the next message.
type destination struct {
	locate func(place string, f *form) (spot, error)

	mu    sync.Mutex
	open  map[key]*output
	clock uint64 // counts uses, for the choice of what to close
	timer *time.Timer
	due   time.Time // when timer fires
	buf   []byte
	users int // lanes that have it open
	ended bool
}

// shared is the destination of all lanes of a queue: the end of a file is known to one.
type shared struct {
	locate func(place string, f *form) (spot, error)

	mu sync.Mutex
	d  *destination
}

// open returns the destination, made if nobody has it.
func (s *shared) open() *destination {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.d == nil || !s.d.enter() {
		s.d = newDestination(s.locate)
		s.d.enter()
	}
	return s.d
}

// enter counts a lane; it returns false if the last has closed d.
func (d *destination) enter() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return false
	}
	d.users++
	return true
}

// key is a file by its path, or a series of files by its path and form. A path
// that payloads chose does not share what the same path as a constant opened.
type key struct {
	path   string
	chosen bool
	series *form
}

func keyOf(path string, f *form) key {
	k := key{path: path, chosen: f.dynamic}
	if f.rolls() {
		k.series = f
	}
	return k
}

func newDestination(locate func(place string, f *form) (spot, error)) *destination {
	return &destination{locate: locate, open: make(map[key]*output)}
}

// Write writes runs of messages that go to one file together.
func (d *destination) Write(ctx context.Context, msgs []sinks.Message) (n int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for n < len(msgs) && ctx.Err() == nil {
		m, err := d.run(msgs[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// run writes the first messages of msgs that go to one file.
func (d *destination) run(msgs []sinks.Message) (int, error) {
	place := msgs[0].Place()
	f, ok := msgs[0].Route.Options.(*form)
	if !ok {
		return 0, sinks.Refuse(fmt.Errorf("route %q is not one of a file", msgs[0].Route.Spec))
	}
	k := keyOf(place, f)
	out, err := d.output(k, f)
	if err == nil && f.titled() {
		out, err = d.withColumns(k, out, f, msgs[0].Payload)
	}
	if err != nil {
		return 0, judge(place, err)
	}
	n := 0
	d.buf = d.buf[:0]
	for n < len(msgs) && msgs[n].Route == msgs[0].Route && msgs[n].Place() == place && len(d.buf) < maxRun {
		text := msgs[n].Payload
		if f.titled() {
			if n > 0 && !out.holds(f, text) {
				break
			}
			text = out.align(f, text)
		}
		d.buf = out.appendMessage(d.buf, text, n == 0)
		n++
		if out.full(int64(n), int64(len(d.buf))) {
			break
		}
	}
	if err := out.write(d.buf, int64(n)); err != nil {
		return 0, judge(place, err)
	}
	if out.full(0, 0) {
		return n, judge(place, d.close(k))
	}
	return n, nil
}

// judge tells errors of the path, which no waiting mends, from those of the disk.
func judge(place string, err error) error {
	if err == nil {
		return nil
	}
	if len(place) > maxName {
		place = place[:maxName] + "..."
	}
	err = fmt.Errorf("file %q: %w", place, err)
	for _, e := range []error{syscall.EISDIR, syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.EINVAL, syscall.ELOOP, syscall.EEXIST, errPlace} {
		if errors.Is(err, e) {
			return sinks.Refuse(err)
		}
	}
	for _, e := range ofDisk {
		if errors.Is(err, e) {
			return err
		}
	}
	return sinks.OfPlace(err)
}

// ofDisk are errors that concern all files of a directory. Others, such as that one
// may not be written, do not.
var ofDisk = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM}

// output returns the open file of k, opened if it is not.
func (d *destination) output(k key, f *form) (*output, error) {
	d.clock++
	if out := d.open[k]; out != nil {
		if k.series.aged(out.opened, time.Now()) {
			if err := d.close(k); err != nil {
				return nil, err
			}
		} else {
			out.used = d.clock
			return out, nil
		}
	}
	if len(d.open) >= maxOpen {
		oldest, used := key{}, uint64(1<<63)
		for k, out := range d.open {
			if out.used < used {
				oldest, used = k, out.used
			}
		}
		if err := d.close(oldest); err != nil {
			return nil, err
		}
	}
	at, err := d.locate(k.path, f)
	if err != nil {
		return nil, err
	}
	defer at.close()
	out, err := openOutput(at, f)
	if err != nil {
		return nil, err
	}
	out.used = d.clock
	d.open[k] = out
	if k.series.ages() {
		d.wakeAt(out.opened.Add(f.every))
	}
	return out, nil
}

func (d *destination) close(k key) error {
	out := d.open[k]
	delete(d.open, k)
	return out.close()
}

// wakeAt lets expire run at t, or before.
func (d *destination) wakeAt(t time.Time) {
	if d.timer != nil && !d.due.After(t) {
		return
	}
	if d.timer != nil {
		d.timer.Stop()
	}
	d.due = t
	d.timer = time.AfterFunc(time.Until(t), d.expire)
}

// expire closes the files whose time is over.
func (d *destination) expire() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return
	}
	d.timer = nil
	now := time.Now()
	for k, out := range d.open {
		switch {
		case k.series.aged(out.opened, now):
			// What fails here is only the end of a JSON array, and the next
			// write to the disk tells.
			_ = d.close(k)
		case k.series.ages():
			d.wakeAt(out.opened.Add(k.series.every))
		}
	}
}

// Close closes all files, if no other lane has d open.
func (d *destination) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users--; d.users > 0 {
		return nil
	}
	d.ended = true
	if d.timer != nil {
		d.timer.Stop()
	}
	var errs []error
	for k := range d.open {
		errs = append(errs, d.close(k))
	}
	return errors.Join(errs...)
}
