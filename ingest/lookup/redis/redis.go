// Package redis is the lookup table in a Redis database: the value at a key is a
// JSON object, or a list of them. All keys of a question go in one pipeline.
package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/ingest/source"
)

// maxKeys is the number of keys in one pipeline.
const maxKeys = 1000

// Options configures a Source.
type Options struct {
	Addr, Username, Password string
	DB                       int
	// List says that a key holds a list of objects, not one.
	List bool
	// Ints makes whole numbers int64 instead of float64.
	Ints bool
	// Timeout bounds connecting; default lookup.DefaultTimeout.
	Timeout time.Duration
}

// ParseProps reads addr, username, password, db and dataType (string or list).
// The DATASOURCE is the number of the database, and wins over db.
func ParseProps(props map[string]any, dataSource string) (Options, error) {
	p := source.NewProps(props)
	o := Options{
		Addr: p.String("addr", ""), Username: p.String("username", ""), Password: p.String("password", ""),
		DB: p.Int("db", 0, 0, 1<<20), Ints: p.Bool("useInt64ForWholeNumber", false),
		Timeout: p.Duration("timeout", lookup.DefaultTimeout),
	}
	if o.Addr == "" {
		p.Fault("addr", "want host:port of the Redis server")
	}
	switch t := p.String("dataType", ""); t {
	case "string":
	case "list":
		o.List = true
	default:
		p.Fault("dataType", "want string or list, found %q", t)
	}
	var err error
	if dataSource != "" {
		n, e := strconv.Atoi(dataSource)
		if e != nil || n < 0 {
			err = fmt.Errorf("DATASOURCE %q: want the number of a Redis database", dataSource)
		}
		o.DB = n
	}
	if err = errors.Join(p.Err(), err); err != nil {
		err = fmt.Errorf("redis: %w", err)
	}
	return o, err
}

// Source is a lookup table in Redis.
type Source struct {
	o      Options
	client *redis.Client
}

// quiet takes the client's own log lines: what fails is told by errors.
type quiet struct{}

// Printf does nothing.
func (quiet) Printf(context.Context, string, ...any) {}

var silence = sync.OnceFunc(func() { redis.SetLogger(quiet{}) })

// New makes a source of o. It connects with the first question.
func New(o Options) *Source {
	if o.Timeout <= 0 {
		o.Timeout = lookup.DefaultTimeout
	}
	silence()
	s := &Source{o: o}
	s.connect()
	return s
}

// connect makes a new client. A pool that failed to connect as often as it has
// places tries on by itself and outlives its Close by a second; this one has two
// places, and is let go after the first failure.
func (s *Source) connect() {
	o := &s.o
	s.client = redis.NewClient(&redis.Options{
		Addr: o.Addr, Username: o.Username, Password: o.Password, DB: o.DB,
		PoolSize: 2, MaxRetries: -1, DialTimeout: o.Timeout, ReadTimeout: o.Timeout, WriteTimeout: o.Timeout,
		DialerRetries: 1, ContextTimeoutEnabled: true, DisableIdentity: true, Protocol: 2,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
}

// Ping asks the server for a sign of life.
func (s *Source) Ping(ctx context.Context) error { return s.fault(s.client.Ping(ctx).Err()) }

// Close disconnects.
func (s *Source) Close() error { return s.client.Close() }

// fault names the server in an error, and has the next question connect anew.
func (s *Source) fault(err error) error {
	if err == nil {
		return nil
	}
	if !told(err) {
		err = errors.Join(err, s.client.Close())
		s.connect()
	}
	return fmt.Errorf("redis %s: %w", s.o.Addr, err)
}

// Fetch reads what is at keys, whose one part is the key in the database.
func (s *Source) Fetch(ctx context.Context, fields []string, keys []lookup.Key) ([]lookup.Answer, error) {
	if len(fields) != 1 {
		return nil, lookup.Final(fmt.Errorf("redis: a row is found by one key, not by %d columns", len(fields)))
	}
	out, err := lookup.InParts(keys, maxKeys, func(keys []lookup.Key, out []lookup.Answer) error { return s.fetch(ctx, keys, out) })
	if err != nil {
		return nil, s.fault(err)
	}
	return out, nil
}

func (s *Source) fetch(ctx context.Context, keys []lookup.Key, out []lookup.Answer) error {
	pipe := s.client.Pipeline()
	strings := make([]*redis.StringCmd, 0, len(keys))
	lists := make([]*redis.StringSliceCmd, 0, len(keys))
	for _, k := range keys {
		if s.o.List {
			lists = append(lists, pipe.LRange(ctx, lookup.Text(k.Values[0]), 0, -1))
		} else {
			strings = append(strings, pipe.Get(ctx, lookup.Text(k.Values[0])))
		}
	}
	if _, err := pipe.Exec(ctx); err != nil && !told(err) {
		return err
	}
	for i, k := range keys {
		var values []string
		var err error
		if s.o.List {
			values, err = lists[i].Result()
		} else {
			var v string
			v, err = strings[i].Result()
			values = []string{v}
		}
		switch {
		case errors.Is(err, redis.Nil):
		case err != nil && !told(err):
			return err
		case err != nil:
			out[i].Err = fmt.Errorf("redis: key %q: %w", lookup.Text(k.Values[0]), err)
		default:
			out[i] = s.rows(lookup.Text(k.Values[0]), values)
		}
	}
	return nil
}

// told tells whether err is the server's answer to a command.
func told(err error) bool {
	var e redis.Error
	return errors.As(err, &e)
}

func (s *Source) rows(key string, values []string) (a lookup.Answer) {
	for _, v := range values {
		if a.Rows, a.Err = lookup.AppendRows(a.Rows, []byte(v), s.o.Ints); a.Err != nil {
			a.Err = fmt.Errorf("redis: key %q: %w", key, a.Err)
			return a
		}
	}
	return a
}
