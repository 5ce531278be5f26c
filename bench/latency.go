package bench

import (
	"math"
	"slices"
	"sync"
)

// latencies collects times.
type latencies struct {
	mu sync.Mutex
	ns []int64
}

// maxLatencies bounds the memory: of more, the earlier half is forgotten.
const maxLatencies = 1 << 20

func (l *latencies) add(ns int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ns) >= maxLatencies {
		l.ns = l.ns[:copy(l.ns, l.ns[maxLatencies/2:])]
	}
	l.ns = append(l.ns, ns)
}

// quantiles returns the median, the 99th percentile and the largest, in ms.
func (l *latencies) quantiles() (p50, p99, largest float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ns) == 0 {
		return 0, 0, 0
	}
	slices.Sort(l.ns)
	at := func(q float64) float64 {
		i := int(math.Ceil(q*float64(len(l.ns)))) - 1
		return float64(l.ns[max(i, 0)]) / 1e6
	}
	return at(0.5), at(0.99), at(1)
}
