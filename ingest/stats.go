package ingest

import (
	"bytes"
	"slices"

	"github.com/weir-engine/weir/internal/loss"
)

// exampleBytes is how much is kept of a bad message.
const exampleBytes = 256

// Stats counts what a feed or one of its streams received. A message of several
// streams counts for each of them, and once for the feed.
type Stats struct {
	Messages     uint64 // messages, bad ones included
	Rows         uint64 // rows they gave
	Bytes        uint64 // payload bytes
	DecodeErrors uint64 // messages that did not decode
	BadValues    uint64 // values that could not be converted and are null
	LastArrival  int64  // ms since 1970; 0: never
	LastError    string // why the last bad message or value was bad
	LastPayload  string // the last bad message or value, cut to 256 bytes
	LastErrorAt  int64  // its arrival, ms since 1970
}

// counters is Stats of a route: what is counted for every message is apart from
// what exists for few.
type counters struct {
	messages, rows, bytes uint64
	last                  int64
	bad                   *badness
}

type badness struct {
	errors, values uint64
	at             int64
	err            string
	payload        []byte
}

func (f *Feed) counters(route uint32) *counters {
	if int(route) >= len(f.routes) {
		f.routes = append(f.routes, make([]counters, int(route)+1-len(f.routes))...)
	}
	return &f.routes[route]
}

func (f *Feed) count(route uint32, rows, bytes int) {
	c := f.counters(route)
	c.messages++
	c.rows += uint64(rows)
	c.bytes += uint64(bytes)
	c.last = f.at
}

// bad counts a message that did not decode.
func (f *Feed) bad(route uint32, err error, payload []byte) {
	b := f.counters(route).keep(f.at, err.Error(), payload)
	b.errors++
	if f.opt.OnBad != nil {
		f.opt.OnBad(f.routesNow().Streams[route], b.text())
	}
}

// badValue counts a value that could not be converted.
func (f *Feed) badValue(route uint32, reason string, text []byte) {
	f.counters(route).keep(f.at, reason, text).values++
}

func (c *counters) keep(at int64, reason string, payload []byte) *badness {
	if c.bad == nil {
		c.bad = new(badness)
	}
	c.bad.at, c.bad.err = at, loss.Text(reason)
	c.bad.payload = append(c.bad.payload[:0], payload[:min(len(payload), exampleBytes)]...)
	return c.bad
}

// example is the beginning of the bad message.
func (b *badness) example() string { return string(bytes.ToValidUTF8(b.payload, []byte("\ufffd"))) }

func (b *badness) text() string { return withExample(b.err, b.example()) }

func withExample(reason, example string) string {
	if example == "" {
		return reason
	}
	return reason + ": " + example
}

// LastBad returns why the last bad message was bad, and its beginning.
func (s *Stats) LastBad() string { return withExample(s.LastError, s.LastPayload) }

// addTo adds c to s; the last error is the latest one.
func (c *counters) addTo(s *Stats) {
	s.Messages += c.messages
	s.Rows += c.rows
	s.Bytes += c.bytes
	s.LastArrival = max(s.LastArrival, c.last)
	if b := c.bad; b != nil {
		s.DecodeErrors += b.errors
		s.BadValues += b.values
		if b.at >= s.LastErrorAt {
			s.LastErrorAt, s.LastError = b.at, b.err
			s.LastPayload = b.example()
		}
	}
}

// Stats returns the counters of the feed. Like StreamStats it waits for the read
// that is being decoded, not for one that is blocked.
func (f *Feed) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	var s Stats
	for r := range f.routes { // every message has one route
		f.routes[r].addTo(&s)
	}
	return s
}

// StreamStats returns the counters of one stream of the feed.
func (f *Feed) StreamStats(stream uint32) Stats {
	routes := f.routesNow()
	f.mu.Lock()
	defer f.mu.Unlock()
	var s Stats
	for r := range min(len(f.routes), len(routes.Streams)) {
		if _, ok := slices.BinarySearch(routes.Streams[r], stream); ok {
			f.routes[r].addTo(&s)
		}
	}
	return s
}

// BadStreams returns the counters of those streams of the feed that got something
// bad. Only the bad part of them is complete: routes without it are passed over.
func (f *Feed) BadStreams() map[uint32]Stats {
	routes := f.routesNow()
	f.mu.Lock()
	defer f.mu.Unlock()
	var out map[uint32]Stats
	for r := range min(len(f.routes), len(routes.Streams)) {
		c := &f.routes[r]
		if c.bad == nil {
			continue
		}
		if out == nil {
			out = map[uint32]Stats{}
		}
		for _, stream := range routes.Streams[r] {
			s := out[stream]
			c.addTo(&s)
			out[stream] = s
		}
	}
	return out
}

// Serves tells whether rows of a route belong to a stream.
func (f *Feed) Serves(route, stream uint32) bool {
	routes := f.routesNow().Streams
	if int(route) >= len(routes) {
		return false
	}
	_, ok := slices.BinarySearch(routes[route], stream)
	return ok
}
