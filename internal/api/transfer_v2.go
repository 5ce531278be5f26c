package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// statementV2 is a stream or table in the second shape of exports.
type statementV2 struct {
	SQL string `json:"sql"`
}

// datasetV2 is that shape. It is defined as YAML; what is written is the part of
// YAML that is JSON. Settings have keys of three parts, as sources.mqtt.site1, and
// schemas the name of their type, an underscore and theirs.
type datasetV2 struct {
	SourceConfig     map[string]map[string]any  `json:"sourceConfig,omitempty"`
	SinkConfig       map[string]map[string]any  `json:"sinkConfig,omitempty"`
	ConnectionConfig map[string]map[string]any  `json:"connectionConfig,omitempty"`
	Schema           map[string]json.RawMessage `json:"schema,omitempty"`
	Streams          map[string]statementV2     `json:"streams"`
	Tables           map[string]statementV2     `json:"tables"`
	Rules            map[string]json.RawMessage `json:"rules"`
}

func (s *Server) exportV2(w http.ResponseWriter, _ *http.Request) {
	d, err := s.engine.Definitions()
	if err != nil {
		faultOf(err, "export data error").write(w)
		return
	}
	v := datasetV2{Schema: map[string]json.RawMessage{}, Streams: map[string]statementV2{}, Tables: map[string]statementV2{}, Rules: map[string]json.RawMessage{}}
	v.SourceConfig = flatSettings("sources", d.SourceConfig)
	v.SinkConfig = flatSettings("sinks", d.SinkConfig)
	v.ConnectionConfig = flatSettings("connections", d.ConnectionConfig)
	for name, text := range d.Schemas {
		v.Schema[name] = json.RawMessage(text)
	}
	for name, sql := range d.Streams {
		v.Streams[name] = statementV2{sql}
	}
	for name, sql := range d.Tables {
		v.Tables[name] = statementV2{sql}
	}
	for id, text := range d.Rules {
		v.Rules[id] = json.RawMessage(text)
	}
	attach(w, "ekuiper_export.yaml", v)
}

// flatSettings gives each group a key of its kind, type and name.
func flatSettings(kind string, byType texts) map[string]map[string]any {
	out := map[string]map[string]any{}
	for typ, text := range byType {
		var groups map[string]map[string]any
		if json.Unmarshal([]byte(text), &groups) != nil {
			continue // it was made by the engine
		}
		for key, props := range groups {
			out[kind+"."+typ+"."+key] = props
		}
	}
	return out
}

// settingsByType is flatSettings the other way round.
func settingsByType(kind string, flat map[string]map[string]any) (texts, error) {
	types := map[string]map[string]map[string]any{}
	for name, props := range flat {
		parts := strings.SplitN(name, ".", 3)
		if len(parts) != 3 || parts[0] != kind {
			return nil, fmt.Errorf("settings %q: want a name such as %s.mqtt.site1", name, kind)
		}
		if types[parts[1]] == nil {
			types[parts[1]] = map[string]map[string]any{}
		}
		types[parts[1]][parts[2]] = props
	}
	out := texts{}
	for typ, groups := range types {
		out[typ] = string(appendJSON(nil, groups))
	}
	return out, nil
}

// definitions reads the shape.
func (v *datasetV2) definitions() (d Definitions, err error) {
	d = Definitions{Streams: texts{}, Tables: texts{}, Rules: texts{}, Schemas: texts{}}
	var errs [3]error
	d.SourceConfig, errs[0] = settingsByType("sources", v.SourceConfig)
	d.SinkConfig, errs[1] = settingsByType("sinks", v.SinkConfig)
	d.ConnectionConfig, errs[2] = settingsByType("connections", v.ConnectionConfig)
	for name, text := range v.Schema {
		d.Schemas[name] = string(text)
	}
	for name, st := range v.Streams {
		d.Streams[name] = st.SQL
	}
	for name, st := range v.Tables {
		d.Tables[name] = st.SQL
	}
	for id, text := range v.Rules {
		d.Rules[id] = string(text)
	}
	return d, errors.Join(errs[:]...)
}

func (s *Server) importV2(w http.ResponseWriter, r *http.Request) {
	text, ok := s.readImport(w, r)
	if !ok {
		return
	}
	var v datasetV2
	err := json.Unmarshal(text, &v)
	if err != nil { // JSON is YAML, and read more exactly as JSON
		err = readYAML(text, &v)
	}
	var d Definitions
	if err == nil {
		d, err = v.definitions()
	}
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n") // the library draws the place below
		badRequest("import failed: %s", line).write(w)
		return
	}
	warnings := s.importWarnings(d)
	if faults := listFaults(s.runImport(d, s.engine.ImportDefinitions)); faults != "" {
		faultOf(errors.New(faults), "import data error").write(w)
		return
	}
	writeText(w, http.StatusOK, warned("success", warnings))
}
