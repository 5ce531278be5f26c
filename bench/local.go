package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/engine"
	"github.com/weir-engine/weir/internal/metrics"
	"github.com/weir-engine/weir/internal/store"
)

// local is an engine inside this process, with REST on a port of loopback.
type local struct {
	addr   string
	cancel context.CancelFunc
	done   chan struct{}
	err    error // of Serve, after done
	engine *engine.Engine
}

// startLocal starts an engine with its data in dir; without one they are in
// memory. It listens on addr; empty takes a free port of loopback.
func startLocal(addr, dir string, log *slog.Logger) (*local, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	e, err := engine.Open(engine.Options{Store: store.Options{Dir: dir, Logger: log}, Logger: log})
	if err != nil {
		ln.Close()
		return nil, fmt.Errorf("engine: %w", err)
	}
	srv, err := restServer(e, log)
	if err != nil {
		ln.Close()
		return nil, errors.Join(fmt.Errorf("engine: %w", err), e.Close(context.Background()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &local{addr: ln.Addr().String(), cancel: cancel, done: make(chan struct{}), engine: e}
	go func() {
		defer close(l.done)
		l.err = srv.Serve(ctx, ln, nil, grace)
	}()
	return l, nil
}

func restServer(e *engine.Engine, log *slog.Logger) (*api.Server, error) {
	figures, err := metrics.New(e, "bench", metrics.Compat{})
	if err != nil {
		return nil, err
	}
	return api.New(e, api.Options{Metrics: figures, Logger: log})
}

func (l *local) address() string         { return "http://" + l.addr }
func (l *local) pid() int                { return os.Getpid() }
func (l *local) exited() <-chan struct{} { return l.done }

func (l *local) stop() error {
	l.cancel()
	<-l.done
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	return errors.Join(l.err, l.engine.Close(ctx))
}
