package file

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// readBytes is the size of a read.
const readBytes = 64 << 10

// file opens the file and pushes its messages.
func (w *writer) file() error {
	f, err := os.Open(w.path)
	if err != nil {
		return fmt.Errorf("file source: %w", err)
	}
	defer f.Close()
	r, closeReader, err := decompress(f, w.s.o.Decompression)
	if err != nil {
		return fmt.Errorf("file source: %q: %w", w.path, err)
	}
	defer closeReader()
	in := bufio.NewReaderSize(&fileReader{r, w.path}, readBytes)
	if head, err := in.Peek(3); err == nil && bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		if _, err := in.Discard(3); err != nil {
			return err
		}
	}
	switch w.s.o.Type {
	case Lines:
		return w.lines(in)
	case CSV:
		return w.csv(in)
	}
	return w.json(in)
}

// fileReader names the file in the errors of reading it.
type fileReader struct {
	r    io.Reader
	path string
}

func (f *fileReader) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("file source: %q: %w", f.path, err)
	}
	return n, err
}

// decompress returns a reader of r's plain text; close it, then r.
func decompress(r io.Reader, how string) (io.Reader, func(), error) {
	var rc io.ReadCloser
	var err error
	switch how {
	case "gzip":
		rc, err = gzip.NewReader(r)
	case "zlib":
		rc, err = zlib.NewReader(r)
	case "flate":
		rc = flate.NewReader(r)
	case "zstd":
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(32<<20))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		return d, d.Close, nil
	default:
		return r, func() {}, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", how, err)
	}
	return rc, func() { rc.Close() }, nil
}

// lineReader reads lines of any length up to maxMessageBytes.
type lineReader struct {
	in   *bufio.Reader
	line int // number of the line that next returned
	buf  []byte
}

var errLong = fmt.Errorf("longer than %d bytes", maxMessageBytes)

// next returns the next line without its end, valid until the next call; io.EOF
// at the end. A line that is too long is passed over: errLong.
func (l *lineReader) next() ([]byte, error) {
	l.buf = l.buf[:0]
	l.line++
	long := false
	for {
		part, err := l.in.ReadSlice('\n')
		if long = long || len(l.buf)+len(part) > maxMessageBytes; long {
			l.buf = nil
		}
		switch {
		case err == bufio.ErrBufferFull:
			if !long {
				l.buf = append(l.buf, part...)
			}
			continue
		case err == io.EOF && len(part) == 0 && len(l.buf) == 0 && !long:
			return nil, io.EOF
		case err != nil && err != io.EOF:
			return nil, err
		case long:
			return nil, errLong
		}
		if len(l.buf) > 0 {
			l.buf = append(l.buf, part...)
			part = l.buf
		}
		part = bytes.TrimSuffix(part, []byte("\n"))
		return bytes.TrimSuffix(part, []byte("\r")), nil
	}
}

// lines pushes each line; empty ones are no messages.
func (w *writer) lines(in *bufio.Reader) error {
	l := &lineReader{in: in}
	t := tail{back: w.s.o.IgnoreEndLines}
	for {
		line, err := l.next()
		switch {
		case err == io.EOF:
			return nil
		case err == errLong:
			w.fault(l.line, err)
			continue
		case err != nil:
			return err
		case l.line <= w.s.o.IgnoreStartLines:
			continue
		}
		if line = t.swap(line); len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := w.push(line); err != nil {
			return err
		}
	}
}

// tail holds back the last lines, so that those at the end of the file are left
// out.
type tail struct {
	back int // how many lines
	ring [][]byte
	at   int
}

// swap takes line and returns the one that has so many behind it, or nil.
func (t *tail) swap(line []byte) []byte {
	if t.back == 0 {
		return line
	}
	if len(t.ring) <= t.back {
		t.ring = append(t.ring, append([]byte(nil), line...))
		if len(t.ring) <= t.back {
			return nil
		}
		t.at = 0
		return t.ring[0]
	}
	t.ring[t.at] = append(t.ring[t.at][:0], line...)
	t.at = (t.at + 1) % len(t.ring)
	return t.ring[t.at]
}

// json pushes the elements of an array, or the values that stand one after the
// other. What follows a fault cannot be read.
func (w *writer) json(in io.Reader) error {
	d := &jsonFile{w: w, in: bounded{r: in, left: maxMessageBytes}}
	d.dec = json.NewDecoder(&d.in)
	err := d.values()
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax), errors.Is(err, errLong):
		return w.at(w.lineOf(d.dec.InputOffset()), err)
	case err == io.ErrUnexpectedEOF:
		return w.at(w.lineOf(-1), errors.New("unexpected end of JSON"))
	}
	return err
}

type jsonFile struct {
	w   *writer
	dec *json.Decoder
	in  bounded
	raw json.RawMessage
}

// bounded refuses to read more than left bytes: the decoder would hold a whole
// file whose first string never ends.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (d *jsonFile) values() error {
	for {
		first, err := d.peek()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if first != '[' {
			if err := d.value(); err != nil {
				return err
			}
			continue
		}
		if _, err := d.dec.Token(); err != nil {
			return err
		}
		for d.dec.More() {
			if err := d.value(); err != nil {
				return noEOF(err)
			}
		}
		if _, err := d.dec.Token(); err != nil {
			return noEOF(err)
		}
	}
}

// peek returns the first character of the next value.
func (d *jsonFile) peek() (byte, error) {
	// More tells only of the end of arrays and files; it fills the buffer.
	if !d.dec.More() {
		_, err := d.dec.Token()
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return 0, err
	}
	var b [64]byte
	r := d.dec.Buffered()
	for {
		n, err := r.Read(b[:])
		if rest := bytes.TrimLeft(b[:n], " \t\r\n"); len(rest) > 0 {
			return rest[0], nil
		}
		if err != nil {
			return 0, io.ErrUnexpectedEOF
		}
	}
}

func (d *jsonFile) value() error {
	d.in.left = maxMessageBytes
	if d.raw = d.raw[:0]; cap(d.raw) > 1<<20 {
		d.raw = nil
	}
	if err := d.dec.Decode(&d.raw); err != nil {
		return err
	}
	return d.w.push(d.raw)
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// lineOf reads the file again to find the line of the fault in the value that
// begins behind offset of its plain text, or its last line for -1. Faults are
// rare, and counting the lines of all files is not free. 0: it cannot be read.
func (w *writer) lineOf(offset int64) int {
	f, err := os.Open(w.path)
	if err != nil {
		return 0
	}
	defer f.Close()
	r, closeReader, err := decompress(f, w.s.o.Decompression)
	if err != nil {
		return 0
	}
	defer closeReader()
	in := bufio.NewReaderSize(r, readBytes)
	if head, err := in.Peek(3); err == nil && bytes.Equal(head, []byte("\xef\xbb\xbf")) && offset >= 0 {
		offset += 3
	}
	line := 1
	for at := int64(0); ; at++ {
		c, err := in.ReadByte()
		if err != nil {
			return line
		}
		if offset >= 0 && at >= offset && bytes.IndexByte([]byte(" \t\r\n,"), c) < 0 {
			return line + linesBefore(c, in)
		}
		if c == '\n' {
			line++
		}
	}
}

// linesBefore counts the line ends before the fault in the JSON value of first
// and what follows in in.
func linesBefore(first byte, in io.Reader) int {
	var ends lineEnds
	d := json.NewDecoder(io.TeeReader(io.MultiReader(bytes.NewReader([]byte{first}), in), &ends))
	var raw json.RawMessage
	var syntax *json.SyntaxError
	if !errors.As(d.Decode(&raw), &syntax) {
		return 0
	}
	n := 0
	for n < len(ends.at) && ends.at[n] < syntax.Offset-1 {
		n++
	}
	return n
}

// lineEnds notes where the line ends are in what is written to it.
type lineEnds struct {
	n  int64
	at []int64
}

// Write notes the line ends in p.
func (l *lineEnds) Write(p []byte) (int, error) {
	for i, c := range p {
		if c == '\n' {
			l.at = append(l.at, l.n+int64(i))
		}
	}
	l.n += int64(len(p))
	return len(p), nil
}
