package metrics

import (
	"bufio"
	"strconv"
)

// Compat says which series of eKuiper are written.
type Compat struct {
	// Nodes writes the series of eKuiper's dashboards: for each source, operator and
	// sink of each rule, with its labels.
	Nodes bool
	// MaxSeries bounds them; rules beyond it, by id, have none. Default 50,000.
	MaxSeries int
}

const defaultSeries = 50_000

// NodeFigures are the series of a node, as eKuiper calls them, behind the kind.
var NodeFigures = [...]struct {
	Name, kind, help string
	linked           bool // only nodes with a connection have it
}{
	{"records_in_total", "counter", "Rows that came in.", false},
	{"records_out_total", "counter", "Rows or messages that went out.", false},
	{"messages_processed_total", "counter", "Messages that were processed.", false},
	{"exceptions_total", "counter", "What failed.", false},
	{"process_latency_us", "gauge", "Always 0: rules have no time of their own.", false},
	{"buffer_length", "gauge", "Messages that wait.", false},
	{"connection_status", "gauge", "1 connected, 0 connecting, -1 disconnected.", true},
}

// Node is a source, an operator or a sink of a rule as eKuiper has it.
type Node struct {
	Rule   string
	Kind   string // source, op or sink
	Op     string // its name: demo, 2_filter, mqtt_0
	Values [len(NodeFigures)]int64
}

// nodeKinds are the kinds in the order in which they are written.
var nodeKinds = [...]string{"source", "op", "sink"}

// writeNodes writes the series of nodes as eKuiper does.
func (m *Metrics) writeNodes(out *bufio.Writer) {
	limit := m.compat.MaxSeries
	if limit == 0 {
		limit = defaultSeries
	}
	var nodes []Node
	full := int64(0)
	m.source.EachNode(func(n Node) bool {
		if (len(nodes)+1)*len(NodeFigures) <= limit {
			nodes = append(nodes, n)
			return true
		}
		full = 1
		for len(nodes) > 0 && nodes[len(nodes)-1].Rule == n.Rule {
			nodes = nodes[:len(nodes)-1] // a rule is there whole or not at all
		}
		return false
	})
	var line []byte
	for _, kind := range nodeKinds {
		for i, f := range NodeFigures {
			if f.linked && kind == "op" {
				continue
			}
			name := "kuiper_" + kind + "_" + f.Name
			head(out, name, f.kind, f.help)
			for k := range nodes {
				if n := &nodes[k]; n.Kind == kind {
					line = n.append(line[:0], name, i)
					out.Write(line)
				}
			}
		}
	}
	head(out, "weir_compat_series_full", "gauge", "1 if there are more series of nodes than basic.metricsCompatSeries, so that some rules have none.")
	out.WriteString("weir_compat_series_full " + strconv.FormatInt(full, 10) + "\n")
}

// append writes the line of figure i of a node.
func (n *Node) append(line []byte, name string, i int) []byte {
	line = append(append(line, name...), `{rule="`...)
	line = appendLabel(line, n.Rule)
	line = append(append(append(line, `",type="`...), n.Kind...), `",op="`...)
	line = appendLabel(line, n.Op)
	line = append(line, `",op_instance="0"} `...)
	return append(strconv.AppendInt(line, n.Values[i], 10), '\n')
}
