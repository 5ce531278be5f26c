package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/weir-engine/weir/planner/ruledef"
)

// words are the names of a kind of definition in answers.
type words struct{ lower, upper string }

func (k StreamKind) words() words {
	if k == Table {
		return words{"table", "Table"}
	}
	return words{"stream", "Stream"}
}

func (s *Server) routeStreams() {
	for _, kind := range []StreamKind{Stream, Table} {
		base := "/" + kind.words().lower
		s.mux.Handle(base+"s", methods{
			get:  func(w http.ResponseWriter, r *http.Request) { s.listStreams(w, r, kind) },
			post: func(w http.ResponseWriter, r *http.Request) { s.execStream(w, r, kind) },
		})
		s.mux.Handle(base+"details", methods{
			get: func(w http.ResponseWriter, r *http.Request) { s.streamDetails(w, r, kind) },
		})
		s.mux.Handle(base+"s/{name}", methods{
			get:    func(w http.ResponseWriter, r *http.Request) { s.describeStream(w, r, kind) },
			put:    func(w http.ResponseWriter, r *http.Request) { s.replaceStream(w, r, kind) },
			remove: func(w http.ResponseWriter, r *http.Request) { s.dropStream(w, r, kind) },
		})
		s.mux.Handle(base+"s/{name}/status", methods{
			get: func(w http.ResponseWriter, r *http.Request) { s.streamStatus(w, r, kind) },
		})
		s.mux.Handle(base+"s/{name}/schema", methods{
			get: func(w http.ResponseWriter, r *http.Request) { s.streamSchema(w, r, kind) },
		})
	}
}

// sqlBody is the body of calls that carry a statement.
type sqlBody struct {
	SQL string `json:"sql"`
}

func (s *Server) execStream(w http.ResponseWriter, r *http.Request, kind StreamKind) {
	var b sqlBody
	if !s.readJSON(w, r, s.opts.MaxBodyBytes, &b) {
		return
	}
	if strings.TrimSpace(b.SQL) == "" {
		badRequest("%s command error: the body has no sql", kind.words().upper).write(w)
		return
	}
	st, err := s.engine.ExecStatement(b.SQL)
	if err != nil {
		statementFault(st, err, kind).write(w)
		return
	}
	writeText(w, http.StatusCreated, warned(st.text(), s.engine.StreamWarnings(b.SQL)))
}

// statementFault words what a statement failed with. Whatever is wrong here is a
// 400: it is the statement that is at fault, not the path.
func statementFault(st Statement, err error, kind StreamKind) fault {
	k := st.Kind.words().lower
	f := fault{http.StatusBadRequest, ruledef.CodeStream, ""}
	switch {
	case st.Verb == VerbCreate && errors.Is(err, ruledef.ErrExists):
		f.message = fmt.Sprintf("Create %s fails: Item %s already exists.", k, st.Name)
	case st.Verb == VerbDescribe && errors.Is(err, ruledef.ErrNotFound):
		f.message = fmt.Sprintf("Describe %s fails, %s is not found.", k, st.Name)
	case st.Verb == VerbExplain && errors.Is(err, ruledef.ErrNotFound):
		f.message = fmt.Sprintf("Explain %s fails, %s is not found.", k, st.Name)
	case st.Verb == VerbDrop && errors.Is(err, ruledef.ErrNotFound):
		f.message = fmt.Sprintf("Drop %s fails: %s %s is not found.", k, k, st.Name)
	case st.Verb == VerbDrop && errors.Is(err, ruledef.ErrInUse):
		f.message = fmt.Sprintf("Drop %s fails: %s %s has been referenced by other rules", k, k, st.Name)
	default:
		f = faultOf(err, "")
	}
	f.message = kind.words().upper + " command error: " + f.message
	return f
}

// text is what a statement that was done answers.
func (st Statement) text() string {
	k := st.Kind.words()
	switch st.Verb {
	case VerbCreate:
		return fmt.Sprintf("%s %s is created.", k.upper, st.Name)
	case VerbDrop:
		return fmt.Sprintf("%s %s is dropped.", k.upper, st.Name)
	case VerbExplain:
		return "TO BE SUPPORTED"
	case VerbShow:
		if len(st.List) == 0 {
			return fmt.Sprintf("No %s definitions are found.", k.lower)
		}
		return strings.Join(st.List, "\n")
	case VerbDescribe:
		return st.Def.Text()
	default:
		return ""
	}
}

func (s *Server) listStreams(w http.ResponseWriter, r *http.Request, kind StreamKind) {
	names := []string{}
	want := ""
	if kind == Table {
		want = strings.ToLower(r.URL.Query().Get("kind"))
	}
	if want != "" && want != "lookup" && want != "scan" {
		badRequest("list tables error: kind must be scan or lookup, not %q", want).write(w)
		return
	}
	for _, d := range s.engine.StreamList(kind) {
		if want == "" || d.Lookup == (want == "lookup") {
			names = append(names, d.Name)
		}
	}
	writeJSON(w, http.StatusOK, names)
}

func (s *Server) streamDetails(w http.ResponseWriter, _ *http.Request, kind StreamKind) {
	type detail struct {
		Name   string `json:"name"`
		Type   string `json:"type"`
		Format string `json:"format"`
	}
	details := []detail{}
	for _, d := range s.engine.StreamList(kind) {
		details = append(details, detail{d.Name, d.Type, d.Format})
	}
	writeJSON(w, http.StatusOK, details)
}

// findStream returns a definition, or answers that there is none.
func (s *Server) findStream(w http.ResponseWriter, r *http.Request, kind StreamKind, prefix string) (StreamDef, bool) {
	k := kind.words()
	name := r.PathValue("name")
	def, err := s.engine.DescribeStream(kind, name)
	if errors.Is(err, ruledef.ErrNotFound) {
		fault{http.StatusBadRequest, ruledef.CodeStream, fmt.Sprintf("%s %s error: Describe %s fails, %s is not found.", prefix, k.lower, k.lower, name)}.write(w)
		return def, false
	}
	if err != nil {
		faultOf(err, prefix+" "+k.lower+" error").write(w)
		return def, false
	}
	return def, true
}

func (s *Server) streamStatus(w http.ResponseWriter, r *http.Request, kind StreamKind) {
	name := r.PathValue("name")
	fields, err := s.engine.StreamStatus(kind, name)
	if errors.Is(err, ruledef.ErrNotFound) {
		notFound("get %s status error: %s %s is not found", kind.words().lower, kind.words().lower, name).write(w)
		return
	}
	if err != nil {
		faultOf(err, "get "+kind.words().lower+" "+name+" status error").write(w)
		return
	}
	writeRaw(w, http.StatusOK, append(appendStatus(nil, fields), '\n'))
}

func (s *Server) describeStream(w http.ResponseWriter, r *http.Request, kind StreamKind) {
	if def, ok := s.findStream(w, r, kind, "describe"); ok {
		writeJSON(w, http.StatusOK, def)
	}
}

func (s *Server) streamSchema(w http.ResponseWriter, r *http.Request, kind StreamKind) {
	def, ok := s.findStream(w, r, kind, "get schema of")
	if !ok {
		return
	}
	fields, err := s.engine.StreamSchema(kind, def.Name)
	if err != nil { // it went meanwhile
		faultOf(err, "get schema of "+kind.words().lower+" error").write(w)
		return
	}
	writeJSON(w, http.StatusOK, schemaOf(fields))
}

func (s *Server) replaceStream(w http.ResponseWriter, r *http.Request, kind StreamKind) {
	var b sqlBody
	if !s.readJSON(w, r, s.opts.MaxBodyBytes, &b) {
		return
	}
	k, name := kind.words(), r.PathValue("name")
	var stopped []string
	var err error
	if force(r) {
		stopped, err = s.engine.ForceReplaceStream(kind, name, b.SQL)
	} else {
		err = s.engine.ReplaceStream(kind, name, b.SQL)
	}
	if err != nil {
		f := faultOf(err, k.upper+" command error")
		f.status = http.StatusBadRequest
		f.write(w)
		return
	}
	done := fmt.Sprintf("%s %s is replaced.%s", k.upper, name, withStopped(stopped))
	writeText(w, http.StatusOK, warned(done, s.engine.StreamWarnings(b.SQL)))
}

func (s *Server) dropStream(w http.ResponseWriter, r *http.Request, kind StreamKind) {
	k, name := kind.words(), r.PathValue("name")
	var stopped []string
	var err error
	if force(r) {
		stopped, err = s.engine.ForceDropStream(kind, name)
	} else {
		err = s.engine.DropStream(kind, name)
	}
	switch {
	case err == nil:
		writeText(w, http.StatusOK, fmt.Sprintf("%s %s is dropped.%s", k.upper, name, withStopped(stopped)))
	case errors.Is(err, ruledef.ErrNotFound):
		notFound("delete %s error: %s %s is not found", k.lower, k.lower, name).write(w)
	case errors.Is(err, ruledef.ErrInUse):
		badRequest("%s %s has been referenced by other rules", k.lower, name).write(w)
	default:
		faultOf(err, "delete "+k.lower+" error").write(w)
	}
}

// force tells whether a call is to be done whatever stops by it.
func force(r *http.Request) bool { return r.URL.Query().Get("force") == "true" }

// maxStopped bounds the rules that an answer names.
const maxStopped = 20

// withStopped says which rules a call has stopped.
func withStopped(rules []string) string {
	switch n := len(rules); {
	case n == 0:
		return ""
	case n > maxStopped:
		return fmt.Sprintf(" %d rules have stopped: %s ...", n, strings.Join(rules[:maxStopped], "; "))
	default:
		return fmt.Sprintf(" Rules have stopped: %s.", strings.Join(rules, "; "))
	}
}
