package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// poolMessages is how many different messages a load sends, again and again.
const poolMessages = 4096

// session is a load that is set up: an engine with its rules, and the server that
// feeds it. Its methods are called from one goroutine.
type session struct {
	cfg    Config
	dir    string // of the engine's data
	srv    *server
	engine engineHandle
	rest   *rest
	out    receiver

	pool []message
	at   int // of the next message
	to   *client
	buf  []byte

	sent, expect int64 // messages, and those that the witness or the rules forward
	startRSS     int64
	submit       time.Duration
}

// receiver counts what the witness sent.
type receiver struct {
	got     atomic.Int64
	last    atomic.Int64  // when, ns since 1970
	moved   chan struct{} // cap 1: got has changed
	stamped atomic.Bool   // latencies are wanted
	times   latencies
}

// publish is called for every message that the engine publishes.
func (r *receiver) publish(topic, payload []byte) {
	if string(topic) != topicOut {
		return
	}
	now := time.Now().UnixNano()
	if r.stamped.Load() {
		if ns, ok := stampOf(payload); ok {
			r.times.add(now - ns)
		}
	}
	r.last.Store(now)
	r.got.Add(1)
	select {
	case r.moved <- struct{}{}:
	default:
	}
}

// open starts an engine and gives it the rules of c. The caller calls close.
func open(ctx context.Context, c Config) (*session, error) {
	c.EnsureDefaults()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &session{cfg: c}
	s.out.moved = make(chan struct{}, 1)
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *session) begin(ctx context.Context) (err error) {
	if s.dir, err = os.MkdirTemp("", "weir-bench-"); err != nil {
		return err
	}
	if s.srv, err = listen(s.out.publish); err != nil {
		return err
	}
	if err = s.start(ctx); err != nil {
		return err
	}
	s.startRSS = memory(s.engine.pid())
	if s.cfg.Kind == Manage {
		return s.define(ctx)
	}
	began := time.Now()
	if err = s.setUp(ctx); err != nil {
		return err
	}
	s.submit = time.Since(began)
	return s.subscribed(ctx)
}

// start starts the engine, or starts it again over the same data.
func (s *session) start(ctx context.Context) error {
	var err error
	if len(s.cfg.Engine.Command) > 0 {
		var p *process
		if p, err = startProcess(ctx, s.cfg.Engine, s.dir); err == nil {
			s.engine = p
		}
	} else {
		var l *local
		if l, err = startLocal("", s.dir, slog.New(slog.DiscardHandler)); err == nil {
			s.engine = l
		}
	}
	if err != nil {
		return err
	}
	s.rest = newREST(s.engine.address(), s.cfg.Parallel)
	return nil
}

// close ends the engine and the server and removes what they wrote.
func (s *session) close() error {
	errs := []error{s.halt()}
	if s.srv != nil {
		s.srv.close()
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// halt ends the engine.
func (s *session) halt() error {
	if s.engine == nil {
		return nil
	}
	s.rest.close()
	e := s.engine
	s.engine = nil
	return e.stop()
}

// define makes the source's settings and the streams.
func (s *session) define(ctx context.Context) error {
	c := &s.cfg
	conf := map[string]any{"server": s.srv.url(), "qos": c.QoS}
	if c.Linger > 0 {
		conf["linger"] = c.Linger.String()
	}
	if _, err := s.rest.do(ctx, http.MethodPut, "/metadata/sources/mqtt/confKeys/bench", conf); err != nil {
		return err
	}
	filter := topicIn
	if c.Shape == Twin {
		filter = twinFilter
	}
	if err := s.stream(ctx, streamName, filter); err != nil {
		return err
	}
	if !c.OwnTopics {
		return nil
	}
	return s.rest.each(ctx, c.Rules, c.Parallel, func(ctx context.Context, i int) error {
		return s.stream(ctx, ownStream(i), ownTopic(i))
	})
}

func (s *session) stream(ctx context.Context, name, filter string) error {
	_, err := s.rest.do(ctx, http.MethodPost, "/streams", map[string]any{"sql": streamSQL(name, filter)})
	return err
}

// bulkRules is how many rules one bulk call submits at most.
const bulkRules = 10_000

// setUp defines the streams, the witness and the rules.
func (s *session) setUp(ctx context.Context) error {
	if err := s.define(ctx); err != nil {
		return err
	}
	rules := []rule{s.cfg.witnessRule(s.srv.url())}
	if s.cfg.Kind == Joins {
		if _, err := s.rest.do(ctx, http.MethodPost, "/tables", map[string]any{"sql": tableSQL}); err != nil {
			return err
		}
		rules = append(rules, tableRule())
	}
	for i := range s.cfg.Rules {
		rules = append(rules, s.cfg.ruleAt(i, s.srv.url()))
	}
	for len(rules) > 0 {
		n := min(len(rules), bulkRules)
		if err := s.rest.bulk(ctx, rules[:n]); err != nil {
			return err
		}
		rules = rules[n:]
	}
	return nil
}

// subscribed waits until the engine listens on every topic, and makes the
// messages.
func (s *session) subscribed(ctx context.Context) error {
	topics := []string{s.cfg.topic(0)}
	for i := 1; s.cfg.OwnTopics && i < s.cfg.Rules; i++ {
		topics = append(topics, s.cfg.topic(i))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	defer context.AfterFunc(ctx, s.srv.wake)()
	to, qos, err := s.srv.await(topics, func() bool { return ctx.Err() != nil })
	if err != nil {
		return err
	}
	s.to = to
	s.pool = s.cfg.messages(max(poolMessages, s.poolOwn()), qos)
	s.out.stamped.Store(s.cfg.Rate > 0 && s.cfg.Shape == Flat)
	return nil
}

// poolOwn is how many messages there must be for every topic to have one.
func (s *session) poolOwn() int {
	if s.cfg.OwnTopics {
		return s.cfg.Rules
	}
	return 0
}

// write sends the next n messages as one write.
func (s *session) write(n int) error {
	s.buf = s.buf[:0]
	var now int64
	if s.out.stamped.Load() {
		now = time.Now().UnixNano()
	}
	for range n {
		m := &s.pool[s.at]
		if s.at++; s.at == len(s.pool) {
			s.at = 0
		}
		from := len(s.buf)
		s.buf = append(s.buf, m.packet...)
		if now > 0 && m.stamp > 0 {
			putStamp(s.buf[from+m.stamp:], now)
		}
		if m.passes && !s.cfg.OwnTopics || m.selects && s.cfg.OwnTopics {
			s.expect++
		}
	}
	if err := s.to.write(s.buf); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	s.sent += int64(n)
	return nil
}

// wait waits until the witness has forwarded want messages, or nothing came for
// so long that nothing will, and returns how many did.
func (s *session) wait(ctx context.Context, want int64, quiet time.Duration) (int64, error) {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for {
		got := s.out.got.Load()
		if got >= want {
			return got, nil
		}
		timer.Reset(quiet)
		select {
		case <-s.out.moved:
		case <-timer.C:
			return s.out.got.Load(), nil
		case <-s.engine.exited():
			return got, errors.New("the engine ended under the load")
		case <-ctx.Done():
			return got, ctx.Err()
		}
	}
}
