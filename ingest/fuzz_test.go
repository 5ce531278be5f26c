package ingest

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-engine/weir/vec"
)

// FuzzObject holds the decoder against encoding/json: it takes the same payloads
// (objects and arrays of objects, nested up to maxDepth) and reads the same
// values, whatever message came before.
func FuzzObject(f *testing.F) {
	seeds := []string{
		flatMessage, twinMessage, `{}`, ` { } `, `[]`, `[{},{"a":1}]`, `{"a":{"b":[1,2,{"a":null}]},"x":"\u00e4\ud83d\ude00\ud800"}`,
		`{"a":1,"a":{"b":2},"a":{"x":3}}`, `{"a":01}`, `{"a":-0,"b":1e400,"x":1E-7}`, `{"a" : 1 , "b" :[ ] }`, "{\"a\":\"\xff\"}", "\ufeff{}", `5`,
		`{"a":12345678901234567890,"b":0.1234567890123456789,"x":123456789.123456789e-5}`, `{"\u0061":1,"a\/b":2}`, `{"a":tru}`, `{"a":"\q"}`,
		`[{"a":1},5]`, `{"a":1}}`, `{"a":[[[[]]]],"b":[{"a":1,"a":2}]}`, `{"":{"":{"":1}}}`, `{"z":1}`, `{"z":[{"b":1,"b":2}]}`, `{"z":{"b":1,"b":2}}`, `{"a":"12345678\"","b":"1234567\\"}`,
	}
	for i, s := range seeds {
		f.Add([]byte(s), []byte(seeds[(i+1)%len(seeds)]))
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		keys := []string{"", "a", "a/b", "x", "b", "twin/temperature/actual/value", "ts"}
		if len(one)+len(two) > 64<<10 { // nobody takes: Push would block behind two full batches
			return
		}
		in, feed := mustFeed(t, Options{}, paths(keys...))
		plain, narrow := mustFeed(t, Options{}, paths(keys[1:3]...)) // skips what the other one watches
		for _, payload := range [][]byte{one, two, one, two} {
			want, ok := reference(payload)
			if strings.Count(string(payload), "[")+strings.Count(string(payload), "{") > maxDepth || len(want) > vec.MaxRows {
				return
			}
			compare(t, in, feed, keys, payload, want, ok)
			compare(t, plain, narrow, keys[1:3], payload, want, ok)
		}
	})
}

// reference reads payload with encoding/json.
func reference(payload []byte) (rows []map[string]any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	var v any
	if !json.Valid(payload) || d.Decode(&v) != nil || !inRange(v) {
		return nil, false
	}
	switch v := v.(type) {
	case map[string]any:
		return []map[string]any{v}, true
	case []any:
		for _, e := range v {
			m, ok := e.(map[string]any)
			if !ok {
				return nil, false
			}
			rows = append(rows, m)
		}
		return rows, true
	}
	return nil, false
}

// inRange tells whether float64 reaches to all numbers of v.
func inRange(v any) bool {
	switch v := v.(type) {
	case json.Number:
		_, err := v.Float64()
		return err == nil
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !inRange(e) })
	case map[string]any:
		for _, e := range v {
			if !inRange(e) {
				return false
			}
		}
	}
	return true
}

func compare(t *testing.T, in *Inbox, f *Feed, keys []string, payload []byte, want []map[string]any, ok bool) {
	t.Helper()
	before := f.Stats().DecodeErrors
	f.Begin(1)
	mustPush(t, f, string(payload), 0, Ack{})
	f.End()
	s := f.Stats()
	if (s.DecodeErrors == before) != ok {
		t.Fatalf("%q: taken %v (%s), want %v", payload, !ok, s.LastError, ok)
	}
	g, b := in.Take()
	if b == nil {
		if len(want) != 0 {
			t.Fatalf("%q: no rows, want %d", payload, len(want))
		}
		return
	}
	if b.Rows != len(want) {
		t.Fatalf("%q: got %d rows, want %d", payload, b.Rows, len(want))
	}
	for row, m := range want {
		for i, k := range keys {
			var v any = m
			found := true
			if k != "" {
				for _, p := range strings.Split(k, "/") {
					o, _ := v.(map[string]any)
					if v, found = o[p]; !found {
						break
					}
				}
			}
			c := &b.Cols[i]
			if present := c.Present.Has(row); present != found {
				t.Fatalf("%q: row %d, column %q: present %v, want %v", payload, row, k, present, found)
			}
			if found && !equal(t, c.Value(row), v) {
				t.Fatalf("%q: row %d, column %q: got %v, want %v", payload, row, k, c.Value(row), v)
			}
		}
		text := b.Raw[b.Row[row].Off:b.Row[row].End]
		if b.Clean.Has(row) {
			var out bytes.Buffer
			if err := json.Compact(&out, text); err != nil || !bytes.Equal(out.Bytes(), text) || duplicates(text) {
				t.Fatalf("%q: clean, but it is not", text)
			}
		}
	}
	g.Done(b)
}

func equal(t *testing.T, got vec.Value, want any) bool {
	t.Helper()
	switch w := want.(type) {
	case nil:
		return got.Kind == vec.Null
	case bool:
		return got.Kind == vec.Bool && (got.I != 0) == w
	case string:
		return got.Kind == vec.String && got.S == w
	case json.Number:
		f, _ := strconv.ParseFloat(string(w), 64)
		if i, err := w.Int64(); err == nil && got.I != 0 {
			return got.Kind == vec.Float64 && got.I == i && got.F == f && int64(f) != i
		}
		return got.Kind == vec.Float64 && exactly(string(w), f) && math.Float64bits(got.F) == math.Float64bits(f)
	}
	d := json.NewDecoder(strings.NewReader(got.S))
	d.UseNumber()
	var v any
	return got.Kind == vec.JSON && d.Decode(&v) == nil && reflect.DeepEqual(v, want)
}

// FuzzTyped looks for panics and for batches that break their promises.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{
		`{"i":1,"f":2.5,"s":"x","b":true,"t":"2024-02-29","y":"QUI=","l":[1,null],"o":{"n":1,"s":"x","l":[[true]]}}`,
		`[{"o":"{\"n\":1}"},{"i":5.5}]`, `{"i":"x"}`, `{"o":{"n":1,"n":{}}}`, `{"l":[{}]}`, `{"i":null}`, `{"y":"\u0051UI="}`, `{"b":00}`,
	} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	schema := []vec.Field{
		withDefault(of("i", vec.Int64), vec.IntValue(1)), withDefault(of("f", vec.Float64), vec.FloatValue(1)), withDefault(of("s", vec.String), vec.StringValue("")),
		of("b", vec.Bool), of("t", vec.Timestamp), of("y", vec.Bytes), array("l", vec.Type{Kind: vec.Int64}),
		object("o", of("n", vec.Int64), of("s", vec.String), array("l", vec.Type{Kind: vec.JSON, Elem: &vec.Type{Kind: vec.Bool}})),
	}
	f.Fuzz(func(t *testing.T, payload []byte, strict bool) {
		if len(payload) > 4096 {
			return
		}
		p := typedPlan(schema, vec.ColumnSpec{}, vec.ColumnSpec{Path: []string{"o", "n"}})
		in, feed := mustFeed(t, Options{Schema: schema, Strict: strict}, p)
		feed.Begin(1)
		mustPush(t, feed, string(payload), 0, Ack{})
		feed.End()
		_, b := in.Take()
		if b == nil {
			return
		}
		printRows(t, b)
		for row := range b.Rows {
			if text := b.Raw[b.Row[row].Off:b.Row[row].End]; !json.Valid(text) || duplicates(text) {
				t.Fatalf("%q: the whole row is %q", payload, text)
			}
		}
	})
}

// FuzzDelimited looks for panics.
func FuzzDelimited(f *testing.F) {
	f.Add([]byte("1,\"a\"\"b\",x\n2"))
	f.Add([]byte("\"open"))
	f.Add([]byte(",,\r\n\r\n"))
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > 4096 { // nobody takes: Push would block behind two full batches
			return
		}
		in, feed := mustFeed(t, Options{Format: "delimited"}, paths("col0", "col1", ""))
		feed.Begin(1)
		mustPush(t, feed, string(payload), 0, Ack{})
		feed.End()
		if _, b := in.Take(); b != nil {
			printRows(t, b)
		}
	})
}

// exactly tells whether f is the number w, unless that is no whole one of 64 bits.
func exactly(w string, f float64) bool {
	i, err := strconv.ParseInt(w, 10, 64)
	if err != nil {
		return true
	}
	g, ok := vec.ExactFloat(i)
	return ok && g == f
}
