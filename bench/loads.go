package bench

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Loads returns every named load; BENCHMARKS.md has their figures. Fields that a
// load leaves to their defaults are zero.
func Loads() []Config {
	t2micro := Engine{MemoryLimit: 900 << 20} // of 1 GiB, the system takes its part
	return []Config{
		{Name: "one", Doc: "1 rule, flat JSON, flat out"},
		{Name: "article", Doc: "eKuiper's article: 8,000 rules, a topic each, 0.1 msg/s each, 90 % filtered, log sink", Rules: 8000, OwnTopics: true, Threshold: 20, Sink: "log", Rate: 800},
		{Name: "article-linger", Doc: "the same, 20 ms of latency given up for CPU", Rules: 8000, OwnTopics: true, Threshold: 20, Sink: "log", Rate: 800, Linger: 20 * time.Millisecond},
		{Name: "shared", Doc: "8,000 rules on one stream, all thresholds different, flat out", Rules: 8000, Distinct: true},
		{Name: "shared-300", Doc: "300 rules on one stream at 500 msg/s", Rules: 300, Distinct: true, Rate: 500},
		{Name: "outputs", Doc: "8,000 different rules with few matches each, all really sent to MQTT", Rules: 8000, Distinct: true, Spread: 0.02, Sink: "mqtt"},
		{Name: "single-writes", Doc: "8,000 different rules, every message a write of its own, as from a real broker", Rules: 8000, Distinct: true, Chunk: 1},
		{Name: "t2micro", Doc: "1 rule at 10,000 msg/s, one core, memory limit of a t2.micro", Rate: 10_000, Linger: 10 * time.Millisecond, Engine: t2micro},
		{Name: "t2micro-max", Doc: "the same, flat out", Engine: t2micro},
		{Name: "twin", Doc: "1 rule over KubeEdge twin updates, flat out", Shape: Twin},
		{Name: "forward", Doc: "1 rule, and the witness forwards 99 % of the messages to MQTT", Selectivity: 99},
		{Name: "windows", Doc: "100 rules GROUP BY device, one-second tumbling window, HAVING, flat out", Rules: 100, Kind: Windows},
		{Name: "panes", Doc: "8,000 rules over 80 windows: 10 filters x 8 lengths, HAVING all different, flat out", Rules: 8000, Kind: Panes, Distinct: true},
		{Name: "hopping", Doc: "100 rules GROUP BY device, ten seconds every second, HAVING all different, flat out", Rules: 100, Kind: Hopping, Distinct: true},
		{Name: "joins", Doc: "100 rules that join every row with a lookup table of 100 rows that keeps changing, flat out", Rules: 100, Kind: Joins, Distinct: true},
		{Name: "types", Doc: "1,000 rules over a column of whole numbers, floats, texts, nulls and nothing, flat out", Rules: 1000, Kind: Types, Distinct: true, Shape: Mixed},
		{Name: "calls", Doc: "1,000 rules with function calls in WHERE and SELECT, flat out", Rules: 1000, Kind: Calls},
		{Name: "complex", Doc: "1,000 rules of three ANDed predicates, flat out", Rules: 1000, Kind: Complex},
		{Name: "latency", Doc: "1 rule at 1,000 msg/s", Rate: 1000},
		{Name: "latency-8000", Doc: "8,000 different rules at 1,000 msg/s", Rules: 8000, Distinct: true, Rate: 1000},
		{Name: "manage", Doc: "submit, submit in bulk, delete 8,000 rules, and start with them", Rules: 8000, Distinct: true, Kind: Manage},
	}
}

// Load returns the load called name.
func Load(name string) (Config, error) {
	loads := Loads()
	if i := slices.IndexFunc(loads, func(c Config) bool { return c.Name == name }); i >= 0 {
		return loads[i], nil
	}
	var names []string
	for _, c := range loads {
		names = append(names, c.Name)
	}
	return Config{}, fmt.Errorf("bench: unknown load %q: want %s", name, strings.Join(names, ", "))
}
