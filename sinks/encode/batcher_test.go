package encode

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
)

func TestBatcher(t *testing.T) {
	in := input{rows: []string{`{"a":1}`, `{"a":2}`, `{"a":3}`}, plain: []string{"a"}}
	for props, want := range map[string]string{
		`{"batchSize":2}`:                                        `[[{"a":1}],[{"a":2}]] [[{"a":3}]]`,
		`{"batchSize":2,"sendSingle":true}`:                      `[{"a":1},{"a":2}] [{"a":3}]`,
		`{"batchSize":2,"sendSingle":true,"format":"delimited"}`: "1\n2 3",
		`{"batchSize":2,"dataTemplate":"{{index . 0 \"a\"}}"}`:   `[1,2] [3]`,
		`{"lingerInterval":100}`:                                 `[[{"a":1}],[{"a":2}],[{"a":3}]]`,
	} {
		e := mustNew(t, props)
		if !e.Batching() {
			t.Fatalf("%s: does not batch", props)
		}
		var b Batcher
		var got []string
		flush := func() {
			out, sent, err := b.Flush(e, []byte("x"))
			if err != nil || !sent {
				t.Fatalf("%s: got %v, %v", props, sent, err)
			}
			got = append(got, string(out[1:]))
		}
		for i, m := range rows(t, e, in.projection(), 3) {
			if b.Add(e, []byte(m), int64(1000+i)) {
				flush()
			}
		}
		if b.Len() > 0 {
			flush()
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s: got %s, want %s", props, g, want)
		}
		if out, sent, err := b.Flush(e, nil); sent || len(out) > 0 || err != nil {
			t.Errorf("%s: an empty batch was sent", props)
		}
	}
	if mustNew(t, `{}`).Batching() {
		t.Error("batches without batchSize and lingerInterval")
	}
}

func TestBatcherDeadline(t *testing.T) {
	e := mustNew(t, `{"lingerInterval":"200ms"}`)
	var b Batcher
	if _, ok := b.Deadline(); ok {
		t.Error("an empty batch has a deadline")
	}
	b.Add(e, []byte("1"), 1000)
	b.Add(e, []byte("2"), 1100)
	if at, ok := b.Deadline(); at != 1200 || !ok {
		t.Errorf("got deadline %d, %v, want 1200", at, ok)
	}
	if _, _, err := b.Flush(e, nil); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Deadline(); ok {
		t.Error("a flushed batch has a deadline")
	}
	// However long it may wait, a batch stays below a bound.
	msg := bytes.Repeat([]byte("x"), maxBatchBytes/4)
	for i := range 10 {
		if b.Add(e, msg, 2000) {
			if i != 3 {
				t.Errorf("full after %d messages, want 4", i+1)
			}
			return
		}
	}
	t.Error("a batch grows without a bound")
}

func TestBatcherCompresses(t *testing.T) {
	e := mustNew(t, `{"batchSize":2,"compression":"gzip","sendSingle":true}`)
	in := input{rows: []string{`{"a":1}`, `{"a":2}`}, plain: []string{"a"}}
	var b Batcher
	for _, m := range rows(t, e, in.projection(), 2) {
		b.Add(e, []byte(m), 0)
	}
	out, _, err := b.Flush(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); string(got) != `[{"a":1},{"a":2}]` || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}
