package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// rest is the client of an engine's REST interface.
type rest struct {
	base string
	http *http.Client
}

func newREST(base string, parallel int) *rest {
	return &rest{base: base, http: &http.Client{
		Timeout:   2 * time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: parallel + 1},
	}}
}

func (r *rest) close() { r.http.CloseIdleConnections() }

// do makes one call and returns the body of a good answer. v is sent as JSON;
// nil sends nothing.
func (r *rest) do(ctx context.Context, method, path string, v any) ([]byte, error) {
	var body io.Reader
	if v != nil {
		body = bytes.NewReader(mustJSON(v))
	}
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, body)
	if err != nil {
		return nil, err
	}
	if v != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, res.Status, bytes.TrimSpace(text))
	}
	return text, nil
}

// each calls do for 0 to n-1 with so many clients at once, and returns the first
// error.
func (r *rest) each(ctx context.Context, n, parallel int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(n, parallel) {
		wg.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
feed:
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

// bulk creates rules with one call.
func (r *rest) bulk(ctx context.Context, rules []rule) error {
	text, err := r.do(ctx, http.MethodPost, "/rules/bulk", rules)
	if err != nil {
		return err
	}
	var answer struct {
		Created int
		Errors  []struct{ ID, Error string }
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("POST /rules/bulk: %w", err)
	}
	if len(answer.Errors) > 0 {
		return fmt.Errorf("POST /rules/bulk: %d of %d rules refused, the first, %s: %s", len(answer.Errors), len(rules), answer.Errors[0].ID, answer.Errors[0].Error)
	}
	return nil
}

// counters are the engine's own figures since it was started.
type counters struct {
	messages, rows, evaluations, outputs, matches float64
}

// counters scrapes /metrics.
func (r *rest) counters(ctx context.Context) (c counters, err error) {
	text, err := r.do(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return c, err
	}
	found := 0
	for in := bufio.NewScanner(bytes.NewReader(text)); in.Scan(); {
		line := in.Text()
		at := strings.LastIndexByte(line, ' ') // labels may hold spaces
		if at < 0 || line[0] == '#' {
			continue
		}
		name, _, _ := strings.Cut(line[:at], "{")
		var to *float64
		switch name {
		case "weir_messages_total":
			to = &c.messages
		case "weir_rows_total":
			to = &c.rows
		case "weir_evaluations_total":
			to = &c.evaluations
		case "weir_outputs_total":
			to = &c.outputs
		case "kuiper_sink_records_in_total":
			to = &c.matches
		default:
			continue
		}
		v, err := strconv.ParseFloat(line[at+1:], 64)
		if err != nil {
			return c, fmt.Errorf("GET /metrics: %s: %w", name, err)
		}
		*to += v
		found++
	}
	if found < 4 {
		return c, fmt.Errorf("GET /metrics: the counters of an engine are not there")
	}
	return c, nil
}
