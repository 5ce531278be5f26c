package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"
)

func (s *Server) routeTransfer() {
	s.mux.Handle("/ruleset/export", methods{get: s.exportRuleset, post: s.exportRuleset})
	s.mux.Handle("/ruleset/import", methods{post: s.importRuleset})
	s.mux.Handle("/data/export", methods{get: s.exportData, post: s.exportData})
	s.mux.Handle("/data/import", methods{post: s.importData})
	s.mux.Handle("/data/import/status", methods{get: s.importStatus})
	s.mux.Handle("/v2/data/export", methods{get: s.exportV2})
	s.mux.Handle("/v2/data/import", methods{post: s.importV2})
}

type texts = map[string]string

// ruleset is the shape of /ruleset files.
type ruleset struct {
	Streams texts `json:"streams"`
	Tables  texts `json:"tables"`
	Rules   texts `json:"rules"`
}

// dataset is the shape of /data files, and of the errors of an import. The keys
// are spelled as clients send them.
type dataset struct {
	ruleset
	NativePlugins    texts `json:"nativePlugins"`
	PortablePlugins  texts `json:"portablePlugins"`
	SourceConfig     texts `json:"sourceConfig"`
	SinkConfig       texts `json:"sinkConfig"`
	ConnectionConfig texts `json:"connectionConfig"`
	Service          texts `json:"Service"`
	Schema           texts `json:"Schema"`
	Uploads          texts `json:"uploads"`
	Scripts          texts `json:"scripts"`
}

// newDataset returns d in the shape of /data, with an empty object where there is
// nothing.
func newDataset(d Definitions) dataset {
	full := func(m texts) texts {
		if m == nil {
			return texts{}
		}
		return m
	}
	return dataset{
		ruleset:       ruleset{full(d.Streams), full(d.Tables), full(d.Rules)},
		NativePlugins: texts{}, PortablePlugins: texts{},
		SourceConfig: full(d.SourceConfig), SinkConfig: full(d.SinkConfig), ConnectionConfig: full(d.ConnectionConfig),
		Service: texts{}, Schema: full(d.Schemas), Uploads: texts{}, Scripts: texts{},
	}
}

func (d dataset) definitions() Definitions {
	return Definitions{
		Streams: d.Streams, Tables: d.Tables, Rules: d.Rules,
		SourceConfig: d.SourceConfig, SinkConfig: d.SinkConfig, ConnectionConfig: d.ConnectionConfig,
		Schemas: d.Schema,
	}
}

// refuse moves what weir has no use for into the errors of an import.
func (d dataset) refuse(errs *dataset) {
	for _, g := range []struct {
		what     string
		from, to texts
	}{
		{"native plugins", d.NativePlugins, errs.NativePlugins},
		{"portable plugins", d.PortablePlugins, errs.PortablePlugins},
		{"external services", d.Service, errs.Service},
		{"uploads", d.Uploads, errs.Uploads},
		{"scripts", d.Scripts, errs.Scripts},
	} {
		for name := range g.from {
			g.to[name] = g.what + " are not supported"
		}
	}
}

// empty tells whether an import had no fault.
func (d dataset) empty() bool {
	n := 0
	for _, m := range []texts{d.Streams, d.Tables, d.Rules, d.NativePlugins, d.PortablePlugins, d.SourceConfig, d.SinkConfig, d.ConnectionConfig, d.Service, d.Schema, d.Uploads, d.Scripts} {
		n += len(m)
	}
	return n == 0
}

func (s *Server) exportRuleset(w http.ResponseWriter, _ *http.Request) {
	d, err := s.engine.Definitions()
	if err != nil {
		faultOf(err, "export ruleset error").write(w)
		return
	}
	attach(w, "ekuiper_export.json", newDataset(d).ruleset)
}

// attach sends v as a file to save.
func attach(w http.ResponseWriter, name string, v any) {
	w.Header().Set("Content-Disposition", "Attachment; filename="+name)
	writeJSON(w, http.StatusOK, v)
}

// importBody is the body of imports: the text itself, or where it is.
type importBody struct {
	Content string `json:"content"`
	File    string `json:"file"`
}

// readImport returns the text to import, or answers why there is none. A body
// that is the text itself is taken as well: it is what people send by hand.
func (s *Server) readImport(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	body, err := readBody(w, r, s.opts.MaxBulkBytes)
	if err != nil {
		faultOf(err, "Invalid body").write(w)
		return nil, false
	}
	var b importBody
	if err := json.Unmarshal(body, &b); err != nil {
		faultOf(err, "Invalid body: Error decoding the json").write(w)
		return nil, false
	}
	switch {
	case b.Content != "" && b.File != "":
		badRequest("Invalid body: Cannot specify both content and file").write(w)
	case b.Content != "":
		return []byte(b.Content), true
	case b.File != "":
		text, err := s.fetch(r.Context(), b.File)
		if err != nil {
			faultOf(err, "Invalid body").write(w)
			return nil, false
		}
		return text, true
	default:
		var d map[string]json.RawMessage
		if json.Unmarshal(body, &d) == nil && (d["streams"] != nil || d["tables"] != nil || d["rules"] != nil) {
			return body, true
		}
		badRequest("Invalid body: must specify content or file").write(w)
	}
	return nil, false
}

func (s *Server) importRuleset(w http.ResponseWriter, r *http.Request) {
	text, ok := s.readImport(w, r)
	if !ok {
		return
	}
	var set ruleset
	if err := json.Unmarshal(text, &set); err != nil {
		badRequest("import ruleset error: invalid import file: %v", err).write(w)
		return
	}
	warnings := s.importWarnings(set.definitions())
	errs := s.runImport(set.definitions(), s.engine.ImportDefinitions)
	done := fmt.Sprintf("imported %d streams, %d tables and %d rules",
		len(set.Streams)-len(errs.Streams), len(set.Tables)-len(errs.Tables), len(set.Rules)-len(errs.Rules))
	if faults := listFaults(errs); faults != "" {
		badRequest("import ruleset error: %s; not imported: %s", done, faults).write(w)
		return
	}
	writeText(w, http.StatusOK, warned(done, warnings))
}

func (r ruleset) definitions() Definitions {
	return Definitions{Streams: r.Streams, Tables: r.Tables, Rules: r.Rules}
}

// runImport lets one import run at a time: two of the same rules would fight.
func (s *Server) runImport(d Definitions, run func(Definitions) Definitions) Definitions {
	s.importMu.Lock()
	defer s.importMu.Unlock()
	errs := run(d)
	s.lastMu.Lock()
	s.lastImport = errs
	s.lastMu.Unlock()
	return errs
}

// listFaults names what failed, in a stable order.
func listFaults(errs Definitions) string {
	var faults []string
	for _, g := range []struct {
		kind string
		m    texts
	}{
		{"sources settings", errs.SourceConfig},
		{"sinks settings", errs.SinkConfig},
		{"connections settings", errs.ConnectionConfig},
		{"schema", errs.Schemas},
		{"stream", errs.Streams},
		{"table", errs.Tables},
		{"rule", errs.Rules},
	} {
		var names []string
		for name := range g.m {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			faults = append(faults, fmt.Sprintf("%s %q: %s", g.kind, name, g.m[name]))
		}
	}
	return strings.Join(faults, "; ")
}

func (s *Server) exportData(w http.ResponseWriter, r *http.Request) {
	var ids []string
	if r.Method == http.MethodPost {
		body, err := readBody(w, r, s.opts.MaxBodyBytes)
		if err == nil && len(body) > 0 {
			err = json.Unmarshal(body, &ids)
		}
		if err != nil {
			faultOf(err, "Invalid body").write(w)
			return
		}
	}
	var d Definitions
	var err error
	if len(ids) > 0 {
		d, err = s.engine.DefinitionsOf(ids)
	} else {
		d, err = s.engine.Definitions()
	}
	if err != nil {
		faultOf(err, "export data error").write(w)
		return
	}
	attach(w, "ekuiper_export.json", newDataset(d))
}

func (s *Server) importData(w http.ResponseWriter, r *http.Request) {
	text, ok := s.readImport(w, r)
	if !ok {
		return
	}
	var set dataset
	if err := json.Unmarshal(text, &set); err != nil {
		badRequest("import data error: configuration unmarshal with error %v", err).write(w)
		return
	}
	q := r.URL.Query()
	run := s.engine.ReplaceDefinitions
	if q.Get("partial") == "1" {
		run = s.engine.ImportDefinitions
	}
	warnings := s.importWarnings(set.definitions())
	errs := newDataset(s.runImport(set.definitions(), run))
	set.refuse(&errs)
	if q.Get("stop") == "1" {
		defer s.engine.Stop()
	}
	if !errs.empty() {
		badRequest("%s", appendJSON(nil, errs)).write(w)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		ErrorMsg       string
		ConfigResponse dataset
		Warnings       []string `json:"warnings,omitempty"`
	}{"", errs, warnings})
}

func (s *Server) importStatus(w http.ResponseWriter, _ *http.Request) {
	s.lastMu.Lock()
	d := newDataset(s.lastImport)
	s.lastMu.Unlock()
	writeJSON(w, http.StatusOK, d)
}
