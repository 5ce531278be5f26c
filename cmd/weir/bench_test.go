package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/weir-engine/weir/bench"
)

func TestBench(t *testing.T) {
	out, err := runTool(t, newBench(), "", "one", "--in-process", "--json", "--duration", "50ms", "--settle", "1ms", "--rules", "3", "--rate", "1000")
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Load      string
		Sent, Got int64
		Delivered float64
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	if r.Load != "one" || r.Sent == 0 || r.Delivered != 1 {
		t.Errorf("got %+v, want everything delivered", r)
	}
	out, err = runTool(t, newBench(), "", "twin", "--in-process", "--duration", "20ms", "--settle", "1ms")
	if err != nil || !strings.Contains(out, "delivered") || !strings.Contains(out, "\ntwin ") {
		t.Errorf("got %q, %v, want a table", out, err)
	}
}

func TestBenchList(t *testing.T) {
	out, err := runTool(t, newBench(), "", "--list")
	if err != nil || !strings.Contains(out, "article ") || strings.Count(out, "\n") != len(bench.Loads()) {
		t.Errorf("got %q, %v, want all loads", out, err)
	}
}

func TestBenchFlags(t *testing.T) {
	var o benchFlags
	c := newBench()
	if _, err := o.loads(c, []string{"nope"}); err == nil || !strings.Contains(err.Error(), `unknown load "nope"`) {
		t.Errorf("got error %v, want the unknown load", err)
	}
	loads, err := o.loads(c, nil)
	if err != nil || len(loads) != len(bench.Loads()) {
		t.Errorf("got %d loads, %v, want all", len(loads), err)
	}
	for _, l := range loads {
		if len(l.Engine.Command) != 2 || l.Engine.Command[1] != "serve" {
			t.Errorf("load %s starts %q, want this program's serve", l.Name, l.Engine.Command)
		}
	}
	o.inProcess = true
	for _, l := range must(t)(o.loads(c, nil)) {
		if l.Kind == bench.Manage || len(l.Engine.Command) > 0 {
			t.Errorf("load %s needs a process", l.Name)
		}
	}
	for flag, want := range map[string]string{"--sink=kafka": `sink "kafka"`, "--qos=2": "qos 2", "--selectivity=100": "selectivity 100", "--chunk=-1": "-1 messages"} {
		if _, err := runTool(t, newBench(), "", "one", flag); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want one with %q", flag, err, want)
		}
	}
}

func TestBenchChange(t *testing.T) {
	c := newBench()
	if err := c.ParseFlags([]string{"--rules=7", "--rate=5", "--linger=20ms", "--distinct=false"}); err != nil {
		t.Fatal(err)
	}
	o := benchFlags{rules: 7, rate: 5, linger: 20 * time.Millisecond}
	l := bench.Config{Rules: 1, Distinct: true, Chunk: 9}
	o.change(c, &l)
	if l.Rules != 7 || l.Rate != 5 || l.Linger != 20*time.Millisecond || l.Distinct || l.Chunk != 9 {
		t.Errorf("got %+v, want what the flags say and the rest as it was", l)
	}
}

// must returns a function that fails the test with an error.
func must(t *testing.T) func([]bench.Config, error) []bench.Config {
	t.Helper()
	return func(l []bench.Config, err error) []bench.Config {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
}
