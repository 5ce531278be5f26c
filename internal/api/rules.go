package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/weir-engine/weir/planner/ruledef"
)

func (s *Server) routeRules() {
	s.mux.Handle("/rules", methods{get: s.listRules, post: s.createRule})
	s.mux.Handle("/rules/bulk", methods{post: s.createRules})
	s.mux.Handle("/rules/validate", methods{post: s.validateRule})
	s.mux.Handle("/rules/bulkstart", methods{post: s.startTagged})
	s.mux.Handle("/rules/bulkstop", methods{post: s.stopTagged})
	s.mux.Handle("/rules/status/all", methods{get: s.allStatus})
	s.mux.Handle("/rules/tags/match", methods{get: s.matchTags})
	s.mux.Handle("/rules/{id}", methods{get: s.ruleText, put: s.replaceRule, remove: s.deleteRule})
	s.mux.Handle("/rules/{id}/start", methods{post: s.startRule})
	s.mux.Handle("/rules/{id}/stop", methods{post: s.stopRule})
	s.mux.Handle("/rules/{id}/restart", methods{post: s.restartRule})
	s.mux.Handle("/rules/{id}/status", methods{get: s.ruleStatus})
	s.mux.Handle("/v2/rules/{id}/status", methods{get: s.ruleStatus})
	s.mux.Handle("/rules/{id}/explain", methods{get: s.explainRule})
	s.mux.Handle("/rules/{id}/topo", methods{get: s.ruleTopo})
	s.mux.Handle("/rules/{id}/schema", methods{get: s.ruleSchema})
	s.mux.Handle("/rules/{id}/tags", methods{put: s.setTags, patch: s.addTags, remove: s.removeTags})
}

const invalidRule = "invalid rule json"

func (s *Server) createRule(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r, s.opts.MaxBodyBytes)
	if err != nil {
		faultOf(err, "Invalid body").write(w)
		return
	}
	def, err := ruledef.ParseFor("", body, *s.opts.RuleDefaults)
	if err != nil {
		faultOf(err, invalidRule).write(w)
		return
	}
	warnings := s.warningsOf(def)
	if err := s.engine.CreateRule(def); err != nil {
		creationFault(def, err).write(w)
		return
	}
	writeText(w, http.StatusCreated, warned("Rule "+def.ID+" was created successfully.", warnings()))
}

// warningsOf returns what lists the warnings of a rule, once the engine has checked it.
func (s *Server) warningsOf(def *ruledef.Def) func() []string {
	def.Doubts = new([]string)
	list := s.engine.RuleWarnings(def)
	return func() []string { return append(list, *def.Doubts...) }
}

// creationFault words what a rule was refused for.
func creationFault(def *ruledef.Def, err error) fault {
	if errors.Is(err, ruledef.ErrExists) {
		return badRequest("rule %s already exists", def.ID)
	}
	f := faultOf(err, "")
	if f.code == ruledef.CodeParser {
		f.message = fmt.Sprintf("%s: Parse SQL %s error: %s.", invalidRule, cut(def.SQL, 1024), f.message)
	}
	return f
}

// cut shortens text that an error quotes.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}

// bulkError is one rule of a bulk that was refused.
type bulkError struct {
	Index int    `json:"index"`
	ID    string `json:"id"`
	Error string `json:"error"`
}

func (s *Server) createRules(w http.ResponseWriter, r *http.Request) {
	var texts []json.RawMessage
	if !s.readJSON(w, r, s.opts.MaxBulkBytes, &texts) {
		return
	}
	faults := make([]bulkError, len(texts))
	var inVain []bulkWarning
	errs := s.engine.CreateRules(func(yield func(*ruledef.Def) bool) {
		for i, text := range texts {
			def, err := ruledef.ParseFor("", text, *s.opts.RuleDefaults)
			warnings := func() []string { return nil }
			if err != nil {
				faults[i].Error = invalidRule + ": " + err.Error()
			} else if len(inVain) < maxWarnings {
				warnings = s.warningsOf(def)
			}
			more := yield(def) // nil: one that the engine leaves out
			if list := warnings(); list != nil {
				inVain = append(inVain, bulkWarning{i, def.ID, list})
			}
			if !more {
				return
			}
		}
	})
	for i, err := range errs {
		if err == nil {
			continue
		}
		if def, bad := ruledef.ParseFor("", texts[i], *s.opts.RuleDefaults); bad == nil {
			faults[i] = bulkError{ID: def.ID, Error: creationFault(def, err).message}
		}
	}
	answer := struct {
		Created  int           `json:"created"`
		Errors   []bulkError   `json:"errors"`
		Warnings []bulkWarning `json:"warnings,omitempty"`
	}{Errors: []bulkError{}, Warnings: inVain}
	for i, f := range faults {
		if f.Error == "" {
			answer.Created++
			continue
		}
		f.Index = i
		answer.Errors = append(answer.Errors, f)
	}
	status := http.StatusCreated
	if len(answer.Errors) > 0 {
		status = http.StatusOK
	}
	writeJSON(w, status, answer)
}

func (s *Server) replaceRule(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r, s.opts.MaxBodyBytes)
	if err != nil {
		faultOf(err, "Invalid body").write(w)
		return
	}
	id := r.PathValue("id")
	def, err := ruledef.ParseFor(id, body, *s.opts.RuleDefaults)
	if err != nil {
		faultOf(err, "Invalid rule json").write(w)
		return
	}
	warnings := s.warningsOf(def)
	state, err := s.engine.ReplaceRule(def)
	if err != nil {
		f := creationFault(def, err)
		f.status = http.StatusBadRequest
		f.write(w)
		return
	}
	text := "Rule " + id + " was updated successfully."
	if state != NoState {
		text += "\n" + state.String()
	}
	writeText(w, http.StatusOK, warned(text, warnings()))
}

func (s *Server) validateRule(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r, s.opts.MaxBodyBytes)
	if err != nil {
		faultOf(err, "Invalid body").write(w)
		return
	}
	def, err := ruledef.ParseFor("", body, *s.opts.RuleDefaults)
	if err != nil {
		writeText(w, http.StatusUnprocessableEntity, invalidRule+": "+err.Error())
		return
	}
	warnings := s.warningsOf(def)
	sources, err := s.engine.ValidateRule(def)
	if err != nil {
		text := creationFault(def, err).message
		if !strings.HasPrefix(text, invalidRule) {
			text = invalidRule + ": " + text
		}
		writeText(w, http.StatusUnprocessableEntity, text)
		return
	}
	if sources == nil {
		sources = []string{}
	}
	writeJSON(w, http.StatusOK, struct {
		Sources []string `json:"sources"`
		Valid   bool     `json:"valid"`
		// Of weir: what has no effect, if there is something.
		Warnings []string `json:"warnings,omitempty"`
	}{sources, true, warnings()})
}

func (s *Server) listRules(w http.ResponseWriter, _ *http.Request) {
	// Written by hand: with 8,000 rules encoding/json is most of the time.
	b := []byte{'['}
	for i, r := range s.engine.RuleList() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"id":`...), r.ID)
		b = appendString(append(b, `,"name":`...), r.Name)
		b = appendString(append(b, `,"status":`...), r.Status)
		b = append(b, `,"tags":`...)
		if r.Tags == nil {
			b = append(b, "null"...)
		} else {
			b = appendJSON(b, r.Tags)
		}
		b = appendString(append(b, `,"trace":false,"version":`...), r.Version)
		b = append(b, '}')
	}
	writeRaw(w, http.StatusOK, append(b, "]\n"...))
}

func (s *Server) ruleText(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	text, err := s.engine.RuleText(id)
	if err != nil {
		ruleFault(err, "Describe rule error", "Rule "+id+" is not found.").write(w)
		return
	}
	writeRaw(w, http.StatusOK, text)
}

// ruleFault words an error about one rule; missing is the text if there is no
// such rule.
func ruleFault(err error, prefix, missing string) fault {
	if errors.Is(err, ruledef.ErrNotFound) {
		return notFound("%s: %s", prefix, missing)
	}
	return faultOf(err, prefix)
}

func (s *Server) deleteRule(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	var dropped int64
	var err error
	switch what := r.URL.Query().Get("outputs"); what {
	case "", "keep":
		err = s.engine.DeleteRule(id)
	case "drop":
		dropped, err = s.engine.DeleteRuleOutputs(id)
	default:
		badRequest("Delete rule error: outputs %q: want keep (what waits is delivered) or drop", what).write(w)
		return
	}
	if err != nil {
		f := ruleFault(err, "Delete rule error", "rule "+id+" not found")
		if errors.Is(err, ruledef.ErrNotFound) { // the one path where that is a 400
			f.status, f.code = http.StatusBadRequest, ruledef.CodeUndefined
		}
		f.write(w)
		return
	}
	done := "Rule " + id + " is dropped."
	if dropped > 0 {
		done += fmt.Sprintf(" %d of its outputs waited and are given up.", dropped)
	}
	writeText(w, http.StatusOK, done)
}

// control answers a call that changes the state of a rule.
func control(w http.ResponseWriter, r *http.Request, verb, done string, do func(id string) error) {
	id := r.PathValue("id")
	if err := do(id); err != nil {
		ruleFault(err, verb+" rule error", "Rule "+id+" is not found in registry, please check if it is created").write(w)
		return
	}
	writeText(w, http.StatusOK, "Rule "+id+done)
}

func (s *Server) startRule(w http.ResponseWriter, r *http.Request) {
	control(w, r, "start", " was started", s.engine.StartRule)
}

func (s *Server) stopRule(w http.ResponseWriter, r *http.Request) {
	control(w, r, "stop", " was stopped.", s.engine.StopRule)
}

func (s *Server) restartRule(w http.ResponseWriter, r *http.Request) {
	control(w, r, "restart", " was restarted", s.engine.RestartRule)
}

func (s *Server) ruleStatus(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	fields, err := s.engine.RuleStatus(id)
	if err != nil {
		ruleFault(err, "get rule status error", "Rule "+id+" is not found").write(w)
		return
	}
	if list := s.statusWarnings(id); list != nil {
		fields = append(fields, StatusField{"warnings", list})
	}
	writeRaw(w, http.StatusOK, append(appendStatus(nil, fields), '\n'))
}

func (s *Server) allStatus(w http.ResponseWriter, _ *http.Request) {
	b := []byte{'{'}
	for i, h := range s.engine.RuleHealth() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, h.ID)
		b = appendString(append(b, `:{"status":`...), h.Status)
		b = appendString(append(b, `,"last_exception":`...), h.LastException)
		b = fmt.Appendf(b, `,"exceptions_total":%d}`, h.Exceptions)
	}
	writeRaw(w, http.StatusOK, append(b, "}\n"...))
}

func (s *Server) explainRule(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	text, err := s.engine.ExplainRule(id)
	if err != nil {
		ruleFault(err, "explain rule error", "Rule "+id+" is not found").write(w)
		return
	}
	writeText(w, http.StatusOK, text)
}

func (s *Server) ruleTopo(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	t, err := s.engine.RuleTopo(id)
	if err != nil {
		ruleFault(err, "get rule topo error", "Rule "+id+" is not found").write(w)
		return
	}
	b := appendJSON([]byte(`{"sources":`), append([]string{}, t.Sources...))
	b = append(b, `,"edges":{`...)
	for i, e := range t.Edges {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, e.From), ':')
		b = appendJSON(b, append([]string{}, e.To...))
	}
	writeRaw(w, http.StatusOK, append(b, "}}\n"...))
}

func (s *Server) ruleSchema(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	names, err := s.engine.RuleSchema(id)
	if err != nil {
		ruleFault(err, "get rule schema error", "Rule "+id+" is not found").write(w)
		return
	}
	b := []byte{'{'}
	for i, n := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(append(appendString(b, n), ':'), `{"hasIndex":true,"index":%d}`, i)
	}
	writeRaw(w, http.StatusOK, append(b, "}\n"...))
}
