package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-engine/weir/ingest/sim"
	"github.com/weir-engine/weir/internal/config"
	"github.com/weir-engine/weir/internal/metrics"
	"github.com/weir-engine/weir/internal/mqttconn"
)

// demoAlarms is how many alarms a second are shown; the others are counted.
const demoAlarms = 5

// demoFigures is the time between two lines of figures, on a terminal, where they
// replace each other, and without one.
const (
	demoFigures      = time.Second
	demoFiguresPlain = 5 * time.Second
)

// demoOptions are the flags of the demonstration.
type demoOptions struct {
	rest, mqtt string // addresses; empty: the usual one, or a free one if that is taken
	data       string // empty: a directory that is removed in the end
	devices    int
	rules      int
	rate       float64
	duration   time.Duration // 0: until interrupted
}

func newDemo(w wiring) *cobra.Command {
	c := &cobra.Command{
		Use: "demo", Short: "Show the engine at work on simulated devices", Args: cobra.NoArgs,
		Long: "Start the engine with the embedded MQTT broker, simulated KubeEdge devices and sample rules, " +
			"and show alarms and figures until interrupted. Nothing is left behind.",
	}
	var o demoOptions
	f := c.Flags()
	f.StringVar(&o.rest, "rest", "", "address of the REST interface; default 127.0.0.1:9081, or a free port")
	f.StringVar(&o.mqtt, "mqtt-listen", "", "address of the embedded broker; default 127.0.0.1:1883, or a free port")
	f.StringVar(&o.data, "data", "", "directory of data and device model, which stay; default: a temporary one")
	f.IntVar(&o.devices, "devices", 200, "number of devices")
	f.IntVar(&o.rules, "rules", 500, "number of rules, at least 10")
	f.Float64Var(&o.rate, "rate", 2000, "messages a second over all devices; -1: as fast as the broker takes them")
	f.DurationVar(&o.duration, "duration", 0, "end after this time; 0: when interrupted")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := runDemo(c, o, w); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		return nil
	}
	return c
}

// demo is a demonstration under way.
type demo struct {
	o      demoOptions
	cfg    *config.Config
	screen *screen
	engine runningEngine
	rest   *client
}

// runDemo serves and plays until the command is interrupted or the time is up.
func runDemo(c *cobra.Command, o demoOptions, w wiring) (err error) {
	ctx, stop := context.WithCancel(c.Context())
	defer stop()
	if o.duration > 0 {
		ctx, stop = context.WithTimeout(ctx, o.duration)
		defer stop()
	}
	c.SetContext(ctx)
	d := &demo{o: o, screen: newScreen(c.OutOrStdout())}
	remove, err := d.prepare()
	if err != nil {
		return err
	}
	defer remove()
	log, before := slog.New(screenLog{screen: d.screen}), slog.Default()
	slog.SetDefault(log)
	defer slog.SetDefault(before)

	// The engine ends after what plays on it, so it does not see ctx.
	serving, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	opened, served := make(chan runningEngine, 1), make(chan error, 1)
	open := w.open
	w.open = func(cfg *config.Config, p process) (runningEngine, error) {
		e, err := open(cfg, p)
		if err == nil {
			opened <- e
		}
		return e, err
	}
	go func() {
		defer stop()
		served <- serve(serving, d.cfg, w, process{log: log, setLevel: func(slog.Level) {}})
	}()
	select {
	case d.engine = <-opened:
	case err := <-served:
		return err
	}
	err = d.play(ctx, c)
	end()
	return errors.Join(err, <-served)
}

// prepare makes settings and directories. remove undoes it.
func (d *demo) prepare() (remove func(), err error) {
	dir, remove := d.o.data, func() {}
	if dir == "" {
		if dir, err = os.MkdirTemp("", "weir-demo-"); err != nil {
			return nil, err
		}
		remove = func() { os.RemoveAll(dir) }
	} else if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	d.cfg = config.Defaults()
	d.cfg.Basic.GracefulShutdownTimeout = time.Second
	d.cfg.Dir, d.cfg.Data.Dir = dir, filepath.Join(dir, "data")
	err = d.listenAddresses()
	if err == nil {
		err = os.MkdirAll(d.cfg.Data.Dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, demoModelFile), []byte(demoModel), 0o644)
	}
	if err != nil {
		remove()
		return nil, err
	}
	return remove, nil
}

func (d *demo) listenAddresses() error {
	rest, err := addressOr(d.o.rest, "127.0.0.1:9081")
	if err != nil {
		return fmt.Errorf("flag --rest: %w", err)
	}
	host, port, err := splitAddr(rest)
	if err != nil {
		return fmt.Errorf("flag --rest: %w", err)
	}
	d.cfg.Basic.RestIP = host
	if d.cfg.Basic.RestPort, err = strconv.Atoi(port); err != nil {
		return fmt.Errorf("flag --rest: want host:port, not %q", d.o.rest)
	}
	if d.cfg.MQTT.Listen, err = addressOr(d.o.mqtt, "127.0.0.1:1883"); err != nil {
		return fmt.Errorf("flag --mqtt-listen: %w", err)
	}
	d.rest = &client{base: "http://" + d.cfg.Basic.RestAddr(), http: http.Client{Timeout: 10 * time.Second}}
	return nil
}

// addressOr returns what the user asked for, else the usual address, else one
// with a free port; port 0 is a free one too.
func addressOr(asked, usual string) (string, error) {
	if asked != "" {
		host, port, err := splitAddr(asked)
		if err != nil || port != "0" {
			return net.JoinHostPort(host, port), err
		}
		usual = asked
	}
	ln, err := net.Listen("tcp", usual)
	if err != nil {
		if ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// play defines streams and rules, and then shows what comes until ctx ends.
func (d *demo) play(ctx context.Context, c *cobra.Command) error {
	if err := d.define(c); err != nil {
		return err
	}
	d.screen.print(fmt.Sprintf("weir %s: %d rules over %d simulated devices. REST http://%s, MQTT tcp://%s (alarms/#). Ctrl-C ends it.",
		buildVersion(), d.o.rules, d.o.devices, d.cfg.Basic.RestAddr(), d.cfg.MQTT.Listen))
	alarms, err := d.watch(ctx)
	if err != nil {
		return err
	}
	defer alarms.Close()
	tasks := []func() error{
		func() error {
			_, err := simulate(ctx, sim.Options{
				Devices: d.o.devices, Rate: d.o.rate, Properties: demoProperties, Spikes: demoSpikes,
			}, d.connection(true), 0)
			return err
		},
		func() error { return d.figures(ctx, c) },
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if err := together(tasks, stop); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// connection returns how the demonstration itself reaches the broker.
func (d *demo) connection(sending bool) mqttconn.Options {
	return mqttconn.Options{Servers: []string{"tcp://" + d.cfg.MQTT.Listen}, CleanSession: true, Sending: sending}
}

// define makes stream and rules over REST, as any client does.
func (d *demo) define(c *cobra.Command) error {
	send := func(method, path string, body any) ([]byte, error) {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		return d.rest.call(c, method, path, text)
	}
	if _, err := send(http.MethodPut, "/metadata/sources/mqtt/confKeys/demo", map[string]any{
		"server": "tcp://" + d.cfg.MQTT.Listen, "kubeedgeModelFile": demoModelFile,
	}); err != nil {
		return fmt.Errorf("settings of the broker: %w", err)
	}
	d.rest.call(c, http.MethodDelete, "/streams/twins", nil) // that of an earlier run in the same directory
	if _, err := send(http.MethodPost, "/streams", map[string]string{"sql": demoStream}); err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	text, err := send(http.MethodPost, "/rules/bulk", demoRules(d.o.rules, d.o.devices, "tcp://"+d.cfg.MQTT.Listen))
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	var res struct {
		Created int
		Errors  []struct{ ID, Error string }
	}
	if err := json.Unmarshal(text, &res); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	if len(res.Errors) > 0 {
		return fmt.Errorf("rules: %d of %d refused, the first %s: %s", len(res.Errors), d.o.rules, res.Errors[0].ID, res.Errors[0].Error)
	}
	return nil
}

// watch shows the alarms that rules publish.
func (d *demo) watch(ctx context.Context) (*mqttconn.Conn, error) {
	conn, err := mqttconn.New(d.connection(false))
	if err != nil {
		return nil, err
	}
	conn.Handle(&alarmList{screen: d.screen})
	if err := conn.Subscribe(1, []string{"alarms/#"}, 0); err != nil {
		return nil, err
	}
	conn.Start()
	if err := conn.WaitAcked(ctx, 1); err != nil && ctx.Err() == nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// figures shows one line of figures until ctx ends.
func (d *demo) figures(ctx context.Context, c *cobra.Command) error {
	every := demoFiguresPlain
	if d.screen.terminal {
		every = demoFigures
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	last, at := d.engine.Totals(), time.Now()
	first, begin := last, at
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			d.screen.end()
			t := d.engine.Totals()
			d.screen.print(fmt.Sprintf("%d messages, %d outputs in %s", t.Messages-first.Messages, t.Outputs-first.Outputs, time.Since(begin).Round(100*time.Millisecond)))
			return ctx.Err()
		}
		now, t := time.Now(), d.engine.Totals()
		seconds := now.Sub(at).Seconds()
		rate := func(a, b uint64) string { return short(float64(b-a) / seconds) }
		d.screen.status(fmt.Sprintf("%s messages/s  %d rules  %s evaluations/s  %s outputs/s  %s",
			rate(last.Messages, t.Messages), d.runningRules(), rate(last.Evaluations, t.Evaluations), rate(last.Outputs, t.Outputs), d.usage(c)))
		last, at = t, now
	}
}

func (d *demo) runningRules() (n int) {
	d.engine.EachRule(func(r metrics.RuleCounters) {
		if r.Status == metrics.RuleRunning {
			n++
		}
	})
	return n
}

// usage returns memory and processor as REST tells them.
func (d *demo) usage(c *cobra.Command) string {
	var info struct{ CPUUsage, MemoryUsed string }
	if d.rest.get(c, "/", &info) != nil {
		return ""
	}
	bytes, err := strconv.ParseFloat(info.MemoryUsed, 64)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%.0f MB  CPU %s", bytes/(1<<20), info.CPUUsage)
}

// short writes a figure with a unit of thousands.
func short(v float64) string {
	for _, u := range []struct {
		from float64
		unit string
	}{{1e9, "G"}, {1e6, "M"}, {1e4, "k"}} {
		if v >= u.from {
			if u.unit == "k" {
				return fmt.Sprintf("%.1f k", v/1e3)
			}
			return fmt.Sprintf("%.2f %s", v/u.from, u.unit)
		}
	}
	return fmt.Sprintf("%.0f", v)
}
