package sinks

import (
	"runtime"
	"sync"
	"weak"
)

// Routes interns the routes of one sink type. It holds them weakly: what no rule
// and no queue uses is let go. The zero value is ready; it must not be copied.
type Routes struct {
	mu sync.Mutex
	m  map[string]weak.Pointer[Route]
}

// Intern returns the Route of spec, made by mk if there is none.
func (r *Routes) Intern(spec string, mk func() *Route) *Route {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.m[spec].Value(); p != nil {
		return p
	}
	if r.m == nil {
		r.m = make(map[string]weak.Pointer[Route])
	}
	p := mk()
	p.Spec = spec
	r.m[spec] = weak.Make(p)
	runtime.AddCleanup(p, r.forget, spec)
	return p
}

func (r *Routes) forget(spec string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, ok := r.m[spec]; ok && p.Value() == nil {
		delete(r.m, spec)
	}
}
