package api

import (
	"net/http"
)

func (s *Server) routeKeyed() {
	s.mux.Handle("/keyed-state", methods{get: s.listKeyed})
	s.mux.Handle("/keyed-state/{key...}", methods{get: s.getKeyed, put: s.putKeyed, remove: s.deleteKeyed})
}

func (s *Server) listKeyed(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.engine.KeyedStates())
}

func (s *Server) getKeyed(w http.ResponseWriter, r *http.Request) {
	text, ok := s.engine.KeyedState(r.PathValue("key"))
	if !ok {
		notFound("get keyed state error: key %s is not found", r.PathValue("key")).write(w)
		return
	}
	writeJSON(w, http.StatusOK, text)
}

func (s *Server) putKeyed(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	body, err := readBody(w, r, s.opts.MaxBodyBytes)
	if err == nil {
		err = s.engine.PutKeyedState(key, body)
	}
	if err != nil {
		faultOf(err, "put keyed state error").write(w)
		return
	}
	writeText(w, http.StatusOK, "Keyed state "+key+" is set.")
}

func (s *Server) deleteKeyed(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	ok, err := s.engine.DeleteKeyedState(key)
	switch {
	case err != nil:
		faultOf(err, "delete keyed state error").write(w)
	case !ok:
		notFound("delete keyed state error: key %s is not found", key).write(w)
	default:
		writeText(w, http.StatusOK, "Keyed state "+key+" is deleted.")
	}
}
