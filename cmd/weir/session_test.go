package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-engine/weir/internal/broker"
	"github.com/weir-engine/weir/internal/mqttconn"
)

// asWeir is the variable of the environment with which the binary of the tests is
// weir itself.
const asWeir = "WEIR_TEST_PROCESS"

// patience is how long a test waits for another process.
const patience = 30 * time.Second

// patient asks another process.
var patient = &http.Client{Timeout: patience}

// weirProcess is a process of weir serve.
type weirProcess struct {
	t    *testing.T
	cmd  *exec.Cmd
	base string
}

// startWeir runs weir serve over a directory and waits until it answers.
func startWeir(t *testing.T, dir string) *weirProcess {
	t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	cmd := exec.Command(os.Args[0], "serve", "--rest", addr, "--data", dir, "--mqtt-listen", "0")
	cmd.Env = append(os.Environ(), asWeir+"=1")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w := &weirProcess{t, cmd, "http://" + addr}
	t.Cleanup(func() {
		w.end(syscall.SIGKILL)
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("weir said:\n%s", said)
		}
	})
	w.await("REST answers", func() bool {
		res, err := patient.Get(w.base + "/healthz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return w
}

// await waits until cond holds. What it waits for is in another process.
func (w *weirProcess) await(what string, cond func() bool) {
	w.t.Helper()
	beat := time.NewTicker(10 * time.Millisecond)
	defer beat.Stop()
	end := time.After(patience)
	for !cond() {
		select {
		case <-beat.C:
		case <-end:
			w.t.Fatal("waited in vain: " + what)
		}
	}
}

// end ends the process by a signal and waits for it.
func (w *weirProcess) end(sig syscall.Signal) {
	w.t.Helper()
	if w.cmd.ProcessState != nil {
		return
	}
	_ = w.cmd.Process.Signal(sig)
	kill := time.AfterFunc(patience, func() { _ = w.cmd.Process.Kill() })
	defer kill.Stop()
	if err := w.cmd.Wait(); err != nil && sig != syscall.SIGKILL {
		w.t.Errorf("weir ended by %v: %v", sig, err)
	}
}

func (w *weirProcess) call(method, path string, body any) string {
	w.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequest(method, w.base+path, strings.NewReader(string(text)))
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := patient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var out strings.Builder
	_ = res.Write(&out)
	if res.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %s", method, path, out.String())
	}
	return out.String()
}

// startMosquitto runs mosquitto on a free port.
func startMosquitto(t *testing.T) string {
	t.Helper()
	bin, err := exec.LookPath("mosquitto")
	if err != nil {
		t.Skip("mosquitto is not installed")
	}
	port := freePort(t)
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "listener %d 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n", port), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return fmt.Sprintf("127.0.0.1:%d", port)
}

func startEmbedded(t *testing.T) string {
	t.Helper()
	b, err := broker.Start(broker.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b.Addr()
}

// tester publishes to a broker and gathers what rules send.
type tester struct {
	t    *testing.T
	conn *mqttconn.Conn
	mu   sync.Mutex
	got  map[string]int // by payload
}

func newTester(t *testing.T, addr string) *tester {
	t.Helper()
	c, err := mqttconn.New(mqttconn.Options{Servers: []string{"tcp://" + addr}, CleanSession: true})
	if err != nil {
		t.Fatal(err)
	}
	x := &tester{t: t, conn: c, got: map[string]int{}}
	c.Handle(x)
	if err := c.Subscribe(1, []string{"out/#"}, 1); err != nil {
		t.Fatal(err)
	}
	c.Start()
	t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.WaitAcked(ctx, 1); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *tester) Messages(_ int64, msgs []mqttconn.Message) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var tokens []uint64
	for _, m := range msgs {
		x.got[string(m.Payload)]++
		tokens = append(tokens, m.Token)
	}
	x.conn.Ack(tokens)
}

// publish sends {"n":from} to {"n":to-1}, in turn to in/a and in/b.
func (x *tester) publish(from, to int) {
	x.t.Helper()
	var list []mqttconn.OutMessage
	for n := from; n < to; n++ {
		list = append(list, mqttconn.OutMessage{Topic: "in/" + []string{"a", "b"}[n%2], Payload: fmt.Appendf(nil, `{"n":%d}`, n), QoS: 1})
	}
	ctx, cancel := context.WithTimeout(x.t.Context(), patience)
	defer cancel()
	if n, err := x.conn.Publish(ctx, list); err != nil || n != len(list) {
		x.t.Fatalf("published %d: %v", n, err)
	}
}

// missing lists what of 0 to n-1 did not come, and what came more than once.
func (x *tester) missing(n int) (missing, twice []int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range n {
		switch x.got[fmt.Sprintf(`{"n":%d}`, i)] {
		case 0:
			missing = append(missing, i)
		case 1:
		default:
			twice = append(twice, i)
		}
	}
	return missing, twice
}

var sourceIsUp = regexp.MustCompile(`"source_[^"]*connection_status": ?1`)

// TestSessionOverThePause: what comes for a persistent session while there is no
// process is there for the next one, for each of the streams on the session, however
// the first one ended.
func TestSessionOverThePause(t *testing.T) {
	for name, start := range map[string]func(*testing.T) string{"mosquitto": startMosquitto, "embedded": startEmbedded} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
			t.Run(name+"/"+sig.String(), func(t *testing.T) {
				addr := start(t)
				x := newTester(t, addr)
				dir := t.TempDir()
				defer func() {
					if missing, _ := x.missing(40); t.Failed() {
						t.Logf("missing: %v", missing)
					}
				}()
				w := startWeir(t, dir)
				w.call("POST", "/connections", map[string]any{"id": "c", "typ": "mqtt", "props": map[string]any{
					"server": "tcp://" + addr, "clientid": "gateway", "enableClientSession": true, "qos": 1,
				}})
				w.call("PUT", "/metadata/sources/mqtt/confKeys/k", map[string]any{"connectionSelector": "c"})
				for _, s := range []string{"a", "b"} {
					w.call("POST", "/streams", map[string]string{"sql": fmt.Sprintf(`CREATE STREAM %s () WITH (TYPE="mqtt", DATASOURCE="in/%s", CONF_KEY="k", FORMAT="json")`, s, s)})
					w.call("POST", "/rules", map[string]any{"id": s, "sql": "SELECT n FROM " + s, "options": map[string]any{"qos": 1}, "actions": []any{
						map[string]any{"mqtt": map[string]any{"server": "tcp://" + addr, "topic": "out/" + s, "qos": 1, "sendSingle": true}},
					}})
				}
				up := func() {
					for _, s := range []string{"a", "b"} {
						w.await("the source is connected", func() bool {
							return sourceIsUp.MatchString(w.call("GET", "/rules/"+s+"/status", nil))
						})
					}
				}
				up()
				x.publish(0, 10)
				w.await("the first messages", func() bool { m, _ := x.missing(10); return len(m) == 0 })
				w.end(sig)
				x.publish(10, 30)
				w = startWeir(t, dir)
				if name == "embedded" { // it loses what comes in the instant in which a client takes its session over
					up()
				}
				x.publish(30, 40)
				w.await("all messages", func() bool { m, _ := x.missing(40); return len(m) == 0 })
				if _, twice := x.missing(40); sig == syscall.SIGTERM && len(twice) > 0 {
					t.Errorf("came more than once: %v", twice)
				}
				x.mu.Lock()
				if len(x.got) != 40 {
					t.Errorf("got %d different payloads, want 40", len(x.got))
				}
				x.mu.Unlock()
				w.end(syscall.SIGTERM)
			})
		}
	}
}
