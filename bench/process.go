package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// engineHandle is an engine that a load is run against.
type engineHandle interface {
	// address is that of REST, http://host:port.
	address() string
	// pid is the process whose memory and CPU are the engine's.
	pid() int
	// exited is closed when the engine has ended, wanted or not.
	exited() <-chan struct{}
	// stop ends the engine in order and waits for it; it is called once.
	stop() error
}

// process is an engine in a process of its own.
type process struct {
	cmd  *exec.Cmd
	addr string
	log  ends
	done chan struct{}
	err  error // of Wait, after done
}

// grace is how long an engine may take to end before it is killed.
const grace = 30 * time.Second

// startProcess starts an engine with its data in dir and waits until it answers.
func startProcess(ctx context.Context, e Engine, dir string) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	args := append([]string{}, e.Command...)
	args = append(args, "--rest", addr, "--data", dir)
	if e.CPUs != "" {
		args = append([]string{"taskset", "-c", e.CPUs}, args...)
	}
	p := &process{cmd: exec.Command(args[0], args[1:]...), addr: addr, done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), e.Env...)
	if e.CPUs != "" {
		p.cmd.Env = append(p.cmd.Env, "GOMAXPROCS="+strconv.Itoa(max(1, len(parseCPUs(e.CPUs)))))
	}
	if e.MemoryLimit > 0 {
		p.cmd.Env = append(p.cmd.Env, "GOMEMLIMIT="+strconv.FormatInt(e.MemoryLimit, 10))
	}
	p.cmd.Stderr = &p.log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start engine: %w", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	if err := p.ready(ctx); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// ready waits until REST answers.
func (p *process) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	r := newREST(p.address(), 1)
	defer r.close()
	for {
		if _, err := r.do(ctx, http.MethodGet, "/healthz", nil); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("the engine ended before it answered: %s", p.log.text())
		case <-ctx.Done():
			return fmt.Errorf("wait for the engine: %w: %s", ctx.Err(), p.log.text())
		}
	}
}

func (p *process) address() string         { return "http://" + p.addr }
func (p *process) pid() int                { return p.cmd.Process.Pid }
func (p *process) exited() <-chan struct{} { return p.done }

// stop asks the engine to end, and kills it when it does not.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.cmd.Process.Kill() // a system without signals
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("the engine did not end within %v and was killed: %s", grace, p.log.text())
	}
	var exit *exec.ExitError
	if errors.As(p.err, &exit) && exit.ExitCode() > 0 {
		return fmt.Errorf("the engine ended with %w: %s", p.err, p.log.text())
	}
	return nil
}

// ends keeps the begin and the end of what is written to it: why a process ended
// stands in one or the other.
type ends struct {
	mu   sync.Mutex
	head []byte
	tail []byte
}

// endBytes is how much is kept of either.
const endBytes = 2 << 10

// Write never fails.
func (e *ends) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := min(len(p), endBytes-len(e.head))
	e.head = append(e.head, p[:n]...)
	if e.tail = append(e.tail, p[n:]...); len(e.tail) > 2*endBytes {
		e.tail = append(e.tail[:0], e.tail[len(e.tail)-endBytes:]...)
	}
	return len(p), nil
}

func (e *ends) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := string(e.head)
	if n := len(e.tail); n > endBytes {
		text += " ... " + string(e.tail[n-endBytes:])
	} else {
		text += string(e.tail)
	}
	return strings.TrimSpace(text)
}

// freeAddr returns an address on loopback that nobody listens on.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// parseCPUs returns the CPUs that a list such as "0,2-3" names.
func parseCPUs(list string) (cpus []int) {
	for part := range strings.SplitSeq(list, ",") {
		from, to, span := strings.Cut(strings.TrimSpace(part), "-")
		if !span {
			to = from
		}
		a, err := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err != nil || err2 != nil || b-a > 1<<12 {
			continue // taskset says what is wrong
		}
		for ; a <= b; a++ {
			cpus = append(cpus, a)
		}
	}
	return cpus
}

// OtherCPUs lists the CPUs of 0 to n-1 that are not in list.
func OtherCPUs(list string, n int) string {
	taken := parseCPUs(list)
	var rest []string
	for i := range n {
		if !slices.Contains(taken, i) {
			rest = append(rest, strconv.Itoa(i))
		}
	}
	return strings.Join(rest, ",")
}

// CanPin tells whether this system can pin processes: it has taskset, and more
// than one CPU.
func CanPin() bool {
	_, err := exec.LookPath("taskset")
	return err == nil && runtime.NumCPU() > 1
}

// PinSelf moves this process to the CPUs of list, so that it does not take time
// from an engine on others. It tells whether that was possible.
func PinSelf(list string) bool {
	return list != "" && exec.Command("taskset", "-a", "-c", "-p", list, strconv.Itoa(os.Getpid())).Run() == nil
}
