// Package redis is the lookup table in a Redis database: the value at a key is a
// JSON object, or a list of them. All keys of a question go in one pipeline.
package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/gomodule/redigo/redis"

	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/internal/props"
)

// maxKeys is the number of keys in one pipeline.
const maxKeys = 1000

// checkAfter is how long a connection may be idle before it is tried with a PING:
// servers and what stands between drop such connections without a word.
const checkAfter = 30 * time.Second

// Options configures a Store.
type Options struct {
	Addr, Username, Password string
	DB                       int
	// List says that a key holds a list of objects, not one.
	List bool
	// Ints makes whole numbers int64 instead of float64.
	Ints bool
	// Timeout bounds connecting, and each write and read; default
	// lookup.DefaultTimeout.
	Timeout time.Duration
}

// settings is what users set of a table.
type settings struct {
	Options
	dataType string
}

func newSettings() *settings {
	return &settings{Options: Options{Addr: "127.0.0.1:6379", Timeout: lookup.DefaultTimeout}, dataType: "string"}
}

func (s *settings) table() props.Table {
	return props.Table{
		props.Text(&s.Addr, "addr", "host:port of the Redis server"),
		props.Text(&s.Username, "username", "the user's name, if the server asks for one"),
		props.Text(&s.Password, "password", "the user's password").Hidden(),
		props.Whole(&s.DB, "db", 0, 1<<20, "the number of the database, if DATASOURCE does not say it"),
		props.OneOf(&s.dataType, "dataType", "what a key holds: string (an object) or list (of objects)", "string", "list"),
		props.Flag(&s.Ints, "useInt64ForWholeNumber", "takes whole numbers as bigint instead of float"),
		props.Duration(&s.Timeout, "timeout", "how long connecting, and each write and read, may take"),
	}
}

// Properties describes what can be set of a lookup table in Redis.
func Properties() props.Table { return newSettings().table() }

// ParseProps reads the properties of a table. The DATASOURCE is the number of the
// database, and wins over db.
func ParseProps(given map[string]any, dataSource string) (Options, error) {
	s := newSettings()
	faults := s.table().Read(given)
	o := s.Options
	o.List = s.dataType == "list"
	if dataSource != "" {
		n, err := strconv.Atoi(dataSource)
		if err != nil || n < 0 {
			faults.Join(fmt.Errorf("DATASOURCE %q: want the number of a Redis database", dataSource))
		}
		o.DB = n
	}
	err := faults.Err()
	if err != nil {
		err = fmt.Errorf("redis: %w", err)
	}
	return o, err
}

// Store is a lookup table in Redis. It has one connection, since one goroutine
// asks, and makes it anew when it broke.
type Store struct {
	o    Options
	conn redis.Conn // nil: none yet, or it broke
	net  net.Conn   // what conn speaks over
	used time.Time  // when conn last answered
}

// New makes a store of o. It connects with the first question.
func New(o Options) *Store {
	if o.Timeout <= 0 {
		o.Timeout = lookup.DefaultTimeout
	}
	return &Store{o: o}
}

// Ping asks the server for a sign of life.
func (s *Store) Ping(ctx context.Context) error { return s.fault(s.with(ctx, s.ping)) }

func (s *Store) ping() error {
	_, err := s.conn.Do("PING")
	return err
}

// Close disconnects.
func (s *Store) Close() error {
	if s.conn == nil {
		return nil
	}
	err := s.conn.Close()
	s.conn = nil
	return err
}

// fault names the server in an error.
func (s *Store) fault(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redis %s: %w", s.o.Addr, err)
}

// with calls f while there is a connection. One on which f failed is given up: it
// may have answers on it that belong to no question any more.
func (s *Store) with(ctx context.Context, f func() error) error {
	if s.conn != nil && time.Since(s.used) > checkAfter && guard(ctx, s.net, s.ping) != nil {
		_ = s.Close() // it broke while nobody asked: that is no fault of this question
	}
	if s.conn == nil {
		if err := s.connect(ctx); err != nil {
			return err
		}
	}
	if err := guard(ctx, s.net, f); err != nil {
		_ = s.Close() // err says why
		return err
	}
	s.used = time.Now()
	return nil
}

// guard calls f and closes c when ctx ends before: the client's own calls with a
// context cost a goroutine each, and do not bound what they write.
func guard(ctx context.Context, c net.Conn, f func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	err := f()
	if !stop() {
		return ctx.Err()
	}
	return err
}

// connect makes the connection, and says who asks and for which database.
func (s *Store) connect(ctx context.Context) error {
	dialer := net.Dialer{Timeout: s.o.Timeout}
	c, err := dialer.DialContext(ctx, "tcp", s.o.Addr)
	if err != nil {
		return err
	}
	conn := redis.NewConn(c, s.o.Timeout, s.o.Timeout)
	if err := guard(ctx, c, func() error { return s.greet(conn) }); err != nil {
		_ = conn.Close() // err says why
		return err
	}
	s.conn, s.net = conn, c
	return nil
}

func (s *Store) greet(conn redis.Conn) error {
	var err error
	switch {
	case s.o.Username != "": // of which a password may be empty
		_, err = conn.Do("AUTH", s.o.Username, s.o.Password)
	case s.o.Password != "":
		_, err = conn.Do("AUTH", s.o.Password)
	}
	if err == nil && s.o.DB != 0 {
		_, err = conn.Do("SELECT", s.o.DB)
	}
	return err
}

// Fetch reads what is at keys, whose one part is the key in the database.
func (s *Store) Fetch(ctx context.Context, fields []string, keys []lookup.Key) ([]lookup.Answer, error) {
	if len(fields) != 1 {
		return nil, lookup.Final(fmt.Errorf("redis: a row is found by one key, not by %d columns", len(fields)))
	}
	out, err := lookup.InParts(keys, maxKeys, func(keys []lookup.Key, out []lookup.Answer) error {
		return s.with(ctx, func() error { return s.fetch(keys, out) })
	})
	if err != nil {
		return nil, s.fault(err)
	}
	return out, nil
}

func (s *Store) fetch(keys []lookup.Key, out []lookup.Answer) error {
	for _, k := range keys {
		var err error
		if s.o.List {
			err = s.conn.Send("LRANGE", lookup.Text(k.Values[0]), 0, -1)
		} else {
			err = s.conn.Send("GET", lookup.Text(k.Values[0]))
		}
		if err != nil {
			return err
		}
	}
	if err := s.conn.Flush(); err != nil {
		return err
	}
	for i, k := range keys {
		key := lookup.Text(k.Values[0])
		reply, err := s.conn.Receive()
		var refusal redis.Error
		if errors.As(err, &refusal) { // of this command alone
			out[i].Err = fmt.Errorf("redis: key %q: %w", key, err)
			continue
		}
		if err == nil {
			out[i], err = s.rows(key, reply)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// rows reads the reply for a key: a text, a list of them, or nil.
func (s *Store) rows(key string, reply any) (a lookup.Answer, err error) {
	values, ok := reply.([]any)
	if !ok && reply != nil {
		values = []any{reply}
	}
	for _, v := range values {
		text, ok := v.([]byte)
		if !ok {
			return a, fmt.Errorf("key %q: the server answered %v where a text was asked for", key, v)
		}
		if a.Rows, a.Err = lookup.AppendRows(a.Rows, text, s.o.Ints); a.Err != nil {
			a.Err = fmt.Errorf("redis: key %q: %w", key, a.Err)
			break
		}
	}
	return a, nil
}
