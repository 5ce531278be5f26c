package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/vec"
)

// meter is a source whose type the engine knows by its registry alone. It has an
// end, wants to be told what is safe, and delivers numbers that are no JSON.
type meter struct {
	options meterOptions
	to      source.Target
	tracker source.Tracker
	safe    *atomic.Uint64 // the last token that was told
}

type meterOptions struct {
	place string // DATASOURCE
	count int
	fail  string // why Run ends, if that is an error
}

func (o *meterOptions) table() props.Table {
	return props.Table{
		props.Whole(&o.count, "count", 0, 100, "how many numbers there are"),
		props.Text(&o.fail, "fail", "why the source ends"),
	}
}

// meterType makes the source type; safe is told the last token.
func meterType(safe *atomic.Uint64) source.Type {
	return source.Type{
		Properties: func() props.Table { return new(meterOptions).table() },
		Check: func(d source.Def) (source.Use, error) {
			o := meterOptions{place: d.DataSource}
			faults := o.table().Read(d.Props)
			if o.place == "" {
				faults.Join(errors.New("DATASOURCE: want a meter"))
			}
			return source.Use{
				Feed: func(f *ingest.Options) { f.Format, f.NewDecoder = "binary", newMeterDecoder },
				Open: func(to source.Target) (source.Source, error) { return &meter{options: o, to: to, safe: safe}, nil },
			}, faults.Err()
		},
		Group: func(given map[string]any) error { return new(meterOptions).table().Read(given).Err() },
		Ping:  func(ctx context.Context, _ source.Def) error { <-ctx.Done(); return ctx.Err() },
	}
}

// Run implements source.Source.
func (m *meter) Run(ctx context.Context) error {
	m.tracker.Start()
	m.to.Feed.Begin(1)
	for i := range m.options.count {
		payload := binary.BigEndian.AppendUint64(nil, uint64(i))
		if err := m.to.Feed.Push(payload, m.to.Route, nil, ingest.Ack{To: m, Token: uint64(i + 1)}); err != nil {
			return m.tracker.End(ctx, err)
		}
	}
	m.to.Feed.End()
	if m.options.fail != "" {
		return m.tracker.End(ctx, errors.New(m.options.fail))
	}
	return m.tracker.End(ctx, nil)
}

// Status implements source.Source.
func (m *meter) Status() source.Status { return m.tracker.Status() }

// Ack implements ingest.Acker.
func (m *meter) Ack(tokens []uint64) { m.safe.Store(tokens[len(tokens)-1]) }

// meterDecoder writes the number of a row into the columns called v.
type meterDecoder struct{ plan *vec.Plan }

func newMeterDecoder(p *vec.Plan) (ingest.Decoder, error) { return meterDecoder{p}, nil }

// Decode implements ingest.Decoder.
func (d meterDecoder) Decode(w *ingest.Writer, pos int, _ *ingest.Meta) (int, error) {
	text := w.Src()[pos:]
	if len(text) != 8 {
		return 0, errors.New("want 8 bytes")
	}
	for i, c := range d.plan.Cols {
		if len(c.Path) == 1 && c.Path[0] == "v" {
			w.Col(i).SetInt(w.Row(), int64(binary.BigEndian.Uint64(text)))
		}
	}
	return pos + 8, nil
}

// TestConnector is a source of a type that is registered and named nowhere: typed
// columns without JSON, an end, acknowledgements, states, settings and a ping.
func TestConnector(t *testing.T) {
	r := newRig(t, Options{})
	safe := new(atomic.Uint64)
	r.types.sources["meter"] = meterType(safe)
	r.conf("meter", "three", map[string]any{"count": 3.0})
	r.sql(`CREATE STREAM m (v BIGINT) WITH (TYPE="meter", DATASOURCE="x", CONF_KEY="three")`)
	out := r.listen("out")
	r.rule("a", "SELECT v, v * 2 AS w FROM m", "out")
	out.want(`{"v":0,"w":0}`, `{"v":1,"w":2}`, `{"v":2,"w":4}`)
	r.await("the messages are safe", func() bool { return safe.Load() == 3 })
	r.over("a")

	r.sql(`CREATE STREAM broken () WITH (TYPE="meter", DATASOURCE="x", EXTRA="{\"fail\":\"no current\"}")`)
	r.rule("b", "SELECT v FROM broken", "out")
	r.await("the failure", func() bool { return fmt.Sprint(r.status("b", "source_broken_0_connection_status")) == "-1" })
	r.wantStatus("b", "source_broken_0_connection_last_disconnected_message", "no current")

	if _, err := r.ExecStatement(`CREATE STREAM nowhere () WITH (TYPE="meter", DATASOURCE="")`); err == nil || !strings.Contains(err.Error(), "want a meter") {
		t.Errorf("without a meter: got %v", err)
	}
	if err := r.PutConfKey(api.ConfSources, "meter", "bad", map[string]any{"count": "many"}); err == nil || !strings.Contains(err.Error(), `property "count"`) {
		t.Errorf("bad group: got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.PingConnection(ctx, api.ConfSources, "meter", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("ping: got %v", err)
	}
	if err := r.PutConnection(api.Connection{ID: "m", Type: "meter"}); err == nil || !strings.Contains(err.Error(), "connection type meter is not supported") {
		t.Errorf("connection without a name: got %v", err)
	}
}

// shelf is a store of lookup tables that the engine knows by its registry alone.
type shelf struct{ closed *atomic.Bool }

// Fetch implements lookup.Store.
func (shelf) Fetch(_ context.Context, _ []string, keys []lookup.Key) ([]lookup.Answer, error) {
	out := make([]lookup.Answer, len(keys))
	for i, k := range keys {
		var err error
		if out[i].Rows, err = lookup.AppendRows(nil, []byte(fmt.Sprintf(`{"id":%s,"name":"n%s"}`, lookup.Text(k.Values[0]), lookup.Text(k.Values[0]))), true); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Ping implements lookup.Store.
func (shelf) Ping(context.Context) error { return nil }

// Close implements lookup.Store.
func (s shelf) Close() error { s.closed.Store(true); return nil }

// TestLookupConnector is a lookup table of a type that is registered and named
// nowhere.
func TestLookupConnector(t *testing.T) {
	r := newRig(t, Options{})
	closed := new(atomic.Bool)
	check := func(lookup.Def) (lookup.Use, error) {
		return lookup.Use{Open: func() (lookup.Store, error) { return shelf{closed}, nil }, OneKey: true}, nil
	}
	r.types.lookups["shelf"] = lookup.Type{Check: check, Ping: lookup.Pinger(check), Named: true}
	r.memoryStream("s", "in")
	r.must(r.PutConnection(api.Connection{ID: "c", Type: "shelf", Props: map[string]any{}}))
	r.must(r.PingConnection(t.Context(), api.ConfSources, "shelf", nil))
	if !closed.Swap(false) {
		t.Error("ping leaves the store open")
	}
	r.sql(`CREATE TABLE t () WITH (TYPE="shelf", DATASOURCE="x", KIND="lookup")`)
	out := r.listen("out")
	r.rule("a", "SELECT s.id, name FROM s INNER JOIN t ON s.id = t.id", "out")
	r.publish("in", `{"id":7}`)
	out.want(`{"id":7,"name":"n7"}`)
	err := r.CreateRule(r.def("b", "SELECT name FROM s INNER JOIN t ON s.id = t.id AND s.k = t.k", toMemory("out")))
	if err == nil || !strings.Contains(err.Error(), "shelf: a row is found by one key: want one equality in ON, found 2") {
		t.Errorf("two keys: got %v", err)
	}
	r.must(r.DeleteRule("a"))
	r.await("the store is closed", closed.Load)
}
