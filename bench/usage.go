package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// ticksPerSecond is the unit of times in /proc: 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// cpuTime returns the CPU time that a process has used. ok is false on systems
// without /proc.
func cpuTime(pid int) (t time.Duration, ok bool) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The name of the program may hold spaces: the fields are counted behind it.
	s := string(b)
	f := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(f) < 13 {
		return 0, false
	}
	user, err := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticksPerSecond, err == nil && err2 == nil
}

// stolen returns the CPU time that the host of a virtual machine gave to others
// while this machine had work, over all CPUs; 0 on systems without /proc.
func stolen() time.Duration {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(first) // cpu user nice system idle iowait irq softirq steal ...
	if len(f) < 9 {
		return 0
	}
	n, err := strconv.ParseInt(f[8], 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second / ticksPerSecond
}

// memory returns the resident memory of a process in bytes; 0 on systems without
// /proc.
func memory(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(b), "\nVmRSS:")
	f := strings.Fields(rest)
	if !ok || len(f) == 0 {
		return 0
	}
	kb, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}

// peakMeter finds the largest memory of a process while it runs.
type peakMeter struct {
	stop chan struct{}
	wg   sync.WaitGroup
	peak int64
}

func newPeakMeter(pid int) *peakMeter {
	p := &peakMeter{stop: make(chan struct{})}
	p.wg.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			p.peak = max(p.peak, memory(pid))
			select {
			case <-tick.C:
			case <-p.stop:
				return
			}
		}
	})
	return p
}

// end stops the meter and returns the peak.
func (p *peakMeter) end() int64 {
	close(p.stop)
	p.wg.Wait()
	return p.peak
}
