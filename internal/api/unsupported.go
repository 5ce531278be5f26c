package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/weir-engine/weir/planner/ruledef"
)

// unsupported are the paths of eKuiper that weir does not have, by what their
// users would call them.
var unsupported = []struct {
	what  string
	paths []string
}{
	{"plugins", []string{"/plugins/"}},
	{"user-defined functions in scripts", []string{"/udf/"}},
	{"external services", []string{"/services", "/services/"}},
	{"rule tests", []string{"/ruletest", "/ruletest/"}},
	{"traces", []string{"/trace/", "/tracer", "/rules/{id}/trace/start", "/rules/{id}/trace/stop"}},
	{"uploads", []string{"/config/uploads", "/config/uploads/"}},
	{"imports in the background", []string{"/async/"}},
	{"setting back a source", []string{"/rules/{id}/reset_state"}},
	{"descriptions for forms", []string{"/metadata/operators", "/metadata/sources/{type}", "/metadata/sinks/{type}", "/metadata/connections/{type}"}},
}

// routeUnsupported answers what weir does not do with an error that says so, so
// that nobody takes a 404 for a typing error or silence for success.
func (s *Server) routeUnsupported() {
	for _, u := range unsupported {
		f := fault{http.StatusNotImplemented, ruledef.CodeUndefined, fmt.Sprintf("%s: not supported by weir", u.what)}
		for _, path := range u.paths {
			s.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { f.write(w) })
		}
	}
}

// routeAbsent answers what eKuiper can be configured without as it does then.
func (s *Server) routeAbsent() {
	s.mux.Handle("/metrics/dump/check", methods{get: func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "disabled") }})
	s.mux.Handle("/metrics/dump", methods{get: func(w http.ResponseWriter, _ *http.Request) { badRequest("metrics dump not enabled").write(w) }})
	s.mux.Handle("/rules/usage/cpu", methods{get: func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "cpu usage not enabled") }})
	s.mux.Handle("/rules/{id}/scantables", methods{get: s.scanTables})
}

// scanTables says why there are no rows of a scan table to list.
func (s *Server) scanTables(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	topo, err := s.engine.RuleTopo(id)
	switch {
	case err != nil:
		ruleFault(err, "failed to get topology for rule "+id, "Rule "+id+" is not found").write(w)
	case slices.ContainsFunc(topo.Edges, func(e TopoEdge) bool { return strings.HasSuffix(e.From, "_join_aligner") }):
		fault{http.StatusNotImplemented, ruledef.CodeUndefined, "listing the rows of scan tables: not supported by weir"}.write(w)
	default:
		badRequest("scan table error: join node is not found for %s", id).write(w)
	}
}
