package api

import (
	"errors"
	"net/http"

	"github.com/weir-engine/weir/planner/ruledef"
)

func (s *Server) routeConnections() {
	s.mux.Handle("/connections", methods{get: s.listConnections, post: s.createConnection})
	s.mux.Handle("/connections/{id}", methods{get: s.getConnection, put: s.replaceConnection, remove: s.deleteConnection})
}

// connectionBody is a connection in JSON.
type connectionBody struct {
	ID       string         `json:"id"`
	Type     string         `json:"typ"`
	Props    map[string]any `json:"props"`
	Named    bool           `json:"isNamed"`
	Status   string         `json:"status"`
	Err      string         `json:"err"`
	SinceMs  int64          `json:"since,omitempty"`
	RefCount int            `json:"refCount,omitempty"`

	Counters map[string]uint64 `json:"counters,omitempty"`
	Lost     map[string]uint64 `json:"lost,omitempty"`
}

func (c Connection) body() connectionBody {
	if c.Props == nil {
		c.Props = map[string]any{}
	}
	return connectionBody(c)
}

func (s *Server) listConnections(w http.ResponseWriter, r *http.Request) {
	all := r.URL.Query().Get("forceAll") == "true"
	list := []connectionBody{}
	for _, c := range s.engine.ConnectionList() {
		if c.Named || all {
			list = append(list, c.body())
		}
	}
	writeJSON(w, http.StatusOK, list)
}

// findConnection returns a named connection.
func (s *Server) findConnection(id string) (Connection, bool) {
	for _, c := range s.engine.ConnectionList() {
		if c.ID == id {
			return c, true
		}
	}
	return Connection{}, false
}

func (s *Server) getConnection(w http.ResponseWriter, r *http.Request) {
	c, ok := s.findConnection(r.PathValue("id"))
	if !ok {
		badRequest("connection %s not existed", r.PathValue("id")).write(w)
		return
	}
	writeJSON(w, http.StatusOK, c.body())
}

// putConnection stores the connection of the body under id, or under the id of
// the body if there is none in the path. It answers with status if that was done.
func (s *Server) putConnection(w http.ResponseWriter, r *http.Request, id string, status int) {
	var b connectionBody
	if !s.readJSON(w, r, s.opts.MaxBodyBytes, &b) {
		return
	}
	switch {
	case b.ID == "" && id != "":
		b.ID = id
	case b.ID == "":
		badRequest("connection error: the body has no id").write(w)
		return
	case id != "" && b.ID != id:
		badRequest("connection error: the body is about %s, the path about %s", b.ID, id).write(w)
		return
	}
	if b.Type == "" {
		badRequest("connection error: connection %s has no typ", b.ID).write(w)
		return
	}
	if _, exists := s.findConnection(b.ID); exists && id == "" {
		badRequest("connection error: connection %s already been created", b.ID).write(w)
		return
	}
	warnings := s.engine.ConfWarnings(ConfConnections, b.Type, b.ID, b.Props)
	if err := s.engine.PutConnection(Connection{ID: b.ID, Type: b.Type, Props: b.Props, Named: true}); err != nil {
		faultOf(err, "connection error").write(w)
		return
	}
	writeText(w, status, warned("success", warnings))
}

func (s *Server) createConnection(w http.ResponseWriter, r *http.Request) {
	s.putConnection(w, r, "", http.StatusCreated)
}

func (s *Server) replaceConnection(w http.ResponseWriter, r *http.Request) {
	if _, ok := s.findConnection(r.PathValue("id")); !ok {
		badRequest("update connection failed: connection %s not existed", r.PathValue("id")).write(w)
		return
	}
	s.putConnection(w, r, r.PathValue("id"), http.StatusOK)
}

// deleteConnection succeeds for a connection that does not exist, as clients
// expect.
func (s *Server) deleteConnection(w http.ResponseWriter, r *http.Request) {
	err := s.engine.DeleteConnection(r.PathValue("id"))
	if err != nil && !errors.Is(err, ruledef.ErrNotFound) {
		f := faultOf(err, "delete connection error")
		f.status = http.StatusBadRequest
		f.write(w)
		return
	}
	writeText(w, http.StatusOK, "success")
}
