package api

import (
	"fmt"
	"net/http"

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
	{"dumps of metrics", []string{"/metrics/dump", "/metrics/dump/check"}},
	{"CPU time by rule", []string{"/rules/usage/cpu"}},
	{"setting back a source", []string{"/rules/{id}/reset_state"}},
	{"listing the rows of scan tables", []string{"/rules/{id}/scantables"}},
	{"descriptions for forms", []string{"/metadata/operators", "/metadata/resource", "/metadata/resources", "/metadata/sources/{type}", "/metadata/sinks/{type}", "/metadata/connections/{type}"}},
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
