package file

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// output is one open file.
type output struct {
	f      *os.File
	form   *form
	opened time.Time
	used   uint64
	size   int64    // what the file is known to hold
	start  int64    // size when it was opened
	count  int64    // messages since
	cols   []string // of a CSV file with a header: the names in it, as they are written
	head   string   // cols as a line
	other  string   // the last header of a message that was not head
	from   []int    // by column of the file: its place in other, -1: it is not there
	plain  bool     // a regular file: a failed write can be taken back
}

// openOutput opens the file at a spot, or the next of the series that it stands
// for, for appending.
func openOutput(at spot, f *form) (*output, error) {
	now := time.Now()
	flags := os.O_CREATE | os.O_WRONLY | os.O_APPEND
	switch {
	case f.Type == "json":
		flags = os.O_CREATE | os.O_RDWR // the end of the array is written over
	case f.titled():
		flags = os.O_CREATE | os.O_RDWR | os.O_APPEND // the header is read
	}
	if f.rolls() {
		flags |= os.O_EXCL
	}
	flags |= syscall.O_NONBLOCK // a pipe that nobody reads is an error, not a reason to wait
	h, name, err := create(at, f, now, flags)
	if err != nil {
		return nil, err
	}
	st, err := h.Stat()
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	o := &output{f: h, form: f, opened: now, size: st.Size(), plain: st.Mode().IsRegular()}
	switch {
	case !o.plain:
	case f.Type == "json":
		err = o.reopenArray()
	case f.titled() && o.size > 0:
		o.title(o.readColumns())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), h.Close())
	}
	o.start = o.size
	return o, nil
}

// create opens the file, of a series the first name that is free.
func create(at spot, f *form, now time.Time, flags int) (h *os.File, name string, err error) {
	for ms := now.UnixMilli(); ; ms++ {
		switch f.Pattern {
		case "prefix":
			name = fmt.Sprintf("%d-%s", ms, at.base)
		case "suffix":
			ext := filepath.Ext(at.base)
			name = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(at.base, ext), ms, ext)
		default:
			name = at.base
		}
		h, err = at.open(name, flags)
		if !f.rolls() || !errors.Is(err, os.ErrExist) {
			return h, name, err
		}
	}
}

// reopenArray goes on behind the last element of a JSON array that was closed.
func (o *output) reopenArray() error {
	var tail [64]byte
	n := min(o.size, int64(len(tail)))
	if _, err := o.f.ReadAt(tail[:n], o.size-n); err != nil {
		return err
	}
	text := bytes.TrimRight(tail[:n], " \r\n\t")
	if bytes.HasSuffix(text, []byte{']'}) {
		o.size -= n - int64(len(text)) + 1
	}
	return nil
}

// appendMessage appends what the file gets for one message; first tells that
// nothing was appended to dst before.
func (o *output) appendMessage(dst, text []byte, first bool) []byte {
	begin := first && o.size == 0
	switch o.form.Type {
	case "json":
		switch {
		case begin:
			dst = append(dst, '[')
		case first && o.size == 1: // a lone [, its array was empty
		default:
			dst = append(dst, ",\n"...)
		}
		return append(dst, text...)
	case "csv":
		if begin && o.head != "" {
			dst = append(append(dst, o.head...), '\n')
		}
		if len(text) == 0 { // a window without rows
			return dst
		}
	}
	return append(append(dst, text...), '\n')
}

// full tells whether the file is at its end with that much more in it.
func (o *output) full(messages, bytes int64) bool {
	f := o.form
	return f.rolls() && (f.RollCount > 0 && o.count+messages >= f.RollCount ||
		f.RollSize > 0 && o.size-o.start+bytes >= f.RollSize)
}

// write appends b, which holds some messages, all or nothing.
func (o *output) write(b []byte, messages int64) error {
	b, err := compress(o.form.Compression, b)
	if err != nil {
		return err
	}
	if n, err := o.append(b); err != nil {
		return errors.Join(err, o.takeBack(n))
	}
	o.size += int64(len(b))
	o.count += messages
	return nil
}

// pipePatience is how long a pipe that is full holds up a write.
const pipePatience = 200 * time.Millisecond

func (o *output) append(b []byte) (int, error) {
	if !o.plain {
		_ = o.f.SetWriteDeadline(time.Now().Add(pipePatience)) // which not all that is no file has
	}
	if o.plain && o.form.Type == "json" {
		return o.f.WriteAt(b, o.size)
	}
	return o.f.Write(b)
}

// takeBack removes the n bytes of a write that failed, unless somebody else has
// written behind them.
func (o *output) takeBack(n int) error {
	st, err := o.f.Stat()
	if err != nil || n == 0 || !o.plain || o.form.Type != "json" && st.Size() != o.size+int64(n) {
		return err
	}
	return o.f.Truncate(o.size)
}

func (o *output) close() error {
	var err error
	if o.form.Type == "json" && o.size > 0 {
		_, err = o.append([]byte("]\n"))
	}
	return errors.Join(err, o.f.Close())
}

// compress makes b a gzip member or zstd frame of its own: a file of several is a
// valid one, also when the process ends between two.
func compress(method string, b []byte) ([]byte, error) {
	switch method {
	case "gzip":
		var buf bytes.Buffer
		w := gzip.NewWriter(&buf)
		_, err := w.Write(b)
		if err = errors.Join(err, w.Close()); err != nil {
			return nil, err
		}
		return buf.Bytes(), nil
	case "zstd":
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, err
		}
		defer w.Close()
		return w.EncodeAll(b, nil), nil
	}
	return b, nil
}
