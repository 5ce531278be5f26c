package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/weir-engine/weir/planner/ruledef"
)

// SchemaProtobuf is the one type of schemas.
const SchemaProtobuf = "protobuf"

// Schema is the text that describes the messages of a format.
type Schema struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Content string `json:"content"`
	Version string `json:"version"`
}

// Schemas holds the schemas that SCHEMAID names.
type Schemas interface {
	// CreateSchema adds a schema: ruledef.ErrExists. What is wrong with its text
	// is an error, too.
	CreateSchema(sc Schema) error

	// ReplaceSchema creates or replaces a schema. Streams that use it go on with
	// the new text.
	ReplaceSchema(sc Schema) error

	// Schema returns a schema, or ruledef.ErrNotFound.
	Schema(typ, name string) (Schema, error)

	// SchemaList returns the names of all schemas of a type, sorted.
	SchemaList(typ string) ([]string, error)

	// DeleteSchema removes a schema: ruledef.ErrNotFound, and an error if a
	// stream uses it.
	DeleteSchema(typ, name string) error
}

func (s *Server) routeSchemas() {
	s.mux.Handle("/schemas/{type}", methods{get: s.listSchemas, post: s.createSchema})
	s.mux.Handle("/schemas/{type}/{name}", methods{get: s.getSchema, put: s.replaceSchema, remove: s.deleteSchema})
	s.mux.Handle("/schemas/{type}/{name}/upload", methods{put: s.uploadSchema})
}

// schemaType returns the type of the path, or answers that there is none.
func (s *Server) schemaType(w http.ResponseWriter, r *http.Request) (string, bool) {
	t := r.PathValue("type")
	if t != SchemaProtobuf {
		badRequest("unsupported schema type %s", t).write(w)
		return "", false
	}
	return t, true
}

func (s *Server) listSchemas(w http.ResponseWriter, r *http.Request) {
	t, ok := s.schemaType(w, r)
	if !ok {
		return
	}
	names, err := s.engine.SchemaList(t)
	if err != nil {
		faultOf(err, "list schemas error").write(w)
		return
	}
	if names == nil {
		names = []string{}
	}
	writeJSON(w, http.StatusOK, names)
}

// schemaBody is a schema as it is sent.
type schemaBody struct {
	Name    string `json:"name"`
	Content string `json:"content"`
	File    string `json:"file"`
	SoFile  string `json:"soFile"`
	Version string `json:"version"`
}

// readSchema returns the schema of the body, which may be called name, or
// answers what is wrong with it.
func (s *Server) readSchema(w http.ResponseWriter, r *http.Request, name string) (sc Schema, ok bool) {
	t, ok := s.schemaType(w, r)
	var b schemaBody
	if !ok || !s.readJSON(w, r, s.opts.MaxBodyBytes, &b) {
		return sc, false
	}
	if b.Name == "" {
		b.Name = name
	}
	switch {
	case b.Name == "":
		badRequest("Invalid body: name is required").write(w)
		return sc, false
	case name != "" && b.Name != name:
		badRequest("Invalid body: the body is about %s, the path about %s", b.Name, name).write(w)
		return sc, false
	case b.SoFile != "":
		badRequest("Invalid body: soFile: native code is not supported by weir").write(w)
		return sc, false
	case b.Content != "" && b.File != "":
		badRequest("Invalid body: Cannot specify both content and file").write(w)
		return sc, false
	case b.Content == "" && b.File == "":
		badRequest("Invalid body: must specify content or file").write(w)
		return sc, false
	case b.File != "":
		text, err := s.fetch(r.Context(), b.File)
		if err != nil {
			faultOf(err, "Invalid body").write(w)
			return sc, false
		}
		b.Content = string(text)
	}
	return Schema{Type: t, Name: b.Name, Content: b.Content, Version: b.Version}, true
}

func (s *Server) createSchema(w http.ResponseWriter, r *http.Request) {
	sc, ok := s.readSchema(w, r, "")
	if !ok {
		return
	}
	err := s.engine.CreateSchema(sc)
	switch {
	case errors.Is(err, ruledef.ErrExists):
		badRequest("schema create command error: schema %s.%s already registered", sc.Type, sc.Name).write(w)
	case err != nil:
		faultOf(err, "schema create command error").write(w)
	default:
		writeText(w, http.StatusCreated, fmt.Sprintf("%s schema %s is created", sc.Type, sc.Name))
	}
}

func (s *Server) replaceSchema(w http.ResponseWriter, r *http.Request) {
	sc, ok := s.readSchema(w, r, r.PathValue("name"))
	if !ok {
		return
	}
	if err := s.engine.ReplaceSchema(sc); err != nil {
		faultOf(err, "schema update command error").write(w)
		return
	}
	writeText(w, http.StatusOK, fmt.Sprintf("%s schema %s is updated", sc.Type, sc.Name))
}

func (s *Server) getSchema(w http.ResponseWriter, r *http.Request) {
	t, ok := s.schemaType(w, r)
	if !ok {
		return
	}
	name := r.PathValue("name")
	sc, err := s.engine.Schema(t, name)
	switch {
	case errors.Is(err, ruledef.ErrNotFound):
		badRequest("schema type %s id %s not found in registry", t, name).write(w)
	case err != nil:
		faultOf(err, "get schema error").write(w)
	default:
		writeJSON(w, http.StatusOK, struct {
			Schema
			File   string `json:"file"`
			SoFile string `json:"soFile"`
		}{Schema: sc})
	}
}

func (s *Server) deleteSchema(w http.ResponseWriter, r *http.Request) {
	t, ok := s.schemaType(w, r)
	if !ok {
		return
	}
	name := r.PathValue("name")
	err := s.engine.DeleteSchema(t, name)
	switch {
	case errors.Is(err, ruledef.ErrNotFound):
		badRequest("delete %s schema %s error: schema %s.%s not found", t, name, t, name).write(w)
	case err != nil:
		faultOf(err, fmt.Sprintf("delete %s schema %s error", t, name)).write(w)
	default:
		writeText(w, http.StatusOK, fmt.Sprintf("%s schema %s is deleted", t, name))
	}
}

// uploadSchema creates or replaces a schema from the part file of a form. Its errors
// are JSON by their type, too, unlike those of other calls.
func (s *Server) uploadSchema(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, format string, args ...any) {
		writeJSON(w, status, struct {
			Error   ruledef.Code `json:"error"`
			Message string       `json:"message"`
		}{ruledef.CodeUndefined, fmt.Sprintf(format, args...)})
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "multipart/form-data" {
		refuse(http.StatusUnsupportedMediaType, "Invalid content type: content type must be multipart/form-data")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.opts.MaxBodyBytes)
	if err := r.ParseMultipartForm(s.opts.MaxBodyBytes); err != nil {
		refuse(http.StatusBadRequest, "Invalid multipart body: %v", err)
		return
	}
	defer r.MultipartForm.RemoveAll()
	file, head, err := r.FormFile("file")
	if err != nil {
		refuse(http.StatusBadRequest, "Invalid multipart body: file field is required")
		return
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	sc := Schema{Type: r.PathValue("type"), Name: r.PathValue("name"), Content: string(text), Version: r.FormValue("version")}
	switch {
	case sc.Type != SchemaProtobuf:
		refuse(http.StatusBadRequest, "Invalid schema: unsupported schema type %s", sc.Type)
		return
	case strings.HasSuffix(strings.ToLower(head.Filename), ".zip"):
		refuse(http.StatusBadRequest, "Invalid multipart body: archives are not supported by weir, want a .proto file")
		return
	case err == nil:
		_, err = s.engine.Schema(sc.Type, sc.Name)
	}
	status := http.StatusOK
	if errors.Is(err, ruledef.ErrNotFound) {
		status, err = http.StatusCreated, nil
	}
	if err == nil {
		err = s.engine.ReplaceSchema(sc)
	}
	if err != nil {
		refuse(http.StatusBadRequest, "schema upsert error: %v", err)
		return
	}
	w.Header().Set("Location", "/schemas/"+sc.Type+"/"+sc.Name)
	writeJSON(w, status, struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}{sc.Type, sc.Name})
}
