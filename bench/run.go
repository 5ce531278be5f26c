package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"time"
)

// quiet is the time without an output after which nothing more is expected.
const quiet = 2 * time.Second

// pause is how long a load of a given rate waits when nothing is due.
const pause = 200 * time.Microsecond

// measure runs the load of a session that is set up.
func (s *session) measure(ctx context.Context) (*Result, error) {
	res := &Result{Config: s.cfg, SubmitSeconds: s.submit.Seconds(), StartMB: mb(s.startRSS)}
	if err := sleep(ctx, s.cfg.Settle); err != nil {
		return nil, err
	}
	pid := s.engine.pid()
	idle := memory(pid)
	res.IdleMB = mb(idle)
	res.RuleKB = ruleKB(idle-s.startRSS, s.cfg.Rules)
	meter := newPeakMeter(pid)
	before, known := cpuTime(pid)
	taken := stolen()
	began := time.Now()
	err := s.feed(ctx, began)
	load := time.Since(began)
	after, _ := cpuTime(pid)
	res.StealPercent = (stolen() - taken).Seconds() / load.Seconds() / float64(runtime.NumCPU()) * 100
	if known {
		res.CPUPercent = (after - before).Seconds() / load.Seconds() * 100
	}
	if err == nil {
		err = s.drain(ctx, res, began, load)
	}
	res.PeakMB = mb(meter.end())
	if err != nil {
		return nil, err
	}
	return res, nil
}

// ruleKB is what one of many rules takes: of a few, the process's own growth
// would be most of it.
func ruleKB(grown int64, rules int) float64 {
	if rules < 1000 {
		return 0
	}
	return max(0, float64(grown)/1024/float64(rules))
}

func mb(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	return waitFor(ctx, t)
}

func waitFor(ctx context.Context, t *time.Timer) error {
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// feed sends messages until the duration is over.
func (s *session) feed(ctx context.Context, began time.Time) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		at := time.Since(began)
		if at >= s.cfg.Duration {
			return nil
		}
		n := s.cfg.Chunk
		if s.cfg.Rate > 0 {
			due := 1 + int64(at.Seconds()*s.cfg.Rate) - s.sent // the first at once
			if due <= 0 {
				timer.Reset(pause)
				if err := waitFor(ctx, timer); err != nil {
					return err
				}
				continue
			}
			n = int(min(due, int64(n)))
		}
		if err := s.write(n); err != nil {
			return s.ended(err)
		}
	}
	return ctx.Err()
}

// ended says that the engine is gone if that is why err happened.
func (s *session) ended(err error) error {
	select {
	case <-s.engine.exited():
		return errors.New("the engine ended under the load")
	default:
		return err
	}
}

// drain waits for what is still on its way and fills in what the load came to.
func (s *session) drain(ctx context.Context, res *Result, began time.Time, load time.Duration) error {
	want := s.expect
	if s.cfg.OwnTopics {
		want = 0 // the witness's stream is silent: the engine's counters tell
	}
	got, err := s.wait(ctx, want, quiet)
	if err != nil {
		return err
	}
	total := load
	if last := time.Unix(0, s.out.last.Load()).Sub(began); got > 0 && last > total {
		total = last
	}
	c, err := s.settled(ctx)
	if err != nil {
		return err
	}
	if s.cfg.OwnTopics {
		got = int64(c.outputs)
		if s.cfg.Sink == "nop" {
			got = int64(c.matches)
		}
	}
	sec := total.Seconds()
	res.Seconds, res.Sent, res.Processed = sec, s.sent, int64(c.rows)
	res.MessagesPerSec = c.rows / sec
	res.EvaluationsPerSec = c.evaluations / sec
	res.MatchesPerSec = c.matches / sec
	res.OutputsPerSec = c.outputs / sec
	res.Expected, res.Got = s.expect, got
	if s.expect > 0 {
		res.Delivered = float64(got) / float64(s.expect)
	}
	res.P50Ms, res.P99Ms, res.MaxMs = s.out.times.quantiles()
	return nil
}

// settled returns the engine's counters once it has taken everything that was
// sent, or takes no more.
func (s *session) settled(ctx context.Context) (counters, error) {
	var last counters
	for still := 0; still < 20; still++ {
		c, err := s.rest.counters(ctx)
		if err != nil {
			return c, err
		}
		if int64(c.rows) >= s.sent {
			return c, nil
		}
		if c.rows != last.rows {
			still = 0
		}
		last = c
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return c, err
		}
	}
	return last, nil
}

// manage measures what rules cost to submit, to load at a start, and to delete.
func (s *session) manage(ctx context.Context) (*Result, error) {
	c := &s.cfg
	res := &Result{Config: *c, StartMB: mb(s.startRSS)}
	rules := make([]rule, c.Rules)
	for i := range rules {
		rules[i] = c.ruleAt(i, s.srv.url())
	}
	remove := func(ctx context.Context, i int) error {
		_, err := s.rest.do(ctx, http.MethodDelete, "/rules/"+rules[i].ID, nil)
		return err
	}
	steps := []struct {
		to *float64
		do func() error
	}{
		{&res.SubmitSeconds, func() error {
			return s.rest.each(ctx, c.Rules, c.Parallel, func(ctx context.Context, i int) error {
				_, err := s.rest.do(ctx, http.MethodPost, "/rules", rules[i])
				return err
			})
		}},
		{&res.DeleteSeconds, func() error { return s.rest.each(ctx, c.Rules, c.Parallel, remove) }},
		{&res.BulkSeconds, func() error { return s.rest.bulk(ctx, rules) }},
		{nil, func() error { // for memory, and for the store to be at rest
			err := sleep(ctx, c.Settle)
			idle := memory(s.engine.pid())
			res.IdleMB, res.RuleKB = mb(idle), ruleKB(idle-s.startRSS, c.Rules)
			return err
		}},
		{nil, s.halt},
		{&res.RestartSeconds, func() error {
			if err := s.start(ctx); err != nil {
				return err
			}
			return s.running(ctx, rules[len(rules)-1].ID)
		}},
	}
	for _, step := range steps {
		began := time.Now()
		if err := step.do(); err != nil {
			return nil, err
		}
		if step.to != nil {
			*step.to = time.Since(began).Seconds()
		}
	}
	res.PeakMB = mb(memory(s.engine.pid()))
	return res, nil
}

// running waits until the engine says that a rule runs.
func (s *session) running(ctx context.Context, id string) error {
	for {
		text, err := s.rest.do(ctx, http.MethodGet, "/rules/"+id+"/status", nil)
		if err != nil {
			return err
		}
		var st struct{ Status, Message string }
		if err := json.Unmarshal(text, &st); err != nil {
			return fmt.Errorf("status of rule %s: %w", id, err)
		}
		if st.Status == "running" {
			return nil
		}
		if st.Message != "" {
			return fmt.Errorf("rule %s is %s: %s", id, st.Status, st.Message)
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}
