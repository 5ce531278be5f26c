package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/broker"
	"github.com/weir-engine/weir/internal/config"
	"github.com/weir-engine/weir/internal/metrics"
)

// settingFlags are the flags that stand for a key of the settings. The address of
// REST is two keys and is taken apart by restSettings.
var settingFlags = []struct{ flag, path, help string }{
	{"data", "data.dir", "directory of what must survive the process"},
	{"mqtt-listen", "mqtt.listen", "address of the embedded MQTT broker, host:port; without it there is none"},
	{"mqtt-user", "mqtt.username", "user name that the embedded broker asks for"},
	{"mqtt-password", "mqtt.password", "password that the embedded broker asks for"},
	{"log-level", "basic.logLevel", "debug, info, warn or error"},
	{"timezone", "basic.timezone", "IANA name of the time zone of dates and windows"},
	{"memory-limit", "memory.limit", "soft limit of the memory, such as 64MB"},
}

// addSettings gives a command the flags that override settings and returns a
// function that loads the result.
func addSettings(c *cobra.Command) func() (*config.Config, error) {
	f := c.Flags()
	file := f.String("config", "", "file of settings, YAML")
	rest := f.String("rest", "", "address of the REST interface, host:port")
	values := make([]*string, len(settingFlags))
	for i, s := range settingFlags {
		values[i] = f.String(s.flag, "", s.help+" ("+s.path+")")
	}
	return func() (*config.Config, error) {
		var set []config.Setting
		for i, s := range settingFlags {
			if f.Changed(s.flag) {
				set = append(set, config.Setting{Path: s.path, Value: *values[i], From: "--" + s.flag})
			}
		}
		if f.Changed("rest") {
			host, port, err := splitAddr(*rest)
			if err != nil {
				return nil, fmt.Errorf("flag --rest: %w", err)
			}
			set = append(set, config.Setting{Path: "basic.restIp", Value: host, From: "--rest"}, config.Setting{Path: "basic.restPort", Value: port, From: "--rest"})
		}
		return config.Load(*file, os.Environ(), set)
	}
}

// splitAddr takes host:port apart. A port alone is on loopback.
func splitAddr(addr string) (host, port string, err error) {
	if !strings.Contains(addr, ":") {
		addr = ":" + addr
	}
	if host, port, err = net.SplitHostPort(addr); err != nil {
		return "", "", fmt.Errorf("want host:port, not %q", addr)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return host, port, nil
}

func newServe(w wiring) *cobra.Command {
	c := &cobra.Command{Use: "serve", Short: "Run the engine", Args: cobra.NoArgs}
	load := addSettings(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, err := load()
		if err != nil {
			return err
		}
		level := new(slog.LevelVar)
		log := newLogger(cfg, level, c.ErrOrStderr())
		slog.SetDefault(log)
		for _, text := range cfg.Warnings {
			log.Warn(text)
		}
		if err := serve(c.Context(), cfg, w, process{log: log, setLevel: level.Set, level: logLevel(cfg)}); err != nil {
			return fmt.Errorf("weir: %w", err)
		}
		return nil
	}
	return c
}

// logLevel returns the level that the settings ask for, debug aside.
func logLevel(cfg *config.Config) slog.Level {
	switch strings.ToLower(cfg.Basic.LogLevel) {
	case "debug":
		return slog.LevelDebug
	case "warn", "warning":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// newLogger returns the log of the process. level is set to what the settings say.
func newLogger(cfg *config.Config, level *slog.LevelVar, out io.Writer) *slog.Logger {
	level.Set(logLevel(cfg))
	if cfg.Basic.Debug {
		level.Set(slog.LevelDebug)
	}
	o := &slog.HandlerOptions{Level: level}
	if cfg.Basic.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, o))
	}
	return slog.New(slog.NewTextHandler(out, o))
}

// serve runs the broker, the engine and what listens beside them until ctx ends, a
// client asks for the end, or a listener fails. They end in the other order: REST
// first, so that no change is lost, then the engine, then the broker.
func serve(ctx context.Context, cfg *config.Config, w wiring, p process) (err error) {
	limitMemory(cfg.Memory)
	certs, err := loadTLS(cfg.Basic.RestTLS)
	if err != nil {
		return err
	}
	rest, err := net.Listen("tcp", cfg.Basic.RestAddr())
	if err != nil {
		return fmt.Errorf("rest: %w", err)
	}
	defer rest.Close() // for the ways out before it is served

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p.stop = stop
	mqtt, err := startBroker(cfg)
	if err != nil {
		return err
	}
	if mqtt != nil {
		p.log.Info("mqtt broker is up", "listen", mqtt.Addr())
		defer func() { err = errors.Join(err, mqtt.Close()) }()
	}
	eng, err := w.open(cfg, p)
	if err != nil {
		return err
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.Basic.GracefulShutdownTimeout)
		defer cancel()
		err = errors.Join(err, eng.Close(last))
	}()
	figures, err := metrics.New(eng, buildVersion(), metrics.Compat{Nodes: cfg.Basic.MetricsCompat, MaxSeries: cfg.Basic.CompatSeries})
	if err == nil && mqtt != nil {
		err = figures.Watch(mqtt)
	}
	if err != nil {
		return err
	}
	o := restOptions(cfg, figures, p.log)
	o.OnPanic = eng.NotePanic
	server, err := api.New(eng, o)
	if err != nil {
		return err
	}
	tasks := []func() error{func() error { return server.Serve(ctx, rest, certs, cfg.Basic.GracefulShutdownTimeout) }}
	tasks = append(tasks, sideListeners(ctx, cfg, figures)...)
	p.log.Info("weir is up", "version", buildVersion()+suffix, "rest", rest.Addr().String())
	err = together(tasks, stop)
	p.log.Info("weir ends")
	return err
}

// together runs tasks until all have ended; the end of the first is that of all.
func together(tasks []func() error, stop func()) error {
	done := make(chan error, len(tasks))
	for _, t := range tasks {
		go func() { done <- t() }()
	}
	var errs []error
	for range tasks {
		errs = append(errs, <-done)
		stop()
	}
	return errors.Join(errs...)
}

// startBroker starts the embedded broker; nil if there is none.
func startBroker(cfg *config.Config) (*broker.Broker, error) {
	addr, err := cfg.MQTT.Address()
	if err != nil || addr == "" {
		return nil, err
	}
	return broker.Start(broker.Options{
		Listen: addr, Username: cfg.MQTT.Username, Password: cfg.MQTT.Password,
		CertPath: cfg.MQTT.TLS.CertFile, KeyPath: cfg.MQTT.TLS.KeyFile,
	})
}

// restOptions composes the options of REST from the settings.
func restOptions(cfg *config.Config, figures http.Handler, log *slog.Logger) api.Options {
	b := &cfg.Basic
	defaults := cfg.Rule.Options()
	o := api.Options{
		Version: buildVersion(), RuleDefaults: &defaults, Metrics: figures,
		Pprof: b.Pprof && b.PprofPort == b.RestPort, NoCORS: !b.RestCORS,
		DataDir: cfg.Data.Dir, AllowExternalFiles: b.AllowExternalFileAccess, AllowPrivateNet: b.EnablePrivateNet,
		MaxBodyBytes: int64(b.RestBody), MaxBulkBytes: int64(b.RestBulk),
		Audit: b.RestAudit, Logger: log,
	}
	if b.Authentication {
		o.KeyDir = b.MgmtDir
	}
	return o
}

// loadTLS reads the certificate of REST; nil without one.
func loadTLS(t config.TLS) (*tls.Config, error) {
	if t.CertFile == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("rest tls: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}, nil
}

// sideListeners returns what serves the ports that metrics and profiles may have
// for themselves.
func sideListeners(ctx context.Context, cfg *config.Config, figures http.Handler) (tasks []func() error) {
	b := &cfg.Basic
	if b.Prometheus && b.PrometheusPort != b.RestPort {
		mux := http.NewServeMux()
		mux.Handle("/metrics", figures)
		tasks = append(tasks, func() error { return listen(ctx, "prometheus", b.RestIP, b.PrometheusPort, mux) })
	}
	if b.Pprof && b.PprofPort != b.RestPort {
		mux := http.NewServeMux()
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
		tasks = append(tasks, func() error { return listen(ctx, "pprof", b.PprofIP, b.PprofPort, mux) })
	}
	return tasks
}

// listen serves h until ctx ends.
func listen(ctx context.Context, what, ip string, port int, h http.Handler) error {
	ln, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return fmt.Errorf("%s: %w", what, err)
	case <-ctx.Done():
		srv.Close()
		<-done
		return nil
	}
}
