package api

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/weir-engine/weir/planner/ruledef"
)

func (s *Server) routeMetadata() {
	s.mux.Handle("/metadata/functions", methods{get: s.functions})
	for _, kind := range []ConfKind{ConfSources, ConfSinks, ConfConnections} {
		base := "/metadata/" + string(kind)
		s.mux.Handle(base, methods{
			get: func(w http.ResponseWriter, r *http.Request) { s.listTypes(w, r, kind) },
		})
		s.mux.HandleFunc(base+"/{a}/{b}", func(w http.ResponseWriter, r *http.Request) { s.metadataPair(w, r, kind) })
		s.mux.Handle(base+"/{type}/confKeys/{key}", methods{
			get:    func(w http.ResponseWriter, r *http.Request) { s.getConfKey(w, r, kind) },
			put:    func(w http.ResponseWriter, r *http.Request) { s.putConfKey(w, r, kind) },
			remove: func(w http.ResponseWriter, r *http.Request) { s.deleteConfKey(w, r, kind) },
		})
	}
	s.mux.Handle("/metadata/resource", methods{get: s.listResource})
	s.mux.Handle("/metadata/resources", methods{get: s.listResources})
	s.mux.Handle("/metadata/lookups/connection/{type}", methods{
		post: func(w http.ResponseWriter, r *http.Request) { s.pingConnection(w, r, ConfSources) },
	})
}

// metadataPair answers the paths with two parts after the kind. They overlap
// ("yaml" could be a type), so that the mux cannot tell them apart.
func (s *Server) metadataPair(w http.ResponseWriter, r *http.Request, kind ConfKind) {
	a, b := r.PathValue("a"), r.PathValue("b")
	switch {
	case a == "connection":
		r.SetPathValue("type", b)
		methods{post: func(w http.ResponseWriter, r *http.Request) { s.pingConnection(w, r, kind) }}.ServeHTTP(w, r)
	case a == "yaml" || b == "confKeys":
		if a == "yaml" {
			a = b
		}
		r.SetPathValue("type", a)
		methods{get: func(w http.ResponseWriter, r *http.Request) { s.listConfKeys(w, r, kind) }}.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// listTypes lists the types of a kind by name. The descriptions for forms that
// eKuiper's console draws are not part of weir.
func (s *Server) listTypes(w http.ResponseWriter, r *http.Request, kind ConfKind) {
	type entry struct {
		Name string `json:"name"`
	}
	var names []string
	switch {
	case kind == ConfSinks:
		names = s.engine.SinkTypes()
	case kind == ConfConnections:
		seen := map[string]bool{}
		for _, c := range s.engine.ConnectionList() {
			if !seen[c.Type] {
				seen[c.Type] = true
				names = append(names, c.Type)
			}
		}
	case r.URL.Query().Get("kind") == "lookup":
		names = s.engine.LookupTypes()
	default:
		names = s.engine.SourceTypes()
	}
	list := []entry{}
	for _, n := range names {
		list = append(list, entry{n})
	}
	writeJSON(w, http.StatusOK, list)
}

// types returns the types that settings of a kind can be for.
func (s *Server) types(kind ConfKind) []string {
	if kind == ConfSinks {
		return s.engine.SinkTypes()
	}
	list := append(s.engine.SourceTypes(), s.engine.LookupTypes()...)
	slices.Sort(list)
	return slices.Compact(list)
}

// listResources lists the groups of settings by kind: for each type that has some a
// map from their keys to it.
func (s *Server) listResources(w http.ResponseWriter, _ *http.Request) {
	out := map[ConfKind][]map[string]string{ConfSources: nil, ConfSinks: nil}
	for kind := range out {
		for _, typ := range s.types(kind) {
			groups, err := s.engine.ConfKeys(kind, typ)
			if err != nil {
				faultOf(err, confKeyError).write(w)
				return
			}
			if len(groups) == 0 {
				continue
			}
			of := map[string]string{}
			for key := range groups {
				of[key] = typ
			}
			out[kind] = append(out[kind], of)
		}
	}
	writeJSON(w, http.StatusOK, out)
}

// listResource lists the groups of settings of sources by type, all or those with a
// given sourceType.
func (s *Server) listResource(w http.ResponseWriter, r *http.Request) {
	want := r.URL.Query().Get("sourceType")
	out := map[string]map[string]any{}
	for _, typ := range s.types(ConfSources) {
		groups, err := s.engine.ConfKeys(ConfSources, typ)
		if err != nil {
			faultOf(err, confKeyError).write(w)
			return
		}
		for key, props := range groups {
			if of, _ := props["sourceType"].(string); want != "" && of != want {
				continue
			}
			if out[typ] == nil {
				out[typ] = map[string]any{}
			}
			out[typ][key] = mask(props)
		}
	}
	writeJSON(w, http.StatusOK, out)
}

const confKeyError = "conf key error"

func (s *Server) listConfKeys(w http.ResponseWriter, r *http.Request, kind ConfKind) {
	groups, err := s.engine.ConfKeys(kind, r.PathValue("type"))
	if err != nil {
		faultOf(err, confKeyError).write(w)
		return
	}
	masked := make(map[string]any, len(groups))
	for key, props := range groups {
		masked[key] = mask(props)
	}
	writeJSON(w, http.StatusOK, masked)
}

func (s *Server) getConfKey(w http.ResponseWriter, r *http.Request, kind ConfKind) {
	groups, err := s.engine.ConfKeys(kind, r.PathValue("type"))
	if err != nil {
		faultOf(err, confKeyError).write(w)
		return
	}
	props, ok := groups[strings.ToLower(r.PathValue("key"))]
	if !ok {
		notFound("%s: %s %s has no key %s", confKeyError, strings.TrimSuffix(string(kind), "s"), r.PathValue("type"), r.PathValue("key")).write(w)
		return
	}
	writeJSON(w, http.StatusOK, mask(props))
}

// putConfKey creates or replaces a group. A secret that comes back masked, as
// forms send it, keeps its value.
func (s *Server) putConfKey(w http.ResponseWriter, r *http.Request, kind ConfKind) {
	props := map[string]any{}
	if !s.readJSON(w, r, s.opts.MaxBodyBytes, &props) {
		return
	}
	typ, key := r.PathValue("type"), strings.ToLower(r.PathValue("key"))
	if props == nil {
		badRequest("%s: the body must be an object", confKeyError).write(w)
		return
	}
	if hasMasked(props) {
		if groups, err := s.engine.ConfKeys(kind, typ); err == nil {
			unmask(props, groups[key])
		}
	}
	warnings := s.engine.ConfWarnings(kind, typ, key, props)
	if err := s.engine.PutConfKey(kind, typ, key, props); err != nil {
		faultOf(err, confKeyError).write(w)
		return
	}
	if warnings == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	writeText(w, http.StatusOK, warned("", warnings))
}

func (s *Server) deleteConfKey(w http.ResponseWriter, r *http.Request, kind ConfKind) {
	err := s.engine.DeleteConfKey(kind, r.PathValue("type"), strings.ToLower(r.PathValue("key")))
	if errors.Is(err, ruledef.ErrNotFound) {
		fault{http.StatusBadRequest, ruledef.CodeConfig, confKeyError + ": " + err.Error()}.write(w)
		return
	}
	if err != nil {
		faultOf(err, confKeyError).write(w)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (s *Server) pingConnection(w http.ResponseWriter, r *http.Request, kind ConfKind) {
	props := map[string]any{}
	if !s.readJSON(w, r, s.opts.MaxBodyBytes, &props) {
		return
	}
	if err := s.engine.PingConnection(r.Context(), kind, r.PathValue("type"), props); err != nil {
		faultOf(err, "").write(w)
		return
	}
	w.WriteHeader(http.StatusOK)
}

const masked = "******"

// secret tells whether a property is not shown.
func secret(key string) bool {
	k := strings.ToLower(key)
	return strings.Contains(k, "password") || strings.Contains(k, "token") || strings.Contains(k, "secret") ||
		k == "privatekeyraw" || k == "authorization" || k == "apikey"
}

// mask returns props with secrets hidden. It copies what it changes.
func mask(props map[string]any) map[string]any {
	m := make(map[string]any, len(props))
	for k, v := range props {
		switch x := v.(type) {
		case map[string]any:
			v = mask(x)
		case string:
			if x != "" && secret(k) {
				v = masked
			}
		}
		m[k] = v
	}
	return m
}

// hasMasked tells whether props hold a hidden secret.
func hasMasked(props map[string]any) bool {
	for k, v := range props {
		switch x := v.(type) {
		case map[string]any:
			if hasMasked(x) {
				return true
			}
		case string:
			if x == masked && secret(k) {
				return true
			}
		}
	}
	return false
}

// unmask puts the secrets of old where props hide theirs.
func unmask(props, old map[string]any) {
	for k, v := range props {
		switch x := v.(type) {
		case map[string]any:
			if sub, ok := old[k].(map[string]any); ok {
				unmask(x, sub)
			}
		case string:
			if before, ok := old[k].(string); ok && x == masked && secret(k) {
				props[k] = before
			}
		}
	}
}
