// Package sim makes messages up: twins of simulated KubeEdge devices whose
// values drift, for demonstrations, tests and loads, and a fixed list of
// messages that is played over and over.
//
// A simulation is deterministic: the same options with the same seed give the
// same messages, but for their times, which come from a clock. Making a message
// does not allocate.
package sim

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"
)

// burst is the number of messages made between two looks at the clock.
const burst = 1024

// minWait is the shortest pause: a timer costs more than the messages of a
// millisecond at any rate that needs shorter ones.
const minWait = time.Millisecond

// maxBehind is how far a simulation may fall behind its rate and still catch
// up. What a slow receiver missed before that is left out.
const maxBehind = time.Second

// Clock tells the time and waits. The zero of Options uses the system's.
type Clock interface {
	Now() time.Time
	// Wait returns after d, or with ctx's error when it ends before.
	Wait(ctx context.Context, d time.Duration) error
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Sim is one simulation. It is not safe for concurrent use.
type Sim struct {
	o      Options
	rnd    *rand.PCG
	topics []string
	props  []prop
	n      uint64 // messages made

	values []int64 // [device][property], in steps above the minimum
	lastAt []int64 // of form document: time of the last report in ms, 0: none
	last   []int64
	buf    []byte
}

// prop is a property with the text around its value.
type prop struct {
	Property
	min, steps int64 // smallest value and number of values above it, in units of the last decimal
	drift      int64
	scale      int64 // units in 1
	head, tail string
}

// New makes a simulation of o, which is checked; the error lists every fault.
func New(o Options) (*Sim, error) {
	o.EnsureDefaults()
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Sim{o: o, rnd: rand.NewPCG(o.Seed, 0x9e3779b97f4a7c15)}
	for i := range o.Devices {
		s.topics = append(s.topics, o.topic(i))
	}
	for _, p := range o.Properties {
		s.props = append(s.props, newProp(p, o.Form, o.Drift))
	}
	s.values = make([]int64, o.Devices*len(s.props))
	for i := range s.values {
		s.values[i] = int64(s.below(uint64(s.props[i%len(s.props)].steps + 1)))
	}
	if o.Form == Document {
		s.last = make([]int64, len(s.values))
		s.lastAt = make([]int64, len(s.values))
	}
	return s, nil
}

func newProp(p Property, form Form, drift float64) prop {
	q := prop{Property: p, scale: 1}
	for range p.Decimals {
		q.scale *= 10
	}
	switch p.Type {
	case "boolean":
		q.steps = 1
	case "string":
		q.steps = int64(len(p.Values) - 1)
	default:
		q.min = int64(p.Min * float64(q.scale))
		q.steps = int64(p.Max*float64(q.scale)) - q.min
	}
	q.drift = max(int64(drift*float64(q.steps)), 1)
	name, typ := strconv.Quote(p.Name), p.Type
	switch form {
	case Update:
		q.head, q.tail = name+`:{"actual":{"value":"`, `"},"metadata":{"type":"`+typ+`"}}`
	case Document:
		q.head, q.tail = name+`:{"last":`, `},"optional":true,"metadata":{"type":"`+typ+`"}}`
	case Data:
		q.head, q.tail = name+`:{"value":"`, `,"type":"`+typ+`"}}`
	case Flat:
		q.head = `,` + name + `:`
		if typ == "string" {
			q.head, q.tail = q.head+`"`, `"`
		}
	}
	return q
}

// below returns a random number under n.
func (s *Sim) below(n uint64) uint64 { return s.rnd.Uint64() % n }

// Next makes the next message; at is its time in ms since 1970. The devices
// take turns. payload is valid until the next call.
func (s *Sim) Next(at int64) (topic string, payload []byte) {
	device := int(s.n % uint64(s.o.Devices))
	turn := int(s.n / uint64(s.o.Devices) % uint64(len(s.props)))
	s.n++
	b := s.buf[:0]
	switch s.o.Form {
	case Flat:
		b = append(b, `{"device":"`...)
		b = s.o.appendDevice(b, device)
		b = append(b, `","ts":`...)
		b = strconv.AppendInt(b, at, 10)
	default:
		b = append(b, `{"event_id":"","timestamp":`...)
		b = strconv.AppendInt(b, at, 10)
		if s.o.Form == Data {
			b = append(b, `,"data":{`...)
		} else {
			b = append(b, `,"twin":{`...)
		}
	}
	for i := range s.o.PerMessage {
		if i > 0 && s.o.Form != Flat {
			b = append(b, ',')
		}
		b = s.appendProperty(b, device, (turn*s.o.PerMessage+i)%len(s.props), at)
	}
	if s.o.Form != Flat {
		b = append(b, '}')
	}
	s.buf = append(b, '}')
	return s.topics[device], s.buf
}

// step moves a value by its drift, mirrored at the ends of its range.
func (s *Sim) step(p *prop, v int64) int64 {
	v += int64(s.below(uint64(2*p.drift+1))) - p.drift
	if v < 0 {
		v = -v
	}
	if v > p.steps {
		v = 2*p.steps - v
	}
	return max(v, 0)
}

func (s *Sim) appendProperty(b []byte, device, property int, at int64) []byte {
	p := &s.props[property]
	i := device*len(s.props) + property
	v := s.step(p, s.values[i])
	s.values[i] = v
	if s.o.Spikes > 0 && float64(s.rnd.Uint64()>>11)/(1<<53) < s.o.Spikes && p.Values == nil && p.Type != "boolean" {
		v = p.steps + 1 + int64(s.below(uint64(p.steps/10+1))) // beyond the range, for this message only
	}
	b = append(b, p.head...)
	switch s.o.Form {
	case Document:
		return s.appendDocument(b, p, i, v, at)
	case Data:
		b = p.append(b, v)
		b = append(b, `","metadata":{"timestamp":`...)
		b = strconv.AppendInt(b, at, 10)
	default:
		b = p.append(b, v)
	}
	return append(b, p.tail...)
}

func (s *Sim) appendDocument(b []byte, p *prop, i int, v, at int64) []byte {
	if s.lastAt[i] == 0 {
		b = append(b, `null`...)
	} else {
		b = p.appendTwin(b, s.last[i], s.lastAt[i])
	}
	b = append(b, `,"current":`...)
	b = p.appendTwin(b, v, at)
	s.last[i], s.lastAt[i] = v, max(at, 1)
	return append(b, '}')
}

func (p *prop) appendTwin(b []byte, v, at int64) []byte {
	b = append(b, `{"actual":{"value":"`...)
	b = p.append(b, v)
	b = append(b, `","metadata":{"timestamp":`...)
	b = strconv.AppendInt(b, at, 10)
	b = append(b, '}')
	return append(b, p.tail...)
}

// append appends value v, in steps above the minimum, as text.
func (p *prop) append(b []byte, v int64) []byte {
	switch p.Type {
	case "boolean":
		return strconv.AppendBool(b, v != 0)
	case "string":
		return append(b, p.Values[v]...)
	}
	v += p.min
	if v < 0 {
		b, v = append(b, '-'), -v
	}
	b = strconv.AppendInt(b, v/p.scale, 10)
	if p.scale == 1 {
		return b
	}
	b = append(b, '.')
	for rest, unit := v%p.scale, p.scale/10; unit > 0; unit /= 10 {
		b = append(b, byte('0'+rest/unit%10))
	}
	return b
}

// Run makes messages at the options' rate and hands each to emit, until ctx
// ends, Count messages are made, or emit returns an error. The payload is valid
// until emit returns. The error is ctx's or emit's.
func (s *Sim) Run(ctx context.Context, emit func(topic string, payload []byte) error) error {
	return s.run(ctx, func(int64) {}, emit, func() {})
}

// run is Run with begin and end around the messages of one look at the clock.
func (s *Sim) run(ctx context.Context, begin func(at int64), emit func(string, []byte) error, end func()) error {
	clock := s.o.Clock
	start, sent := clock.Now(), 0.0 // of the schedule
	for s.o.Count == 0 || s.n < s.o.Count {
		if err := ctx.Err(); err != nil {
			return err
		}
		now, n := clock.Now(), burst
		if s.o.Rate > 0 {
			due := now.Sub(start).Seconds()*s.o.Rate + 1 // the first at once
			if due < sent+1 {
				wait := time.Duration((sent+1-due)/s.o.Rate*float64(time.Second)) + 1
				if err := clock.Wait(ctx, max(wait, minWait)); err != nil {
					return err
				}
				continue
			}
			if (due-sent)/s.o.Rate > maxBehind.Seconds()+1/s.o.Rate {
				start, sent, due = now, 0, 1
			}
			n = int(min(due-sent, burst))
		}
		if s.o.Count > 0 {
			n = int(min(uint64(n), s.o.Count-s.n))
		}
		if err := s.emit(now.UnixMilli(), n, begin, emit, end); err != nil {
			return err
		}
		sent += float64(n)
	}
	return nil
}

func (s *Sim) emit(at int64, n int, begin func(int64), emit func(string, []byte) error, end func()) error {
	begin(at)
	defer end()
	for range n {
		if err := emit(s.Next(at)); err != nil {
			return err
		}
	}
	return nil
}
