package api

import (
	"net/http"
	"slices"
)

// tagsBody is the body of calls about tags.
type tagsBody struct {
	Tags []string `json:"tags"`
}

// editTags answers a call that changes the tags of one rule.
func (s *Server) editTags(w http.ResponseWriter, r *http.Request, edit func(old, given []string) []string) {
	var b tagsBody
	if !s.readJSON(w, r, s.opts.MaxBodyBytes, &b) {
		return
	}
	id := r.PathValue("id")
	err := s.engine.EditTags(id, func(old []string) []string { return edit(old, b.Tags) })
	if err != nil {
		ruleFault(err, "update rule tags error", "Rule "+id+" is not found").write(w)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (s *Server) setTags(w http.ResponseWriter, r *http.Request) {
	s.editTags(w, r, func(_, given []string) []string { return addTags(nil, given) })
}

func (s *Server) addTags(w http.ResponseWriter, r *http.Request) { s.editTags(w, r, addTags) }

func (s *Server) removeTags(w http.ResponseWriter, r *http.Request) {
	s.editTags(w, r, func(old, given []string) []string {
		kept := []string{}
		for _, t := range old {
			if !slices.Contains(given, t) {
				kept = append(kept, t)
			}
		}
		return kept
	})
}

// addTags returns old and what of given is not in it yet, in a new slice.
func addTags(old, given []string) []string {
	tags := append([]string{}, old...)
	for _, t := range given {
		if !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	return tags
}

// tagged returns the ids of the rules that have all the tags of the body, and
// whether the body could be read. Without tags there is no such rule: a body that
// was forgotten must not stop everything.
func (s *Server) tagged(w http.ResponseWriter, r *http.Request) ([]string, bool) {
	var b tagsBody
	if !s.readJSON(w, r, s.opts.MaxBodyBytes, &b) {
		return nil, false
	}
	ids := []string{}
	if len(b.Tags) == 0 {
		return ids, true
	}
	for _, rule := range s.engine.RuleList() {
		has := func(t string) bool { return slices.Contains(rule.Tags, t) }
		if !slices.ContainsFunc(b.Tags, func(t string) bool { return !has(t) }) {
			ids = append(ids, rule.ID)
		}
	}
	return ids, true
}

func (s *Server) matchTags(w http.ResponseWriter, r *http.Request) {
	if ids, ok := s.tagged(w, r); ok {
		writeJSON(w, http.StatusOK, struct {
			Rules []string `json:"rules"`
		}{ids})
	}
}

// controlTagged answers a call that changes the state of all rules with given tags.
func (s *Server) controlTagged(w http.ResponseWriter, r *http.Request, do func(id string) error) {
	ids, ok := s.tagged(w, r)
	if !ok {
		return
	}
	type result struct {
		RuleID  string `json:"ruleId"`
		Success bool   `json:"success"`
		Error   string `json:"error,omitempty"`
	}
	results := []result{}
	for _, id := range ids {
		one := result{RuleID: id, Success: true}
		if err := do(id); err != nil {
			one.Success, one.Error = false, err.Error()
		}
		results = append(results, one)
	}
	writeJSON(w, http.StatusOK, results)
}

func (s *Server) startTagged(w http.ResponseWriter, r *http.Request) {
	s.controlTagged(w, r, s.engine.StartRule)
}

func (s *Server) stopTagged(w http.ResponseWriter, r *http.Request) {
	s.controlTagged(w, r, s.engine.StopRule)
}
