package api

import (
	"errors"
	"net/http"

	"github.com/weir-engine/weir/planner/ruledef"
)

// The states of an Outbox.
const (
	// OutboxUsed: rules that run send there.
	OutboxUsed = "used"
	// OutboxDelivering: no rule that runs sends there, and what waits is delivered.
	OutboxDelivering = "delivering"
	// OutboxLeft: no rule that runs sends there, and what waits stays until somebody
	// says what is to become of it.
	OutboxLeft = "left"
)

// Outbox is a destination with what waits for it.
type Outbox struct {
	ID          string `json:"id"`
	Destination string `json:"destination"`
	Type        string `json:"type"` // of the sink
	State       string `json:"state"`
	// Rules that send there, whether they run or not: the first hundred, and how
	// many there are. Since is the rule that sent there first.
	Rules      []string `json:"rules"`
	RulesTotal int      `json:"rulesTotal"`
	Since      string   `json:"firstRule,omitempty"`

	// Waiting is how many of the messages are of rules that run, by rule, for the first
	// hundred. The others are of rules that were stopped or deleted, or of an earlier
	// process.
	Waiting map[string]int64 `json:"waiting,omitempty"`

	Messages int64 `json:"messages"`
	Bytes    int64 `json:"bytes"`
	OldestMs int64 `json:"oldest,omitempty"` // Unix ms; 0: not known
}

func (s *Server) routeOutboxes() {
	s.mux.Handle("/outboxes", methods{get: s.listOutboxes})
	s.mux.Handle("/outboxes/{id}", methods{get: s.getOutbox, remove: s.dropOutbox})
	s.mux.Handle("/outboxes/{id}/deliver", methods{post: s.deliverOutbox})
}

func (s *Server) listOutboxes(w http.ResponseWriter, _ *http.Request) {
	list, err := s.engine.Outboxes()
	if err != nil {
		faultOf(err, "list outboxes error").write(w)
		return
	}
	for i := range list {
		list[i].fill()
	}
	if list == nil {
		list = []Outbox{}
	}
	writeJSON(w, http.StatusOK, list)
}

// fill makes an empty list of what JSON would show as null.
func (o *Outbox) fill() {
	if o.Rules == nil {
		o.Rules = []string{}
	}
}

func (s *Server) getOutbox(w http.ResponseWriter, r *http.Request) {
	list, err := s.engine.Outboxes()
	if err != nil {
		faultOf(err, "get outbox error").write(w)
		return
	}
	for i := range list {
		if list[i].ID == r.PathValue("id") {
			list[i].fill()
			writeJSON(w, http.StatusOK, list[i])
			return
		}
	}
	outboxFault(ruledef.ErrNotFound, "get outbox error", r.PathValue("id")).write(w)
}

func (s *Server) deliverOutbox(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if err := s.engine.DeliverOutbox(id); err != nil {
		outboxFault(err, "deliver outbox error", id).write(w)
		return
	}
	writeText(w, http.StatusOK, "Outbox "+id+" is being delivered.")
}

func (s *Server) dropOutbox(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	n, err := s.engine.DropOutbox(id)
	if err != nil {
		outboxFault(err, "delete outbox error", id).write(w)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Dropped int64 `json:"dropped"`
	}{n})
}

func outboxFault(err error, what, id string) fault {
	switch {
	case errors.Is(err, ruledef.ErrNotFound):
		return notFound("%s: outbox %s is not found, or nothing waits in it", what, id)
	case errors.Is(err, ruledef.ErrInUse):
		return badRequest("%s: running rules send to outbox %s, stop them first", what, id)
	}
	return faultOf(err, what)
}
