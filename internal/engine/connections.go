package engine

import (
	"slices"

	"github.com/weir-engine/weir/ingest/source"
	"github.com/weir-engine/weir/sinks"
)

// connection is a connection that is open, with the type that it belongs to.
type connection struct {
	typ string
	source.Connection
}

// connections lists what is open, by type.
func (e *Engine) connections() []connection {
	var out []connection
	for _, typ := range e.types.sources.Names() {
		if list := e.types.sources[typ].Connections; list != nil {
			for _, c := range list() {
				out = append(out, connection{typ, c})
			}
		}
	}
	return out
}

// connState is the state of a source in the numbers of eKuiper's API.
func connState(st source.State) sinks.ConnState {
	switch st {
	case source.Running, source.EOF:
		return sinks.Connected
	case source.Failed, source.Stopped:
		return sinks.Disconnected
	}
	return sinks.Connecting
}

// connStatus words the state of a source as the status of rules has it.
func connStatus(st source.Status) sinks.ConnStatus {
	return sinks.ConnStatus{
		State: connState(st.State), LastConnectedMs: st.ConnectedAt, LastDisconnectedMs: st.DisconnectedAt, LastTryMs: st.TriedAt,
		LastDisconnected: or(st.Note, st.LastError),
	}
}

// named lists the types whose connections can be defined by themselves.
func (t *types) named() []string {
	var out []string
	for typ, s := range t.sources {
		if s.Named {
			out = append(out, typ)
		}
	}
	for typ, l := range t.lookups {
		if l.Named && !t.sources[typ].Named {
			out = append(out, typ)
		}
	}
	slices.Sort(out)
	return out
}
