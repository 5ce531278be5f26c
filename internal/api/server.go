// Package api is the REST interface of the engine: the paths, bodies, texts and
// status codes that users of eKuiper have, and a few additions under names of
// their own, such as /rules/bulk, /outboxes, /keyed-state and /healthz:
// docs/operation.md lists them.
//
// It knows HTTP and JSON and the wording of answers. It refuses to know how
// anything is done: every effect is a call of Engine, which is declared here and
// implemented by the engine, so that the whole package is tested without one.
// It keeps no state but the result of the last import. Groups of paths that
// weir does not have are answered with a clear error, never with success.
package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-engine/weir/planner/ruledef"
)

// Options configures a Server. The zero value serves without authentication,
// TLS, metrics and profiles.
type Options struct {
	Version string // shown at /; default "unknown"

	// RuleDefaults are the options of rules that leave them out. Default:
	// ruledef.DefaultOptions.
	RuleDefaults *ruledef.Options

	Metrics http.Handler // serves /metrics; nil: 404
	Pprof   bool         // serves /debug/pprof/
	NoCORS  bool         // no cross-origin headers: browsers refuse pages of other origins

	// KeyDir turns on authentication: it holds the public keys, one file for each
	// issuer of tokens. Empty: no authentication.
	KeyDir string

	// DataDir is where "file" in an import may point to. AllowExternalFiles
	// lifts that bound; AllowPrivateNet lets "file" name hosts in private
	// networks.
	DataDir            string
	AllowExternalFiles bool
	AllowPrivateNet    bool

	MaxBodyBytes int64 // of a single object; default 8 MiB
	MaxBulkBytes int64 // of a bulk or an import; default 64 MiB

	ReadTimeout  time.Duration // of a whole request; default 1m
	WriteTimeout time.Duration // of a whole answer; default 2m
	IdleTimeout  time.Duration // of a connection between requests; default 2m

	// OnPanic is told of a panic while a call was answered, by its value, on the
	// goroutine that panicked. Default: it is logged.
	OnPanic func(what string, value any)

	Audit  bool             // logs every call that is not a GET
	Logger *slog.Logger     // default slog.Default()
	Now    func() time.Time // default time.Now
}

// EnsureDefaults sets what is zero and has a default.
func (o *Options) EnsureDefaults() {
	if o.Version == "" {
		o.Version = "unknown"
	}
	if o.RuleDefaults == nil {
		d := ruledef.DefaultOptions()
		o.RuleDefaults = &d
	}
	setDefault(&o.MaxBodyBytes, 8<<20)
	setDefault(&o.MaxBulkBytes, 64<<20)
	setDefault(&o.ReadTimeout, time.Minute)
	setDefault(&o.WriteTimeout, 2*time.Minute)
	setDefault(&o.IdleTimeout, 2*time.Minute)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.OnPanic == nil {
		o.OnPanic = func(what string, value any) { o.Logger.Error(what, "panic", value, "stack", string(debug.Stack())) }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

func setDefault[T ~int64](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// Validate returns every fault of the options.
func (o *Options) Validate() error {
	var faults []error
	for _, v := range []struct {
		name  string
		value int64
	}{
		{"body limit", o.MaxBodyBytes},
		{"bulk limit", o.MaxBulkBytes},
		{"read timeout", int64(o.ReadTimeout)},
		{"write timeout", int64(o.WriteTimeout)},
		{"idle timeout", int64(o.IdleTimeout)},
	} {
		if v.value < 0 {
			faults = append(faults, fmt.Errorf("rest: %s must not be negative, but is %d", v.name, v.value))
		}
	}
	return errors.Join(faults...)
}

// Server answers REST calls. It is an http.Handler and may be used from many
// goroutines.
type Server struct {
	opts    Options
	engine  Engine
	started time.Time
	mux     *http.ServeMux
	handler http.Handler // mux behind CORS, audit and authentication
	cpu     cpuMeter

	importMu   sync.Mutex // one import at a time
	lastMu     sync.Mutex // guards lastImport
	lastImport Definitions
}

// New returns a server for the engine. It starts nothing.
func New(engine Engine, opts Options) (*Server, error) {
	opts.EnsureDefaults()
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	s := &Server{opts: opts, engine: engine, started: opts.Now(), mux: http.NewServeMux()}
	s.routeSystem()
	s.routeStreams()
	s.routeRules()
	s.routeTransfer()
	s.routeSchemas()
	s.routeOutboxes()
	s.routeKeyed()
	s.routeMetadata()
	s.routeConnections()
	s.routeUnsupported()
	s.routeAbsent()
	s.handler = s.contain(s.mux)
	if opts.KeyDir != "" {
		s.handler = newTokens(opts.KeyDir, opts.Now).require(s.handler)
	}
	if opts.Audit {
		s.handler = s.audit(s.handler)
	}
	if !opts.NoCORS {
		s.handler = allowOrigins(s.handler)
	}
	return s, nil
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Serve answers calls on ln until ctx ends, then lets running calls finish for
// at most grace. It closes ln. certs makes it HTTPS; nil is plain HTTP. The
// error is that of the listener; nil after ctx ended.
func (s *Server) Serve(ctx context.Context, ln net.Listener, certs *tls.Config, grace time.Duration) error {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: min(10*time.Second, s.opts.ReadTimeout),
		ReadTimeout:       s.opts.ReadTimeout,
		WriteTimeout:      s.opts.WriteTimeout,
		IdleTimeout:       s.opts.IdleTimeout,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	if certs != nil {
		ln = tls.NewListener(ln, certs)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	select {
	case err := <-done:
		return fmt.Errorf("rest: serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		srv.Close() // what did not finish in time is cut off; the listener is closed already
	}
	<-done
	return nil
}

// methods answers a path by method. Other methods are 405 with an empty body and the
// list of those that there are.
type methods map[string]http.HandlerFunc

func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, ok := m[r.Method]
	if !ok && r.Method == http.MethodHead {
		h, ok = m[http.MethodGet]
	}
	if !ok {
		allow := slices.Sorted(maps.Keys(m))
		if m[http.MethodGet] != nil {
			allow = append(allow, http.MethodHead)
		}
		w.Header().Set("Allow", strings.Join(allow, ", "))
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	h(w, r)
}

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	remove = http.MethodDelete
)

func (s *Server) routeSystem() {
	s.mux.Handle("/{$}", methods{get: s.info, post: s.info})
	s.mux.Handle("/ping", methods{get: s.ping})
	s.mux.Handle("/healthz", methods{get: s.health})
	s.mux.Handle("/stop", methods{get: s.stop, post: s.stop})
	s.mux.Handle("/configs", methods{patch: s.configure})
	s.mux.Handle("/batch/req", methods{post: s.batch})
	s.mux.Handle("/functions", methods{get: s.functions})
	if s.opts.Metrics != nil {
		s.mux.Handle("/metrics", methods{get: s.opts.Metrics.ServeHTTP})
	}
	if s.opts.Pprof {
		s.mux.Handle("/debug/pprof/", methods{get: pprof.Index})
		s.mux.Handle("/debug/pprof/cmdline", methods{get: pprof.Cmdline})
		s.mux.Handle("/debug/pprof/profile", methods{get: pprof.Profile})
		s.mux.Handle("/debug/pprof/symbol", methods{get: pprof.Symbol, post: pprof.Symbol})
		s.mux.Handle("/debug/pprof/trace", methods{get: pprof.Trace})
	}
}

// allowOrigins lets pages of any origin call, as the consoles for eKuiper expect.
func allowOrigins(next http.Handler) http.Handler {
	const allowed = "GET, POST, PUT, DELETE, HEAD"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") == "" {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		want := r.Header.Get("Access-Control-Request-Method")
		if r.Method != http.MethodOptions || want == "" {
			next.ServeHTTP(w, r)
			return
		}
		switch want {
		case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodHead:
			h.Set("Access-Control-Allow-Methods", allowed)
			h.Set("Access-Control-Allow-Headers", "Accept, Accept-Language, Content-Type, Content-Language, Origin, Authorization")
			w.WriteHeader(http.StatusOK)
		default:
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
}

// contain makes a panic, which is a fault of ours, an answer.
func (s *Server) contain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				s.opts.OnPanic("a call is given up", v)
				fault{http.StatusInternalServerError, ruledef.CodeUndefined, fmt.Sprintf("%s %s: a fault of weir: %v", r.Method, r.URL.Path, v)}.write(w)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// audit logs the calls that change something. A batch is logged as one call.
func (s *Server) audit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			s.opts.Logger.Info("rest call", "method", r.Method, "path", r.URL.Path, "from", r.RemoteAddr)
		}
		next.ServeHTTP(w, r)
	})
}
