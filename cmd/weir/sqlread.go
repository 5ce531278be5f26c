package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/weir-engine/weir/ingest"
)

// maxMessage bounds one message of a file, in bytes.
const maxMessage = 64 << 20

// messageReader feeds the messages of a text: lines of JSON, an array, or values
// one after the other over any number of lines. run is called once; fault after
// it has returned.
type messageReader struct {
	feed  *ingest.Feed
	route uint32

	messages, bad uint64
	last          string // the last fault, with its place
}

// run reads until in ends. Its error is one after which nothing more can be read.
func (r *messageReader) run(ctx context.Context, in io.Reader) error {
	b := bufio.NewReaderSize(in, 64<<10)
	if head, err := b.Peek(3); err == nil && bytes.Equal(head, []byte("\xef\xbb\xbf")) {
		if _, err := b.Discard(3); err != nil {
			return err
		}
	}
	first, err := skipBlank(b)
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read messages: %w", err)
	}
	if first == '[' {
		return r.values(ctx, b)
	}
	return r.lines(ctx, b)
}

// skipBlank returns the first character that is not white space and leaves it in b.
func skipBlank(b *bufio.Reader) (byte, error) {
	for {
		c, err := b.ReadByte()
		if err != nil {
			return 0, err
		}
		if bytes.IndexByte([]byte(" \t\r\n"), c) < 0 {
			return c, b.UnreadByte()
		}
	}
}

// lines feeds a message a line. If the first line is not a value by itself, the
// text is values over several lines.
func (r *messageReader) lines(ctx context.Context, b *bufio.Reader) error {
	var buf []byte
	for n := 1; ; n++ {
		line, err := readLine(b, buf[:0])
		buf = line
		if err != nil && err != io.EOF {
			return fmt.Errorf("line %d: %w", n, err)
		}
		end := err == io.EOF
		text := bytes.TrimSpace(line)
		if n == 1 && !end && !json.Valid(text) && unfinished(text) {
			return r.values(ctx, io.MultiReader(bytes.NewReader(bytes.Clone(line)), b))
		}
		if len(text) > 0 {
			if err := r.push(ctx, text, "line", n); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

// unfinished tells whether text is the beginning of a value.
func unfinished(text []byte) bool {
	var v json.RawMessage
	return errors.Is(json.NewDecoder(bytes.NewReader(text)).Decode(&v), io.ErrUnexpectedEOF)
}

// readLine appends the next line with its end to buf.
func readLine(b *bufio.Reader, buf []byte) ([]byte, error) {
	for {
		part, err := b.ReadSlice('\n')
		buf = append(buf, part...)
		if len(buf) > maxMessage {
			return buf, fmt.Errorf("longer than %d bytes", maxMessage)
		}
		if err != bufio.ErrBufferFull {
			return buf, err
		}
	}
}

// values feeds the values of in, and the elements of those that are arrays. What
// follows a fault in the text cannot be read.
func (r *messageReader) values(ctx context.Context, in io.Reader) error {
	d := json.NewDecoder(in)
	depth, n := 0, 1
	for {
		for depth > 0 && !d.More() {
			if _, err := d.Token(); err != nil {
				return fmt.Errorf("message %d: %w", n, noEOF(err))
			}
			depth--
		}
		if depth == 0 && opensArray(d) {
			if _, err := d.Token(); err != nil {
				return fmt.Errorf("message %d: %w", n, noEOF(err))
			}
			depth++
			continue
		}
		var text json.RawMessage
		if err := d.Decode(&text); err != nil {
			if err == io.EOF && depth == 0 {
				return nil
			}
			return fmt.Errorf("message %d: %w", n, noEOF(err))
		}
		if err := r.push(ctx, text, "message", n); err != nil {
			return err
		}
		n++
	}
}

// opensArray tells whether the next value of d is an array.
func opensArray(d *json.Decoder) bool {
	d.More() // fills the buffer
	var b [512]byte
	for rest := d.Buffered(); ; {
		n, err := rest.Read(b[:])
		if text := bytes.TrimLeft(b[:n], " \t\r\n"); len(text) > 0 {
			return text[0] == '['
		}
		if err != nil {
			return false
		}
	}
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// push feeds one message as a read of its own, so that a fault can be told with
// its place.
func (r *messageReader) push(ctx context.Context, text []byte, what string, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.feed.Begin(time.Now().UnixMilli())
	err := r.feed.Push(text, r.route, nil, ingest.Ack{})
	r.feed.End()
	if err != nil {
		return err
	}
	r.messages++
	if s := r.feed.Stats(); s.DecodeErrors > r.bad {
		r.bad = s.DecodeErrors
		r.last = fmt.Sprintf("%s %d: %s: %s", what, n, s.LastError, s.LastPayload)
	}
	return nil
}

// fault tells of messages that did not decode.
func (r *messageReader) fault() error {
	if r.bad == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d messages refused, the last: %s", r.bad, r.messages, r.last)
}
