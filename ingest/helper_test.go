package ingest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustFeed(t testing.TB, o Options, p *vec.Plan) (*Inbox, *Feed) {
	t.Helper()
	in := NewInbox()
	f, err := NewFeed(in, o)
	if err != nil {
		t.Fatal(err)
	}
	f.SetPlan(p)
	return in, f
}

// typedPlan is the plan of all fields of a schema.
func typedPlan(schema []vec.Field, more ...vec.ColumnSpec) *vec.Plan {
	var cols []vec.ColumnSpec
	for _, f := range schema {
		cols = append(cols, vec.ColumnSpec{Path: []string{f.Name}, Type: f.Type})
	}
	return vec.NewPlan(1, append(cols, more...))
}

// push sends payloads as one read and returns what Take gives, printed. Another
// goroutine pushes, as it blocks when there are many rows.
func push(t testing.TB, in *Inbox, f *Feed, payloads ...string) []string {
	t.Helper()
	return pushTo(t, in, f, payloads...)
}

// pushTo is push for a feed that is guarded, or not.
func pushTo(t testing.TB, in *Inbox, f interface {
	Begin(at int64)
	Route(streams []uint32) uint32
	Push(payload []byte, route uint32, m *Meta, ack Ack) error
	End()
}, payloads ...string,
) []string {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		route := f.Route([]uint32{7})
		f.Begin(1700000000000)
		defer f.End()
		for _, p := range payloads {
			if err := f.Push([]byte(p), route, nil, Ack{}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	var rows []string
	take := func() {
		for g, b := in.Take(); b != nil; g, b = in.Take() {
			rows = append(rows, printRows(t, b)...)
			g.Done(b)
		}
	}
	for {
		select {
		case <-in.Ready():
			take()
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			f.Begin(0) // waits for End
			f.End()
			take()
			return rows
		}
	}
}

// printRows prints each row as its present columns, null as null. It checks what
// every sealed batch promises.
func printRows(t testing.TB, b *vec.Batch) []string {
	t.Helper()
	words := vec.Words(b.Rows)
	if len(b.Row) != b.Rows || len(b.Route) != b.Rows || len(b.At) != b.Rows || len(b.Clean) != words {
		t.Fatalf("rows %d: got %d texts, %d routes, %d times, %d words of Clean", b.Rows, len(b.Row), len(b.Route), len(b.At), len(b.Clean))
	}
	for i := range b.Cols {
		c := &b.Cols[i]
		if c.Valid == nil {
			if c.Kind != vec.Null || c.Present != nil {
				t.Fatalf("column %d: no row has it, but kind %v, present %v", i, c.Kind, c.Present)
			}
			continue
		}
		if c.Rows != b.Rows || len(c.Valid) != words || len(c.Present) != words {
			t.Fatalf("column %d: got %d rows, want %d", i, c.Rows, b.Rows)
		}
		if r := b.Rows & 63; r != 0 && (c.Valid[words-1]|c.Present[words-1])>>r != 0 {
			t.Fatalf("column %d: bits beyond row %d", i, b.Rows)
		}
	}
	var rows []string
	for row := range b.Rows {
		var parts []string
		for i, spec := range b.Plan.Cols {
			c := &b.Cols[i]
			v := c.Value(row)
			name := strings.Join(spec.Path, "/")
			if spec.Meta {
				name = "meta:" + name
			}
			switch {
			case c.Fault.Has(row):
				parts = append(parts, name+"=fault")
			case c.Valid == nil || v.Kind == vec.Missing:
			default:
				parts = append(parts, name+"="+printValue(v))
			}
		}
		rows = append(rows, strings.Join(parts, " "))
	}
	return rows
}

func printValue(v vec.Value) string {
	switch v.Kind {
	case vec.Null:
		return "null"
	case vec.Bool:
		return fmt.Sprint(v.I != 0)
	case vec.Int64:
		return fmt.Sprintf("%di", v.I)
	case vec.Timestamp:
		return fmt.Sprintf("%dms", v.I)
	case vec.Float64:
		return exactText(v)
	case vec.String:
		return fmt.Sprintf("%q", v.S)
	case vec.Bytes:
		return fmt.Sprintf("bytes(%q)", v.S)
	}
	if v.X != nil {
		b, _ := json.Marshal(v.X)
		return string(b)
	}
	text := v.S
	if v.Ints {
		text += "i"
	}
	return text
}

func check(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s:\n got  %s\n want %s", what, strings.Join(got, "\n      "), strings.Join(want, "\n      "))
	}
}

// exactText is a float in Go's form, which shows what digits a float64 keeps, and one
// with more digits in plain ones.
func exactText(v vec.Value) string {
	if v.I != 0 {
		return fmt.Sprint(v.I)
	}
	return fmt.Sprint(v.F)
}
