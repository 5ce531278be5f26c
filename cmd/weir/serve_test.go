package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-engine/weir/ingest/sim"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/broker"
	"github.com/weir-engine/weir/internal/config"
	"github.com/weir-engine/weir/internal/loss"
	"github.com/weir-engine/weir/internal/metrics"
	"github.com/weir-engine/weir/internal/mqttconn"
)

var quiet = slog.New(slog.DiscardHandler)

// stubEngine runs nothing. What it does not answer is nil and panics.
type stubEngine struct {
	api.Engine
	stop   func()
	closed bool
	err    error
}

func (e *stubEngine) Close(context.Context) error {
	e.closed = true
	return e.err
}

func (e *stubEngine) Stop()                                             { e.stop() }
func (e *stubEngine) Healthy() error                                    { return nil }
func (e *stubEngine) NotePanic(string, any)                             {}
func (e *stubEngine) Totals() metrics.Totals                            { return metrics.Totals{} }
func (e *stubEngine) EachRule(func(metrics.RuleCounters))               {}
func (e *stubEngine) EachNode(func(metrics.Node) bool)                  {}
func (e *stubEngine) EachConnection(func(c metrics.ConnectionState))    {}
func (e *stubEngine) EachLoss(func(metrics.Owner, string, loss.Counts)) {}
func (e *stubEngine) Stages() *metrics.Stages                           { return metrics.NewStages() }

// freePort returns a port that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func get(t *testing.T, addr string) (int, string) {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// opened returns a wiring with eng, and a channel that is closed when it is used.
func opened(eng *stubEngine) (wiring, chan struct{}) {
	up := make(chan struct{})
	return wiring{open: func(_ *config.Config, p process) (runningEngine, error) {
		eng.stop = p.stop
		close(up)
		return eng, nil
	}}, up
}

func TestServe(t *testing.T) {
	for _, how := range []string{"signal", "stop", "failure"} {
		t.Run(how, func(t *testing.T) {
			cfg := config.Defaults()
			cfg.Basic.RestPort = freePort(t)
			cfg.MQTT.Listen = "0"
			eng := &stubEngine{}
			if how == "failure" {
				eng.err = errors.New("store: disk is gone")
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			w, up := opened(eng)
			done := make(chan error, 1)
			go func() { done <- serve(ctx, cfg, w, process{log: quiet}) }()
			<-up
			base := "http://" + cfg.Basic.RestAddr()
			if code, _ := get(t, base+"/healthz"); code != 200 {
				t.Errorf("healthz: got %d", code)
			}
			if code, text := get(t, base+"/metrics"); code != 200 || !strings.Contains(text, "weir_messages_total 0") {
				t.Errorf("metrics: got %d", code)
			}
			if how == "signal" {
				cancel()
			} else if _, text := get(t, base+"/stop"); text != "stop success" {
				t.Errorf("stop: got %s", text)
			}
			if err := <-done; (err == nil) != (how != "failure") || !eng.closed {
				t.Errorf("end: got %v, engine closed: %v", err, eng.closed)
			}
		})
	}
}

func TestServeFaults(t *testing.T) {
	broken := wiring{open: func(*config.Config, process) (runningEngine, error) {
		return nil, errors.New("data directory is locked")
	}}
	cfg := config.Defaults()
	cfg.Basic.RestPort = freePort(t)
	if err := serve(context.Background(), cfg, broken, process{log: quiet}); err == nil || err.Error() != "data directory is locked" {
		t.Errorf("engine: got %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cfg.Basic.RestPort = ln.Addr().(*net.TCPAddr).Port
	if err := serve(context.Background(), cfg, broken, process{log: quiet}); err == nil || !strings.HasPrefix(err.Error(), "rest: ") {
		t.Errorf("port in use: got %v", err)
	}
	cfg.Basic.RestTLS = config.TLS{CertFile: "no.pem", KeyFile: "no.key"}
	if err := serve(context.Background(), cfg, broken, process{log: quiet}); err == nil || !strings.HasPrefix(err.Error(), "rest tls: ") {
		t.Errorf("certificate: got %v", err)
	}
	if code, _, stderr := weir(t, broken, "serve", "--rest", "x:y:z"); code != 1 || !strings.Contains(stderr, "flag --rest") {
		t.Errorf("address: got %d %s", code, stderr)
	}
	// A port of metrics that is taken ends the process, the engine in order.
	cfg = config.Defaults()
	cfg.Basic.RestPort, cfg.Basic.Prometheus, cfg.Basic.PrometheusPort = freePort(t), true, ln.Addr().(*net.TCPAddr).Port
	cfg.Basic.RestIP = "127.0.0.1"
	eng := &stubEngine{}
	w, _ := opened(eng)
	err = serve(context.Background(), cfg, w, process{log: quiet})
	if err == nil || !strings.HasPrefix(err.Error(), "prometheus: ") {
		t.Errorf("metrics port: got %v", err)
	}
	if !eng.closed {
		t.Error("metrics port: the engine was not closed")
	}
}

func TestSim(t *testing.T) {
	b, err := broker.Start(broker.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, rate := range []float64{sim.Unpaced, 4000} {
		n, err := simulate(context.Background(), sim.Options{Devices: 3, Count: 500, Rate: rate, Form: sim.Flat}, mqttconn.Options{Servers: []string{"tcp://" + b.Addr()}, CleanSession: true, Sending: true}, 1)
		if n != 500 || err != nil {
			t.Errorf("rate %v: got %d, %v", rate, n, err)
		}
	}
	code, stdout, stderr := weir(t, wiring{}, "sim", "--server", "tcp://"+b.Addr(), "--count", "7", "--rate", "-1", "--form", "document")
	if code != 0 || stdout != "published 7 messages\n" {
		t.Errorf("command: got %d %q %q", code, stdout, stderr)
	}
	for _, args := range [][]string{{"--form", "round"}, {"--qos", "3"}, {"--devices", "-1"}, {"--server", "nope"}} {
		if code, _, stderr := weir(t, wiring{}, append([]string{"sim", "--count", "1"}, args...)...); code != 1 || !strings.Contains(stderr, "sim: ") {
			t.Errorf("%v: got %d %q", args, code, stderr)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := simulate(ctx, sim.Options{}, mqttconn.Options{Servers: []string{"tcp://127.0.0.1:" + strconv.Itoa(freePort(t))}, CleanSession: true}, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: got %v", err)
	}
}
