//go:build invariants

package ingest

import (
	"bytes"
	"testing"

	"github.com/weir-engine/weir/vec"
)

// What a batch lent is rubbish once it was given back, and the next batch is good.
func TestBatchIsPoisoned(t *testing.T) {
	in, f := mustFeed(t, Options{}, vec.NewPlan(1, []vec.ColumnSpec{{Path: []string{"a"}}}))
	send := func(payload string) *vec.Batch {
		f.Begin(1700000000000)
		mustPush(t, f, payload, f.Route([]uint32{7}), Ack{})
		f.End()
		_, b := in.Take()
		return b
	}
	b := send(`{"a":"text"}`)
	raw, row, at, c := b.Raw, b.Row, b.At, b.Cols[0]
	if !bytes.Contains(raw, []byte("text")) || c.Dict.Len() != 1 {
		t.Fatalf("got %q", raw)
	}
	f.Done(b)
	if bytes.Contains(raw, []byte("text")) || at[0] > 0 || row[0].Off <= row[0].End || int(c.Codes[0]) < c.Dict.Len() {
		t.Errorf("of a batch that was given back %q is left, since %d, at %v", raw, at[0], row[0])
	}
	for range 20 {
		b := send(`{"a":"again"}`)
		b.Check()
		if got := string(b.Cols[0].Dict.Bytes(b.Cols[0].Codes[0])); got != "again" || string(b.Raw) != `{"a":"again"}` {
			t.Errorf("the next batch has %q of %q", got, b.Raw)
		}
		f.Done(b)
	}
}
