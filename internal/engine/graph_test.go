package engine

import (
	"strings"
	"testing"

	"github.com/weir-engine/weir/planner"
)

const graphRule = `{"id":"g","graph":{"nodes":{
	"src":{"type":"source","nodeType":"memory","props":{"sourceType":"stream","sourceName":"s"}},
	"hot":{"type":"operator","nodeType":"filter","props":{"expr":"v > 1"}},
	"up":{"type":"operator","nodeType":"function","props":{"expr":"upper(name)"}},
	"win":{"type":"operator","nodeType":"window","props":{"type":"countwindow","size":2}},
	"sum":{"type":"operator","nodeType":"aggfunc","props":{"expr":"sum(v) AS total"}},
	"out":{"type":"operator","nodeType":"pick","props":{"fields":["upper","total"],"isAgg":true}},
	"one":{"type":"sink","nodeType":"memory","props":{"topic":"one","sendSingle":true}},
	"two":{"type":"sink","nodeType":"memory","props":{"topic":"two"}}},
	"topo":{"sources":["src"],"edges":{"src":["hot"],"hot":["up"],"up":["win"],"win":["sum"],"sum":["out"],"out":["one","two"]}}}}`

func TestGraphRule(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	one, two := r.listen("one"), r.listen("two")
	def, err := planner.ParseRule([]byte(graphRule))
	r.must(err)
	r.must(r.CreateRule(def))
	r.publish("in", `{"v":1,"name":"a"}`, `{"v":2,"name":"b"}`, `{"v":3,"name":"c"}`)
	one.want(`{"total":5,"upper":"B"}`)
	two.want(`[{"total":5,"upper":"B"}]`)
	if text, err := r.RuleText("g"); err != nil || string(text) != graphRule {
		t.Errorf("stored text: got %s, %v", text, err)
	}
	r.must(r.RestartRule("g"))
	r.publish("in", `{"v":4,"name":"d"}`, `{"v":5,"name":"e"}`)
	one.want(`{"total":9,"upper":"D"}`)

	bad, err := planner.ParseRule([]byte(strings.ReplaceAll(graphRule, `"filter"`, `"switch"`)))
	r.must(err)
	bad.ID = "bad"
	if err := r.CreateRule(bad); err == nil || !strings.Contains(err.Error(), `node "hot": switch`) {
		t.Errorf("switch: got %v", err)
	}
}
