// Package lookup holds what the stores of lookup tables share: what a store is
// asked and answers, the settings of every table, and how long a question is
// repeated. It knows no store, no SQL and no rules, and starts no goroutine.
package lookup

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// Key is what the columns of a row must be equal to. Whole numbers are Int64.
type Key struct {
	Text   string // what vec.AppendEqual makes of the values, one after the other
	Values []vec.Value
}

// Answer is what a store has for a key.
type Answer struct {
	Rows []vec.Value // JSON objects
	Err  error       // why this key cannot be answered, though others can
}

// Store is a store. Its methods are called by one goroutine at a time, and Close
// last.
type Store interface {
	// Fetch returns the answer for each key: the rows whose columns fields are
	// equal to it. An error concerns all keys; one that is not Final may go away,
	// and the question is repeated.
	Fetch(ctx context.Context, fields []string, keys []Key) ([]Answer, error)
	// Ping tells whether the store can be reached.
	Ping(ctx context.Context) error
	Close() error
}

// Final marks an error that does not go away when the question is repeated.
func Final(err error) error { return final{err} }

type final struct{ error }

// IsFinal tells whether err was marked so.
func IsFinal(err error) bool {
	var f final
	return errors.As(err, &f)
}

func (f final) Unwrap() error { return f.error }

// Options are the settings that every lookup table has.
type Options struct {
	// Timeout is how long a question is repeated, and the bound of one attempt;
	// default 5s.
	Timeout time.Duration
	// Cache keeps answers for CacheTTL, 0: as long as rules use the table; with
	// CacheMissing also that there is no row.
	Cache        bool
	CacheTTL     time.Duration
	CacheMissing bool
}

// DefaultTimeout is the default of Options.Timeout.
const DefaultTimeout = 5 * time.Second

func (o *Options) table() props.Table {
	return props.Table{
		props.Duration(&o.Timeout, "timeout", "how long a question is repeated, and one attempt may take; 0: the default"),
		props.Group("lookup", "how answers are kept", props.Table{
			props.Flag(&o.Cache, "cache", "keeps answers"),
			props.Duration(&o.CacheTTL, "cacheTtl", "how long answers are kept; 0: as long as rules use the table"),
			props.Flag(&o.CacheMissing, "cacheMissingKey", "keeps, too, that there is no row"),
		}),
	}
}

// Properties describes what can be set of every lookup table.
func Properties() props.Table { return (&Options{Timeout: DefaultTimeout}).table() }

// ParseProps reads the properties that every lookup table has. The error lists every
// fault.
func ParseProps(given map[string]any) (Options, error) {
	o := Options{Timeout: DefaultTimeout}
	faults := o.table().Read(given)
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	return o, faults.Err()
}

// The pause before a question is repeated: it doubles from the first to the last.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// Ask asks s, again and again until it answers, the error is final, or timeout is
// over. A store that broke off after it gave a reason is reported with the reason.
func Ask(ctx context.Context, s Store, timeout time.Duration, fields []string, keys []Key) ([]Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var reason error
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		out, err := s.Fetch(ctx, fields, keys)
		if err == nil {
			return out, nil
		}
		if IsFinal(err) {
			return nil, err
		}
		if reason == nil || ctx.Err() == nil {
			reason = err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, fmt.Errorf("no answer within %v: %w", timeout, reason)
			}
			return nil, ctx.Err()
		}
	}
}

// InParts asks for at most size keys at a time.
func InParts(keys []Key, size int, fetch func(keys []Key, out []Answer) error) ([]Answer, error) {
	out := make([]Answer, len(keys))
	for from := 0; from < len(keys); from += size {
		to := min(from+size, len(keys))
		if err := fetch(keys[from:to], out[from:to]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Text returns a part of a key as text, a number in plain digits.
func Text(v vec.Value) string {
	switch v.Kind {
	case vec.Int64, vec.Float64:
		return vec.NumberText(v)
	case vec.Bool:
		return strconv.FormatBool(v.I != 0)
	}
	return v.S
}

// AppendRows appends the rows of a JSON text: an object, or an array of objects.
// Without ints whole numbers are float64.
func AppendRows(rows []vec.Value, text []byte, ints bool) ([]vec.Value, error) {
	clean, err := rawjson.Valid(text)
	if err != nil {
		return rows, err
	}
	if !clean {
		if text, err = rawjson.AppendCompact(nil, text); err != nil {
			return rows, err
		}
	}
	row := func(raw []byte) bool {
		if rawjson.TypeOf(raw) != rawjson.Object {
			return false
		}
		rows = append(rows, vec.Value{Kind: vec.JSON, S: string(raw), Ints: ints})
		return true
	}
	ok := true
	if rawjson.TypeOf(text) == rawjson.Array {
		rawjson.Each(text, func(raw []byte) bool {
			ok = row(raw)
			return ok
		})
	} else {
		ok = row(text)
	}
	if !ok {
		return rows, errors.New("want a JSON object or an array of objects")
	}
	return rows, nil
}

// Index finds rows by the values of their columns.
type Index struct {
	rows []vec.Value
	by   map[string]map[string][]vec.Value // by columns, then key
}

// maxIndexes is the number of sets of columns that an Index keeps at a time.
const maxIndexes = 16

// NewIndex makes an index of rows, which it takes.
func NewIndex(rows []vec.Value) *Index { return &Index{rows: rows} }

// Find returns the answers for keys.
func (x *Index) Find(fields []string, keys []Key) []Answer {
	name := ""
	for _, f := range fields {
		name += f + "\x00"
	}
	m := x.by[name]
	if m == nil {
		if x.by == nil || len(x.by) >= maxIndexes {
			x.by = map[string]map[string][]vec.Value{}
		}
		m = map[string][]vec.Value{}
		for _, row := range x.rows {
			if k, ok := KeyOf(row, fields); ok {
				m[k] = append(m[k], row)
			}
		}
		x.by[name] = m
	}
	out := make([]Answer, len(keys))
	for i, k := range keys {
		out[i].Rows = m[k.Text]
	}
	return out
}

// KeyOf returns the key of a row, a JSON text, by some columns; ok is false if one
// of them has no value that can be equal to another.
func KeyOf(row vec.Value, fields []string) (text string, ok bool) {
	var b []byte
	for _, f := range fields {
		raw, has := rawjson.Get([]byte(row.S), f)
		if !has {
			return "", false
		}
		if b, ok = vec.AppendEqual(b, rawjson.Value(raw, row.Ints)); !ok {
			return "", false
		}
	}
	return string(b), true
}
