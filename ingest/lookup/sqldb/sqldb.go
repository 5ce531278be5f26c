// Package sqldb is the lookup table in an SQL database. It reads and never writes.
// A question is one statement for many keys, which compares in the database, so
// that the database says what is equal. What differs between databases is in the
// table drivers; each entry comes with the import of its driver.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/vec"
)

// maxKeys is the number of keys in one statement: SQLite takes a compound of 500.
const maxKeys = 64

// driver is a database that can be asked.
type driver struct {
	name  string // in database/sql
	quote byte   // around names
	// dsn makes the data source name of what stands behind scheme: in a dburl;
	// relative paths are below dir.
	dsn func(rest, dir string) (string, error)
	// mark is the placeholder of argument i, from 1.
	mark func(i int) string
	// final tells that an error of the database does not go away by itself.
	final func(error) bool
	// probe is a statement that shows that there is a database.
	probe string
}

// drivers are the databases by the scheme of their dburl.
var drivers = map[string]driver{"sqlite": sqlite, "sqlite3": sqlite, "sq": sqlite, "file": sqlite}

// Options configures a Store.
type Options struct {
	// DBURL says which database and where: sqlite:///path/to/file.db.
	DBURL string
	// Table is the table's DATASOURCE: the name of a table or view. Empty: the
	// database can be pinged, and no more.
	Table string
	// Columns are those that are read; nil: all.
	Columns []string
	// Dir is the directory of relative paths.
	Dir string
}

func (o *Options) table() props.Table {
	return props.Table{
		props.Text(&o.DBURL, "dburl", "the URL of a database, such as sqlite:///var/lib/plant.db").Alias("url").Required(),
		props.Refused("templateSqlQueryCfg", "not supported yet for lookup tables"),
	}
}

// Properties describes what can be set of a lookup table in a database.
func Properties() props.Table { return new(Options).table() }

// ParseProps reads dburl (or url, its name since eKuiper 2). table is the
// DATASOURCE, columns are those that the table declares.
func ParseProps(given map[string]any, table, dir string, columns []string) (Options, error) {
	o := Options{Table: table, Dir: dir, Columns: columns}
	if err := o.read(given); err != nil {
		return o, err
	}
	if table == "" || strings.ContainsRune(table, 0) {
		return o, fmt.Errorf("sql: DATASOURCE %q: want the name of a table", table)
	}
	return o, nil
}

// read reads the properties.
func (o *Options) read(given map[string]any) error {
	if err := o.table().Read(given).Err(); err != nil {
		return fmt.Errorf("sql: %w", err)
	}
	_, _, err := o.driver()
	return err
}

// driver finds the driver and what it opens. The error does not show the URL's
// password.
func (o *Options) driver() (d driver, dsn string, err error) {
	scheme, rest, ok := strings.Cut(o.DBURL, ":")
	if !ok {
		return d, "", fmt.Errorf(`sql: property "dburl": %q is no URL: want driver://..., such as sqlite:///var/lib/plant.db`, o.DBURL)
	}
	if d, ok = drivers[strings.ToLower(scheme)]; !ok {
		return d, "", fmt.Errorf(`sql: property "dburl": there is no driver %q: want sqlite`, scheme)
	}
	if dsn, err = d.dsn(rest, o.Dir); err != nil {
		return d, "", fmt.Errorf(`sql: property "dburl": %w`, err)
	}
	return d, dsn, nil
}

// Store is a lookup table in a database.
type Store struct {
	o  Options
	d  driver
	db *sql.DB
	// text of the statement for so many keys of so many columns
	texts map[[2]int]string
	of    []string // columns of texts
}

// New makes a store of o. It connects with the first question.
func New(o Options) (*Store, error) {
	d, dsn, err := o.driver()
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(d.name, dsn)
	if err != nil {
		return nil, fmt.Errorf("sql: %w", err)
	}
	db.SetMaxOpenConns(1)
	db.SetConnMaxIdleTime(5 * time.Minute)
	return &Store{o: o, d: d, db: db, texts: map[[2]int]string{}}, nil
}

// Ping reads the names of the columns; without a table, anything.
func (s *Store) Ping(ctx context.Context) error {
	text := s.d.probe
	if s.o.Table != "" {
		text = "SELECT * FROM " + s.name(s.o.Table) + " WHERE 1 = 0"
	}
	rows, err := s.db.QueryContext(ctx, text)
	if err != nil {
		return s.fault(err)
	}
	return rows.Close()
}

// Close disconnects.
func (s *Store) Close() error { return s.db.Close() }

// Fetch asks for the rows of keys.
func (s *Store) Fetch(ctx context.Context, fields []string, keys []lookup.Key) ([]lookup.Answer, error) {
	if !slices.Equal(s.of, fields) {
		clear(s.texts)
		s.of = slices.Clone(fields)
	}
	out, err := lookup.InParts(keys, maxKeys, func(keys []lookup.Key, out []lookup.Answer) error { return s.fetch(ctx, keys, out) })
	if err != nil {
		return nil, s.fault(err)
	}
	return out, nil
}

func (s *Store) fetch(ctx context.Context, keys []lookup.Key, out []lookup.Answer) error {
	args := make([]any, 0, len(keys)*len(s.of))
	for _, k := range keys {
		for _, v := range k.Values {
			args = append(args, argument(v))
		}
	}
	rows, err := s.db.QueryContext(ctx, s.text(len(keys)), args...)
	if err != nil {
		return err
	}
	err = scan(rows, out)
	if e := rows.Close(); err == nil {
		err = e
	}
	return err
}

// scan reads rows whose first column is the number of the key.
func scan(rows *sql.Rows, out []lookup.Answer) error {
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	cells := make([]any, len(names))
	to := make([]any, len(names))
	for i := range cells {
		to[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return err
		}
		n, ok := cells[0].(int64)
		if !ok || n < 0 || n >= int64(len(out)) {
			return lookup.Final(fmt.Errorf("the database numbers a row %v", cells[0]))
		}
		row := make(map[string]any, len(names)-1)
		for i, name := range names[1:] {
			row[name] = cells[i+1]
		}
		out[n].Rows = append(out[n].Rows, vec.TreeValue(row))
	}
	return rows.Err()
}

// argument returns a part of a key as an argument of a statement.
func argument(v vec.Value) any {
	switch v.Kind {
	case vec.Int64:
		return v.I
	case vec.Float64:
		if v.I != 0 {
			return v.I
		}
		return v.F
	case vec.Bool:
		return v.I != 0
	case vec.Bytes:
		return []byte(v.S)
	}
	return v.S
}

// text returns the statement for n keys: a SELECT for each, so that a row says
// which key it is for.
func (s *Store) text(n int) string {
	at := [2]int{n, len(s.of)}
	if t := s.texts[at]; t != "" {
		return t
	}
	cols := "*"
	if s.o.Columns != nil {
		var names []string
		for _, c := range s.o.Columns {
			names = append(names, s.name(c))
		}
		cols = strings.Join(names, ", ")
	}
	var b strings.Builder
	arg := 0
	for key := range n {
		if key > 0 {
			b.WriteString(" UNION ALL ")
		}
		fmt.Fprintf(&b, "SELECT %d, %s FROM %s WHERE ", key, cols, s.name(s.o.Table))
		for i, f := range s.of {
			if i > 0 {
				b.WriteString(" AND ")
			}
			arg++
			fmt.Fprintf(&b, "%s = %s", s.name(f), s.d.mark(arg))
		}
	}
	s.texts[at] = b.String()
	return s.texts[at]
}

// name quotes a name; the parts of schema.table are quoted each.
func (s *Store) name(name string) string {
	q := string(s.d.quote)
	parts := strings.Split(name, ".")
	for i, p := range parts {
		parts[i] = q + strings.ReplaceAll(p, q, q+q) + q
	}
	return strings.Join(parts, ".")
}

func (s *Store) fault(err error) error {
	f := fmt.Errorf("sql: table %q: %w", s.o.Table, err)
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && s.d.final(err) {
		return lookup.Final(f)
	}
	return f
}
