package ingest

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/weir-engine/weir/vec"
)

// acks records the order of acknowledgements.
type acks struct{ got []uint64 }

func (a *acks) Ack(tokens []uint64) { a.got = append(a.got, tokens...) }

func mustPush(t testing.TB, f *Feed, payload string, route uint32, ack Ack) {
	t.Helper()
	if err := f.Push([]byte(payload), route, nil, ack); err != nil {
		t.Fatal(err)
	}
}

func ready(in *Inbox) bool {
	select {
	case <-in.Ready():
		return true
	default:
		return false
	}
}

func TestRoutes(t *testing.T) {
	in, f := mustFeed(t, Options{}, paths("a"))
	one, two := f.Route([]uint32{5}), f.Route([]uint32{9, 5, 9})
	if f.Route([]uint32{5, 9}) != two || f.Route([]uint32{5}) != one || one == two {
		t.Error("equal sets of streams have different routes")
	}
	f.Begin(42)
	mustPush(t, f, `{"a":1}`, two, Ack{})
	mustPush(t, f, `[{"a":1},{"a":2}]`, one, Ack{})
	mustPush(t, f, `bad`, two, Ack{})
	f.End()
	_, b := in.Take()
	if got := []([]uint32){b.Routes.Streams[b.Route[0]], b.Routes.Streams[b.Route[2]]}; !slices.Equal(got[0], []uint32{5, 9}) || !slices.Equal(got[1], []uint32{5}) {
		t.Errorf("got streams %v", got)
	}
	if b.At[0] != 42 || b.At[2] != 42 {
		t.Errorf("got arrivals %v", b.At)
	}
	if s := f.StreamStats(5); s.Messages != 3 || s.Rows != 3 || s.DecodeErrors != 1 || s.Bytes != 27 {
		t.Errorf("stream 5: got %+v", s)
	}
	if s := f.StreamStats(9); s.Messages != 2 || s.Rows != 1 || s.DecodeErrors != 1 || s.LastPayload != "bad" {
		t.Errorf("stream 9: got %+v", s)
	}
	if s := f.Stats(); s.Messages != 3 || s.Rows != 3 || s.DecodeErrors != 1 || s.LastArrival != 42 {
		t.Errorf("feed: got %+v", s)
	}
	if s := f.StreamStats(1); s.Messages != 0 {
		t.Errorf("unknown stream: got %+v", s)
	}
}

func TestPlanChange(t *testing.T) {
	in, f := mustFeed(t, Options{}, paths("a"))
	f.Begin(1)
	mustPush(t, f, `{"a":1,"b":2}`, 0, Ack{})
	f.End()
	f.SetPlan(paths("b"))
	f.Begin(1)
	mustPush(t, f, `{"a":3,"b":4}`, 0, Ack{})
	f.End()
	f.Begin(1)
	mustPush(t, f, `{"a":5,"b":6}`, 0, Ack{})
	f.End()
	_, b := in.Take()
	check(t, "old plan", printRows(t, b), "a=1")
	_, c := in.Take()
	check(t, "new plan", printRows(t, c), "b=4", "b=6")
	f.Done(b)
	f.Done(c)
	if _, b = in.Take(); b != nil || !f.Idle() {
		t.Error("something is left")
	}
}

func TestAcknowledgeInOrder(t *testing.T) {
	in, f := mustFeed(t, Options{}, paths("a"))
	var a, other acks
	token := uint64(0)
	send := func(to Acker, payloads ...string) {
		f.Begin(1)
		for _, p := range payloads {
			token++
			mustPush(t, f, p, 0, Ack{to, token})
		}
		mustPush(t, f, `{"a":0}`[:0]+"[]", 0, Ack{}) // nobody waits for this one
		f.End()
	}
	send(&a, `{"a":1}`, `bad`, `[]`)
	_, b1 := in.Take()
	send(&a, `bad`, `[]`) // no rows, but what came before is not safe
	if _, b := in.Take(); b != nil {
		t.Fatalf("got a batch of %d rows, want none", b.Rows)
	}
	if len(a.got) != 0 {
		t.Fatalf("got acknowledgements %v before the first batch was done", a.got)
	}
	send(&a, `{"a":2}`)
	_, b2 := in.Take()
	send(&other, `{"a":3}`, `[]`)
	_, b3 := in.Take()
	f.Done(b3)
	f.Done(b2)
	if len(a.got) != 0 || len(other.got) != 0 {
		t.Fatalf("got acknowledgements %v, %v before the first batch was done", a.got, other.got)
	}
	f.Done(b1)
	if !slices.Equal(a.got, []uint64{1, 2, 3, 4, 5, 6}) || !slices.Equal(other.got, []uint64{7, 8}) {
		t.Errorf("got %v, %v", a.got, other.got)
	}
	send(&a, `bad`)
	if in.Take(); len(a.got) != 7 || !f.Idle() {
		t.Errorf("got %v: a bad message alone is not acknowledged", a.got)
	}
	f.Done(b1) // twice does nothing
}

func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, f := mustFeed(t, Options{}, paths("a"))
		pushed, stopped := 0, false
		go func() {
			for ; ; pushed++ {
				f.Begin(1)
				err := f.Push(fmt.Appendf(nil, `{"a":%d}`, pushed), 0, nil, Ack{})
				f.End()
				if err != nil {
					stopped = errors.Is(err, ErrClosed)
					return
				}
			}
		}()
		synctest.Wait()
		if pushed != 2*vec.MaxRows {
			t.Fatalf("blocked after %d rows, want %d", pushed, 2*vec.MaxRows)
		}
		if s := f.Stats(); s.Rows != uint64(pushed) { // does not wait for the blocked Push
			t.Fatalf("got %d rows counted", s.Rows)
		}
		f.SetPlan(paths("a"))
		next := 0
		for range 5 {
			_, b := in.Take()
			for row := range b.Rows {
				if got := b.Cols[0].Floats[row]; got != float64(next) {
					t.Fatalf("got row %v, want %d", got, next)
				}
				next++
			}
			f.Done(b)
			synctest.Wait()
		}
		f.SetPaused(true)
		if _, b := in.Take(); b != nil {
			t.Fatal("a paused feed was taken")
		}
		synctest.Wait()
		for ready(in) {
		}
		f.SetPaused(false)
		if !ready(in) {
			t.Fatal("not ready after the pause")
		}
		if _, b := in.Take(); b == nil || b.Rows != vec.MaxRows {
			t.Fatal("nothing to take after the pause")
		}
		f.Close()
		synctest.Wait()
		if !stopped {
			t.Fatal("Close does not end a blocked Push")
		}
	})
}

// A source that never pauses between reads is taken from nevertheless.
func TestTakeWhileWriting(t *testing.T) {
	in, f := mustFeed(t, Options{}, paths("a"))
	f.Begin(1)
	mustPush(t, f, `{"a":1}`, 0, Ack{})
	if _, b := in.Take(); b != nil {
		t.Fatal("rows of a read that is under way were taken")
	}
	f.End()
	if !ready(in) {
		t.Fatal("not ready after End")
	}
	f.Begin(2)
	mustPush(t, f, `{"a":2}`, 0, Ack{})
	if _, b := in.Take(); b != nil {
		t.Fatal("rows of a read that is under way were taken")
	}
	f.End()
	f.Begin(3)
	if _, b := in.Take(); b == nil || b.Rows != 2 {
		t.Fatal("the rows that the executor asked for are not there")
	}
	f.End()
}

func TestLongestWaitingFirst(t *testing.T) {
	in := NewInbox()
	var feeds []*Feed
	for range 3 {
		f, err := NewFeed(in, Options{})
		if err != nil {
			t.Fatal(err)
		}
		feeds = append(feeds, f)
	}
	read := func(f *Feed) {
		f.Begin(1)
		mustPush(t, f, `{}`, 0, Ack{})
		f.End()
	}
	for _, i := range []int{2, 0, 1, 2} {
		read(feeds[i])
	}
	feeds[0].SetPaused(true)
	for _, want := range []int{2, 1} {
		f, b := in.Take()
		if f != feeds[want] {
			t.Fatalf("got feed %d, want %d", slices.Index(feeds, f), want)
		}
		f.Done(b)
	}
	if f, _ := in.Take(); f != nil {
		t.Fatal("got a paused feed")
	}
	feeds[0].SetPaused(false)
	if f, _ := in.Take(); f != feeds[0] {
		t.Fatal("the feed is lost after its pause")
	}
}

func TestLongArraySpansBatches(t *testing.T) {
	in, f := mustFeed(t, Options{}, paths("a", "b"))
	var want []string
	var text strings.Builder
	for i := range 2*vec.MaxRows + 100 {
		fmt.Fprintf(&text, `,{"a":%d,"b":{"c":%d}}`, i, i)
		want = append(want, fmt.Sprintf(`a=%d b={"c":%d}`, i, i))
	}
	got := push(t, in, f, `[`+text.String()[1:]+`]`)
	check(t, "rows", got, want...)
}

func TestLargePayloads(t *testing.T) {
	in, f := mustFeed(t, Options{}, paths("a", "s"))
	large := `{"a":5,"s":"` + strings.Repeat("x", 10<<20) + `"}`
	if got := push(t, in, f, `{"a":1}`, large, `{"a":2}`, large); len(got) != 4 || got[2] != "a=2" {
		t.Errorf("got %d rows", len(got))
	}
	for _, b := range in.pool.free {
		if cap(b.Raw) > keepBytes {
			t.Errorf("a pooled batch holds %d bytes of text", cap(b.Raw))
		}
		for _, c := range b.spare {
			if d := c.Dict; d != nil && cap(d.Data) > keepBytes {
				t.Errorf("a pooled batch holds %d bytes of strings", cap(d.Data))
			}
		}
	}
}

func TestRedecode(t *testing.T) {
	topic := vec.ColumnSpec{Path: []string{"topic"}, Meta: true}
	in, f := mustFeed(t, Options{}, paths("a"))
	f.Begin(1)
	for i := range 100 {
		if err := f.Push(fmt.Appendf(nil, `{"a":%d,"b":{"c":"x%d"},"d":null}`, i, i%3), 0, &Meta{Topic: fmt.Sprint("t", i)}, Ack{}); err != nil {
			t.Fatal(err)
		}
	}
	f.End()
	_, b := in.Take()
	p := vec.NewPlan(2, []vec.ColumnSpec{{Path: []string{"b", "c"}}, topic, {Path: []string{"d"}}, {}})
	if err := f.Redecode(b, p); err != nil {
		t.Fatal(err)
	}
	rows := printRows(t, b)
	if b.Plan != p || rows[99] != `b/c="x0" meta:topic="t99" d=null ={"a":99,"b":{"c":"x0"},"d":null}` || !b.Clean.Has(99) {
		t.Errorf("got %s", rows[99])
	}
	if s := f.Stats(); s.Messages != 100 || s.Rows != 100 {
		t.Errorf("decoding again counts: %+v", s)
	}
	f.Done(b)
	if err := f.Redecode(b, p); err == nil {
		t.Error("a batch that is done was decoded")
	}

	schema := []vec.Field{of("a", vec.Int64), of("b", vec.Int64)}
	in, f = mustFeed(t, Options{Schema: schema}, paths("a"))
	f.Begin(1)
	mustPush(t, f, `{"a":1,"b":1}`, 0, Ack{})
	mustPush(t, f, `{"a":2,"b":"x"}`, 0, Ack{})
	mustPush(t, f, `{"a":3}`, 0, Ack{})
	f.End()
	_, b = in.Take()
	if err := f.Redecode(b, paths("a", "b")); err != nil {
		t.Fatal(err)
	}
	check(t, "a value that does not fit", printRows(t, b), "a=1i b=1i", "a=2i b=fault", "a=3i")
	if err := f.Redecode(b, paths("b", "a")); err != nil {
		t.Fatal(err)
	}
	check(t, "twice", printRows(t, b), "b=1i a=1i", "b=fault a=2i", "a=3i")
}

// counting is a decoder of its own around the one for JSON.
type counting struct {
	*Object
	rows int
}

func (d *counting) Decode(w *Writer, pos int, m *Meta) (int, error) {
	d.rows++
	end, err := d.Object.Decode(w, pos, m)
	if err == nil {
		w.Col(1).SetInt(w.Row(), int64(d.rows))
	}
	return end, err
}

func TestOwnDecoder(t *testing.T) {
	number := func(w *Writer, col int, kind vec.Kind, text []byte) error {
		switch {
		case kind != vec.String:
			return fmt.Errorf("property: want text, found %q", text)
		case len(text) != 1:
			w.BadValue("property: no digit", text)
			w.Col(col).SetNull(w.Row())
			return nil
		}
		w.Col(col).SetInt(w.Row(), int64(text[0]-'0'))
		return nil
	}
	o := Options{Schema: []vec.Field{of("x", vec.Bool)}}
	o.NewDecoder = func(p *vec.Plan) (Decoder, error) {
		obj, err := NewObject(&o, p, []Mapping{
			{Col: 0, Path: []string{"twin", "x", "value"}, Set: number}, {Col: 2, Path: []string{"twin", "x", "value"}}, {Col: 3},
		})
		return &counting{Object: obj}, err
	}
	in, f := mustFeed(t, o, paths("x", "n", "raw", ""))
	check(t, "rows", push(t, in, f, `{"twin":{"x":{"value":"5"}}}`, `{"twin":{"x":{"value":5}}}`, `{"twin":{"x":{"value":"50"}}}`, `{}`),
		`x=5i n=1i raw="5" ={"twin":{"x":{"value":"5"}}}`, `x=null n=3i raw="50" ={"twin":{"x":{"value":"50"}}}`, `n=4i ={}`)
	if s := f.Stats(); s.DecodeErrors != 1 || s.BadValues != 1 || s.LastPayload != "50" {
		t.Errorf("got %+v", s)
	}
	o.NewDecoder = func(*vec.Plan) (Decoder, error) { return nil, errors.New("no model") }
	in, f = mustFeed(t, o, paths("x"))
	check(t, "refusing", push(t, in, f, `{}`))
	if s := f.Stats(); s.DecodeErrors != 1 || !strings.Contains(s.LastError, "no model") {
		t.Errorf("got %+v", s)
	}
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	in, f := mustFeed(t, Options{}, paths("temperature", "deviceid", "ts", "", "nested/x"))
	msgs := variants(flatMessage)
	for i := range msgs {
		if i%3 == 0 {
			msgs[i] = append(msgs[i][:len(msgs[i])-1], `,"nested":{"x":[true]}}`...)
		}
	}
	route := f.Route([]uint32{1})
	var a acks
	a.got = make([]uint64, 0, 1<<20)
	m := &Meta{Topic: "a", MQTT: true}
	read := func() {
		f.Begin(1)
		for i, p := range msgs {
			if err := f.Push(p, route, m, Ack{&a, uint64(i)}); err != nil {
				t.Fatal(err)
			}
		}
		f.End()
		for g, b := in.Take(); b != nil; g, b = in.Take() {
			g.Done(b)
		}
	}
	for range 3 {
		read()
	}
	if n := testing.AllocsPerRun(100, read); n != 0 {
		t.Errorf("got %v allocations a read, want 0", n)
	}
}

// Thousands of feeds that had their message hold little: no batch, no columns.
func TestIdleFeedsAreSmall(t *testing.T) {
	in := NewInbox()
	schema := []vec.Field{of("temperature", vec.Float64), of("humidity", vec.Int64), of("deviceid", vec.String)}
	plan := typedPlan(schema)
	const n = 2000
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	feeds := make([]*Feed, n)
	for i := range feeds {
		f, err := NewFeed(in, Options{Schema: schema})
		if err != nil {
			t.Fatal(err)
		}
		f.SetPlan(plan)
		route := f.Route([]uint32{uint32(i)})
		for range 2 {
			f.Begin(1)
			mustPush(t, f, flatMessage, route, Ack{})
			f.End()
			_, b := in.Take()
			f.Done(b)
		}
		feeds[i] = f
	}
	size := (heap() - before) / n
	t.Logf("%d bytes a feed", size)
	if size > 6<<10 {
		t.Errorf("got %d bytes a feed", size)
	}
	runtime.KeepAlive(feeds)
}

func TestSources(t *testing.T) {
	in := NewInbox()
	f, err := NewFeed(in, Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.SetPlan(paths("a"))
	const sources, reads = 4, 500
	done := make(chan bool)
	for range sources {
		go func() {
			route := f.Route([]uint32{1})
			for range reads {
				f.Begin(1)
				for range 7 {
					if f.Push([]byte(`{"a":1}`), route, nil, Ack{}) != nil {
						break
					}
				}
				f.End()
			}
			done <- true
		}()
	}
	rows, left := 0, sources
	for left > 0 {
		select {
		case <-in.Ready():
		case <-done:
			left--
		}
		f.SetPlan(paths("a"))
		f.Stats()
		for g, b := in.Take(); b != nil; g, b = in.Take() {
			rows += b.Rows
			g.Done(b)
		}
	}
	if want := sources * reads * 7; rows != want || !f.Idle() {
		t.Errorf("got %d rows, want %d", rows, want)
	}
}
