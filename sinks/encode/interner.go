package encode

import (
	"runtime"
	"sync"
	"weak"
)

// Interner keeps one Encoder for all equal properties, as long as somebody uses
// it: 8,000 rules that send alike share one. The zero Interner is ready and may be
// used from any goroutine. Options must be the same in every call.
type Interner struct {
	mu       sync.Mutex
	encoders map[string]weak.Pointer[Encoder]
}

// Get returns the Encoder for the properties m, see New.
func (in *Interner) Get(m map[string]any, opts ...Option) (*Encoder, error) {
	p, err := readProps(m)
	if err != nil {
		return nil, err
	}
	s := newSettings(opts)
	if err := p.resolve(s); err != nil {
		return nil, err
	}
	key := p.key(s)
	if p.grows(s) {
		return newEncoder(p, s, key)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if e := in.encoders[key].Value(); e != nil {
		return e, nil
	}
	e, err := newEncoder(p, s, key)
	if err != nil {
		return nil, err
	}
	if in.encoders == nil {
		in.encoders = make(map[string]weak.Pointer[Encoder])
	}
	w := weak.Make(e)
	in.encoders[key] = w
	runtime.AddCleanup(e, func(key string) { in.forget(key, w) }, key)
	return e, nil
}

// forget drops the entry of an Encoder that is gone, unless there is a new one.
func (in *Interner) forget(key string, w weak.Pointer[Encoder]) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.encoders[key] == w {
		delete(in.encoders, key)
	}
}
