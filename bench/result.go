package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Result is what a load came to. A figure that the load or the system does not
// have is 0.
type Result struct {
	Config Config `json:"-"`

	Seconds           float64 `json:"seconds"` // from the first message to the last output
	Sent              int64   `json:"sent"`
	Processed         int64   `json:"processed"` // rows that the engine ran
	MessagesPerSec    float64 `json:"messages_per_s"`
	EvaluationsPerSec float64 `json:"evaluations_per_s"` // rows times the rules over them
	MatchesPerSec     float64 `json:"matches_per_s"`     // rows times the rules that selected them
	OutputsPerSec     float64 `json:"outputs_per_s"`     // messages that were encoded and handed to sinks

	Expected  int64   `json:"expected"` // messages that had to come out
	Got       int64   `json:"got"`
	Delivered float64 `json:"delivered"` // Got in Expected: 1 is nothing lost

	CPUPercent float64 `json:"cpu_pct"` // of one core, the engine's
	// StealPercent is what the host took of all CPUs during the load: latencies of a
	// run with more than a few tenths are the host's, not the engine's.
	StealPercent float64 `json:"steal_pct"`

	StartMB float64 `json:"start_mb"`
	IdleMB  float64 `json:"idle_mb"` // resident, with the rules, before the load
	PeakMB  float64 `json:"peak_mb"`
	RuleKB  float64 `json:"kb_per_rule"` // idle less start, by rules; of 1,000 rules or more

	P50Ms float64 `json:"p50_ms"` // from the write of a message to the witness's output
	P99Ms float64 `json:"p99_ms"`
	MaxMs float64 `json:"max_ms"`

	SubmitSeconds  float64 `json:"submit_s"` // singly for manage, else streams singly and rules in bulk
	BulkSeconds    float64 `json:"bulk_s"`
	DeleteSeconds  float64 `json:"delete_s"`
	RestartSeconds float64 `json:"restart_s"` // until the rules run
}

// row is one line of a report.
func (r *Result) row() []string {
	c := &r.Config
	if c.Kind == Manage {
		return []string{
			c.Name, count(float64(c.Rules)), "", "", "", "", "", "", mbText(r.IdleMB), kbText(r.RuleKB), "",
			fmt.Sprintf("submit %.2f s, bulk %.2f s, delete %.2f s, restart %.2f s", r.SubmitSeconds, r.BulkSeconds, r.DeleteSeconds, r.RestartSeconds),
		}
	}
	lat := ""
	if r.P99Ms > 0 {
		lat = fmt.Sprintf("%.2f / %.2f", r.P50Ms, r.P99Ms)
	}
	return []string{
		c.Name, count(float64(c.Rules)), count(r.MessagesPerSec), count(r.EvaluationsPerSec), count(r.OutputsPerSec), fmt.Sprintf("%.4f", r.Delivered),
		fmt.Sprintf("%.1f", r.CPUPercent), fmt.Sprintf("%.1f", r.StealPercent), mbText(r.IdleMB) + " / " + mbText(r.PeakMB), kbText(r.RuleKB), lat, "",
	}
}

var columns = []string{"load", "rules", "msg/s", "evals/s", "outputs/s", "delivered", "CPU %", "steal %", "MB idle / peak", "KB a rule", "ms p50 / p99", ""}

// Header writes the head of the table that Write adds lines to.
func Header(w io.Writer) { line(w, columns) }

// Write writes r as a line of the table.
func (r *Result) Write(w io.Writer) { line(w, r.row()) }

// widths are those of columns: lines are written as results come, so they cannot
// be found from the whole table.
var widths = []int{18, 6, 8, 8, 10, 10, 7, 7, 15, 10, 13, 0}

func line(w io.Writer, cells []string) {
	var b strings.Builder
	for i, c := range cells {
		if i == 0 {
			fmt.Fprintf(&b, "%-*s", widths[i], c)
			continue
		}
		fmt.Fprintf(&b, "  %*s", widths[i], c)
	}
	fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
}

// count writes a number as people read it: 12, 8.0k, 2.34M, 18.7G.
func count(v float64) string {
	for _, u := range []struct {
		over, unit float64
		name       string
	}{{1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}} {
		if v >= u.over {
			return fmt.Sprintf("%.3g%s", v/u.unit, u.name)
		}
	}
	return fmt.Sprintf("%.0f", v)
}

func mbText(v float64) string { return fmt.Sprintf("%.0f", v) }

func kbText(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", v)
}

// List writes the names of all loads with what they are.
func List(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range Loads() {
		fmt.Fprintf(t, "%s\t%s\n", c.Name, c.Doc)
	}
	return t.Flush()
}
