package lookup

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-engine/weir/vec"
)

// flaky fails so many times, each after a while.
type flaky struct {
	fails int
	err   error
	takes time.Duration
	asked int
}

func (f *flaky) Fetch(ctx context.Context, _ []string, keys []Key) ([]Answer, error) {
	f.asked++
	select {
	case <-time.After(f.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.asked <= f.fails {
		return nil, f.err
	}
	return make([]Answer, len(keys)), nil
}

func (f *flaky) Ping(context.Context) error { return nil }
func (f *flaky) Close() error               { return nil }

func TestAsk(t *testing.T) {
	down := errors.New("down")
	for _, c := range []struct {
		name  string
		f     flaky
		err   string
		asked int
		takes time.Duration
	}{
		{"at once", flaky{}, "", 1, 0},
		{"third attempt", flaky{fails: 2, err: down}, "", 3, 60 * time.Millisecond},
		{"never", flaky{fails: 1000, err: down}, "no answer within 5s: down", 10, 5 * time.Second},
		{"final", flaky{fails: 1000, err: Final(down)}, "down", 1, 0},
		{"hangs", flaky{takes: time.Hour}, "no answer within 5s: context deadline exceeded", 1, 5 * time.Second},
		{"hangs after a reason", flaky{fails: 2, err: down, takes: 3 * time.Second}, "no answer within 5s: down", 2, 5 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			_, err := Ask(t.Context(), &c.f, 5*time.Second, nil, make([]Key, 1))
			if err == nil && c.err != "" || err != nil && err.Error() != c.err {
				t.Errorf("%s: got %v, want %s", c.name, err, c.err)
			}
			if took := time.Since(begin); c.f.asked != c.asked || took != c.takes {
				t.Errorf("%s: asked %d times in %v, want %d in %v", c.name, c.f.asked, took, c.asked, c.takes)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := Ask(ctx, &flaky{fails: 1000, err: down}, time.Hour, nil, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: got %v", err)
		}
	})
}

func TestParseProps(t *testing.T) {
	o, err := ParseProps(map[string]any{"timeout": "2s", "lookup": map[string]any{"cache": true, "cacheTtl": 600, "cacheMissingKey": "true"}})
	if want := (Options{Timeout: 2 * time.Second, Cache: true, CacheTTL: 600 * time.Millisecond, CacheMissing: true}); err != nil || o != want {
		t.Errorf("got %+v, %v", o, err)
	}
	if o, err = ParseProps(map[string]any{"timeout": 0}); err != nil || o != (Options{Timeout: DefaultTimeout}) {
		t.Errorf("defaults: got %+v, %v", o, err)
	}
	for _, c := range []struct {
		props map[string]any
		want  string
	}{
		{map[string]any{"timeout": "soon"}, `property "timeout"`},
		{map[string]any{"lookup": true}, `property "lookup": want an object`},
		{map[string]any{"lookup": map[string]any{"cache": 5}}, `property "lookup.cache"`},
	} {
		if _, err := ParseProps(c.props); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %s", c.props, err, c.want)
		}
	}
}

func TestIndex(t *testing.T) {
	rows, err := AppendRows(nil, []byte(`[{"a":1,"b":"x"}, {"a":2,"b":"x"},{"a":1.0,"b":null},{"a":[1]}]`), false)
	if err != nil {
		t.Fatal(err)
	}
	x := NewIndex(rows)
	find := func(fields []string, values ...vec.Value) (out string) {
		var b []byte
		for _, v := range values {
			b, _ = vec.AppendEqual(b, v)
		}
		for _, r := range x.Find(fields, []Key{{Text: string(b)}})[0].Rows {
			out += r.S
		}
		return out
	}
	if got := find([]string{"a"}, vec.IntValue(1)); got != `{"a":1,"b":"x"}{"a":1.0,"b":null}` {
		t.Errorf("a: got %s", got)
	}
	if got := find([]string{"b", "a"}, vec.StringValue("x"), vec.FloatValue(2)); got != `{"a":2,"b":"x"}` {
		t.Errorf("b and a: got %s", got)
	}
	if got := find([]string{"c"}, vec.IntValue(1)); got != "" {
		t.Errorf("c: got %s", got)
	}
	for _, bad := range []string{"", "5", `[{"a":1},5]`, `{"a":01}`} {
		if _, err := AppendRows(nil, []byte(bad), false); err == nil {
			t.Errorf("%q: not refused", bad)
		}
	}
}

// A key finds rows by exact numbers, and is written in plain digits.
func TestExactKeys(t *testing.T) {
	rows, err := AppendRows(nil, []byte(`[{"k":9007199254740992,"n":0},{"k":9007199254740993,"n":1},{"k":5.0,"n":2}]`), false)
	if err != nil {
		t.Fatal(err)
	}
	x := NewIndex(rows)
	for _, tt := range []struct {
		v    vec.Value
		row  int // -1: none
		text string
	}{
		{vec.IntValue(1 << 53), 0, "9007199254740992"},
		{vec.IntValue(1<<53 + 1), 1, "9007199254740993"},
		{vec.ExactValue(1<<53 + 1), 1, "9007199254740993"},
		{vec.IntValue(1<<53 + 2), -1, "9007199254740994"},
		{vec.FloatValue(5), 2, "5"},
		{vec.FloatValue(1700000040000), -1, "1700000040000"},
		{vec.FloatValue(0.00001), -1, "0.00001"},
	} {
		key, _ := vec.AppendEqual(nil, tt.v)
		got := x.Find([]string{"k"}, []Key{{Text: string(key)}})[0].Rows
		if tt.row < 0 && len(got) != 0 || tt.row >= 0 && (len(got) != 1 || got[0].S != rows[tt.row].S) {
			t.Errorf("%s: got %v, want row %d", tt.text, got, tt.row)
		}
		if text := Text(tt.v); text != tt.text {
			t.Errorf("got the text %s, want %s", text, tt.text)
		}
	}
	if _, err := AppendRows(nil, []byte(`{"k":1e400}`), false); err == nil {
		t.Error("a number beyond float64 is taken")
	}
}
