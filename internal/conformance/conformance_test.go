package conformance

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/engine"
	"github.com/weir-engine/weir/internal/store"
)

const (
	workers     = 16 // cases at a time
	passingFile = "testdata/passing.txt"
	passingHead = "# Cases that must pass, one a line. Renew with: make rewrite\n"
)

var (
	rewrite = flag.Bool("rewrite", false, "write the cases that pass to "+passingFile)
	only    = flag.String("cases", "", "run the cases whose names match this expression")
	target  = flag.String("target", "", "REST address of an engine that runs already, on this machine")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	cases, err := loadCases("testdata/cases")
	if err != nil {
		t.Fatal(err)
	}
	want, err := readPassing()
	if err != nil {
		t.Fatal(err)
	}
	pattern, err := regexp.Compile(*only)
	if err != nil {
		t.Fatal(err)
	}
	counted, known := cases[:0:0], map[string]bool{}
	for _, c := range cases {
		known[c.Name] = true
		if c.Skip == "" && pattern.MatchString(c.Name) {
			counted = append(counted, c)
		}
	}
	for name := range want {
		if !known[name] {
			t.Errorf("%s lists %q, which is no case", passingFile, name)
		}
	}
	r := startRunner(t)
	begin := time.Now()
	faults := r.runAll(counted, want)
	var passed, fresh []string
	failed := 0
	for _, c := range counted {
		switch {
		case faults[c.Name] == "":
			if passed = append(passed, c.Name); !want[c.Name] {
				fresh = append(fresh, c.Name)
			}
		case want[c.Name] && !*rewrite:
			failed++
			t.Errorf("%s:\n%s", c.Name, faults[c.Name])
		default:
			t.Logf("%s, not listed as passing:\n%s", c.Name, faults[c.Name])
		}
	}
	t.Logf("%d of %d cases pass, %d of those that must pass fail; %.1f s", len(passed), len(counted), failed, time.Since(begin).Seconds())
	if *rewrite && *only == "" {
		writePassing(t, passed)
	} else if len(fresh) > 0 {
		fmt.Printf("conformance: %d cases pass and are not listed in %s (make rewrite): %s\n", len(fresh), passingFile, strings.Join(fresh, " "))
	}
}

// runAll runs cases and returns the faults of each. What fails though it must
// pass is run once more, alone: windows and waits are in real time, and a busy
// machine may miss them.
func (r *runner) runAll(cases []*conformCase, must map[string]bool) map[string]string {
	var (
		mu     sync.Mutex
		number atomic.Int64
		faults = map[string]string{}
		wg     sync.WaitGroup
		work   = make(chan *conformCase)
	)
	one := func(c *conformCase) {
		f := r.run(c, fmt.Sprintf("conf%dz", number.Add(1)))
		mu.Lock()
		defer mu.Unlock()
		faults[c.Name] = f
	}
	for range workers {
		wg.Go(func() {
			for c := range work {
				one(c)
			}
		})
	}
	for _, c := range cases {
		if !c.Serial {
			work <- c
		}
	}
	close(work)
	wg.Wait()
	for _, c := range cases {
		if c.Serial || must[c.Name] && faults[c.Name] != "" {
			one(c)
		}
	}
	return faults
}

// startRunner starts an engine, its REST interface and a broker, all of which end
// with the test.
func startRunner(t *testing.T) *runner {
	t.Helper()
	b, err := startBroker()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	r := &runner{target: *target, broker: b, client: &http.Client{
		Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: workers},
	}}
	t.Cleanup(r.client.CloseIdleConnections)
	if r.target == "" {
		r.target = startEngine(t)
	}
	if err := r.setup(); err != nil {
		t.Fatal(err)
	}
	return r
}

// startEngine starts an engine as weir serve does and returns its REST address.
func startEngine(t *testing.T) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	eng, err := engine.Open(engine.Options{Store: store.Options{Dir: t.TempDir(), Logger: log}, Location: time.UTC, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.New(eng, api.Options{Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx, ln, nil, 5*time.Second) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		last, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := eng.Close(last); err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

// readPassing returns the names of the cases that must pass.
func readPassing() (map[string]bool, error) {
	raw, err := os.ReadFile(passingFile)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			names[line] = true
		}
	}
	return names, nil
}

func writePassing(t *testing.T, names []string) {
	t.Helper()
	slices.Sort(names)
	if err := os.WriteFile(passingFile, []byte(passingHead+strings.Join(names, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
