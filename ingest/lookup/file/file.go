// Package file is the lookup table whose rows are those of a file, or of all files
// of a directory: JSON, lines of JSON, or CSV. They are read at the first question
// and again when a file has changed, and kept in memory. A file that became
// unreadable leaves the rows that were read before.
package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/file"
	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/vec"
)

// maxBytes bounds the text of the rows: they are in memory.
const maxBytes = 64 << 20

// look is the time between two looks at the files, unless interval says another.
const look = time.Second

// Options configures a Store.
type Options struct {
	File file.Options
	// Key is the table's KEY: of rows that have it in common the last one counts.
	// Empty: all rows count.
	Key string
	// Ints makes whole numbers int64 instead of float64.
	Ints bool
}

// Store is a lookup table in files.
type Store struct {
	o       Options
	files   *file.Source
	index   *lookup.Index
	version string
	looked  time.Time
	err     error // of the last reading
	load    loader
}

// New makes a store of o. It opens nothing.
func New(o Options) (*Store, error) {
	if o.File.After != file.Keep {
		return nil, errors.New("file source: actionAfterRead: the files of a lookup table stay where they are")
	}
	if o.File.SendInterval != 0 {
		return nil, errors.New("file source: sendInterval: the files of a lookup table are read at once")
	}
	s := &Store{o: o}
	var err error
	s.files, err = file.New(o.File, source.Target{Feed: &s.load})
	return s, err
}

// Fetch finds rows in what was read.
func (s *Store) Fetch(ctx context.Context, fields []string, keys []lookup.Key) ([]lookup.Answer, error) {
	if err := s.refresh(ctx); err != nil {
		return nil, err
	}
	return s.index.Find(fields, keys), nil
}

// Ping reads the files.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.refresh(ctx); err != nil {
		return err
	}
	return s.err
}

// Close forgets the rows.
func (s *Store) Close() error {
	s.index = nil
	return nil
}

// refresh reads the files if they have changed. An error is one without rows to
// answer from.
func (s *Store) refresh(ctx context.Context) error {
	every := s.o.File.Interval
	if every == 0 {
		every = look
	}
	if s.index != nil && time.Since(s.looked) < every {
		return nil
	}
	s.looked = time.Now()
	version, err := s.files.Version()
	if err == nil && s.index != nil && version == s.version {
		return nil
	}
	if err == nil {
		err = s.read(ctx)
	}
	if s.err = err; err == nil {
		s.version = version
	} else if s.index == nil {
		return err
	}
	return nil
}

func (s *Store) read(ctx context.Context) error {
	s.load = loader{ints: s.o.Ints}
	defer func() { s.load = loader{} }()
	if err := s.files.ReadOnce(ctx); err != nil {
		return err
	}
	s.index = lookup.NewIndex(s.keyed(s.load.rows))
	return nil
}

// keyed keeps the last row of each key.
func (s *Store) keyed(rows []vec.Value) []vec.Value {
	if s.o.Key == "" {
		return rows
	}
	at := map[string]int{}
	out := rows[:0]
	for _, row := range rows {
		k, ok := lookup.KeyOf(row, []string{s.o.Key})
		if !ok {
			continue
		}
		if i, known := at[k]; known {
			out[i] = row
			continue
		}
		at[k] = len(out)
		out = append(out, row)
	}
	return out
}

// loader collects what the file source feeds.
type loader struct {
	ints  bool
	rows  []vec.Value
	bytes int
}

func (l *loader) Begin(int64) {}
func (l *loader) End()        {}

func (l *loader) Push(payload []byte, _ uint32, _ *ingest.Meta, _ ingest.Ack) error {
	if l.bytes += len(payload); l.bytes > maxBytes {
		return lookup.Final(fmt.Errorf("file source: more than %d MiB: keep a table of that size in a database", maxBytes>>20))
	}
	var err error
	if l.rows, err = lookup.AppendRows(l.rows, payload, l.ints); err != nil {
		return lookup.Final(fmt.Errorf("file source: row %d: %w", len(l.rows)+1, err))
	}
	return nil
}
