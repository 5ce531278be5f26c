package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/protobuf"
)

// kindSchema is the kind of schemas in the catalog. Their ids are type/name.
const kindSchema = "schema"

// schemas holds the message types that streams and sinks use. The texts of schemas
// are in the store; a type is compiled when something first names it.
type schemas struct {
	catalog store.Catalog
	mu      sync.Mutex
	types   map[string]*protobuf.Message // by SCHEMAID
}

// read returns the stored schema called name.
func (s *schemas) read(name string) (sc api.Schema, err error) {
	data, err := s.catalog.Get(kindSchema, api.SchemaProtobuf+"/"+name)
	if errors.Is(err, store.ErrNotFound) {
		return sc, ruledef.ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(data, &sc)
	}
	return sc, err
}

// open returns the text of an import: the schema that is called as the file.
func (s *schemas) open(path string) (string, bool) {
	sc, err := s.read(strings.TrimSuffix(path, ".proto"))
	return sc.Content, err == nil
}

// imports tells whether the schema called name imports the one called other. One
// that cannot be read any more imports nothing.
func (s *schemas) imports(name, other string) bool {
	sc, err := s.read(name)
	if err != nil || !strings.Contains(sc.Content, "import") {
		return false
	}
	f, err := s.compile(name, sc.Content)
	return err == nil && slices.Contains(f.Imports(), other+".proto")
}

// compile reads the text of the schema called name.
func (s *schemas) compile(name, text string) (*protobuf.File, error) {
	return protobuf.Compile(name+".proto", text, s.open)
}

// message returns the type that SCHEMAID names: a schema, a dot, a message.
func (s *schemas) message(id string) (*protobuf.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.types[id]; m != nil {
		return m, nil
	}
	name, msg, ok := strings.Cut(id, ".")
	if !ok || name == "" || msg == "" {
		return nil, fmt.Errorf("SCHEMAID %q: want the name of a schema, a dot and the name of a message", id)
	}
	sc, err := s.read(name)
	if err != nil {
		if errors.Is(err, ruledef.ErrNotFound) {
			err = fmt.Errorf("there is no schema %q of type protobuf", name)
		}
		return nil, fmt.Errorf("SCHEMAID %q: %w", id, err)
	}
	f, err := s.compile(name, sc.Content)
	if err != nil {
		return nil, fmt.Errorf("SCHEMAID %q: %w", id, err)
	}
	m, err := f.Message(msg)
	if err != nil {
		return nil, fmt.Errorf("SCHEMAID %q: %w", id, err)
	}
	if s.types == nil {
		s.types = map[string]*protobuf.Message{}
	}
	s.types[id] = m
	return m, nil
}

// forget lets all types go: a schema that changed may be imported by others.
func (s *schemas) forget() {
	s.mu.Lock()
	s.types = nil
	s.mu.Unlock()
}

// messageOf returns the type of a stream's messages; nil: they have none.
func (e *Engine) messageOf(c *sql.Create) (*protobuf.Message, error) {
	if c.Options.Format != "protobuf" {
		return nil, nil
	}
	m, err := e.schemas.message(c.Options.SchemaID)
	if err != nil {
		return nil, ruledef.Errorf(ruledef.CodeStream, "%w", err)
	}
	return m, nil
}

// CreateSchema stores a schema whose name is free.
func (e *Engine) CreateSchema(sc api.Schema) error {
	err := func() error {
		defer e.defLocks.lock(kindSchema)()
		if _, err := e.schemas.read(sc.Name); err == nil {
			return ruledef.ErrExists
		}
		return e.putSchema(sc)
	}()
	if err == nil {
		e.freed()
	}
	return err
}

// ReplaceSchema stores a schema; streams and sinks that use it, or import it, go
// on with the new text.
func (e *Engine) ReplaceSchema(sc api.Schema) error {
	unlock := e.defLocks.lock(kindSchema)
	err := e.putSchema(sc)
	unlock()
	if err == nil {
		e.freed()
	}
	return err
}

// putSchema stores a schema for a caller that holds the lock of schemas.
func (e *Engine) putSchema(sc api.Schema) error {
	if sc.Type != api.SchemaProtobuf {
		return ruledef.Errorf(ruledef.CodeConfig, "unsupported schema type %s", sc.Type)
	}
	if sc.Name == "" {
		return ruledef.Errorf(ruledef.CodeConfig, "a schema wants a name")
	}
	if err := ruledef.CheckID(sc.Name); err != nil {
		return ruledef.Errorf(ruledef.CodeConfig, "schema %w", err)
	}
	if _, err := e.schemas.compile(sc.Name, sc.Content); err != nil {
		return ruledef.Errorf(ruledef.CodeConfig, "schema %s: %w", sc.Name, err)
	}
	old, err := e.schemas.read(sc.Name)
	if err != nil && !errors.Is(err, ruledef.ErrNotFound) {
		return ruledef.Errorf(ruledef.CodeIO, "read schema %s: %w", sc.Name, err)
	}
	data, err := json.Marshal(sc)
	if err != nil {
		return err
	}
	if err := e.catalog.Put(kindSchema, sc.Type+"/"+sc.Name, data); err != nil {
		return ruledef.Errorf(ruledef.CodeIO, "store schema %s: %w", sc.Name, err)
	}
	if old.Content == sc.Content {
		return nil
	}
	e.schemas.forget()
	e.restartUsers(e.retypeLocked)
	return nil
}

// retypeLocked gives the streams their message types anew and returns the running rules
// that read them, or that send messages of a type.
func (e *Engine) retypeLocked() []*rule {
	e.mu.AssertHeld()
	var names []string
	for name, s := range e.mu.streams {
		if s.def.Options.Format != "protobuf" {
			continue
		}
		names = append(names, name)
		if m, err := e.messageOf(s.def); err != nil {
			// What was there goes on; the log says why.
			e.log.Error("stream keeps its old message type", "stream", name, "err", err)
		} else {
			s.message = m
		}
	}
	rules := e.readersLocked(names...)
	for _, r := range e.mu.rules {
		if r.running && len(r.types) > 0 && !slices.Contains(rules, r) {
			rules = append(rules, r)
		}
	}
	return slices.DeleteFunc(rules, func(r *rule) bool {
		err := e.typed(r)
		if err != nil {
			e.log.Error("rule keeps its old message types", "rule", r.id, "err", err)
		}
		return err != nil
	})
}

// typed tells whether the message types of a rule's sinks can be had.
func (e *Engine) typed(r *rule) error {
	for _, id := range r.types {
		if _, err := e.schemas.message(id); err != nil {
			return err
		}
	}
	return nil
}

// Schema returns a stored schema.
func (e *Engine) Schema(typ, name string) (api.Schema, error) {
	if typ != api.SchemaProtobuf {
		return api.Schema{}, ruledef.ErrNotFound
	}
	return e.schemas.read(name)
}

// SchemaList returns the names of the schemas of a type, sorted.
func (e *Engine) SchemaList(typ string) ([]string, error) {
	names := []string{}
	err := e.catalog.Each(kindSchema, func(id string, _ []byte) error {
		if t, name, _ := strings.Cut(id, "/"); t == typ {
			names = append(names, name)
		}
		return nil
	})
	slices.Sort(names)
	return names, err
}

// DeleteSchema removes a schema that no stream, no sink and no other schema uses.
func (e *Engine) DeleteSchema(typ, name string) error {
	defer e.defLocks.lock(kindSchema)()
	if _, err := e.Schema(typ, name); err != nil {
		return err
	}
	if user, err := e.schemaUser(name); err != nil {
		return ruledef.Errorf(ruledef.CodeIO, "read schemas: %w", err)
	} else if user != "" {
		return ruledef.Errorf(ruledef.CodeStream, "schema %s is used by %s", name, user)
	}
	if err := e.catalog.Delete(kindSchema, typ+"/"+name); err != nil {
		return ruledef.Errorf(ruledef.CodeIO, "delete schema %s: %w", name, err)
	}
	e.schemas.forget()
	return nil
}

// schemaUser returns what uses a schema, "" if nothing does.
func (e *Engine) schemaUser(name string) (string, error) {
	if user := e.messageUser(name); user != "" {
		return user, nil
	}
	names, err := e.SchemaList(api.SchemaProtobuf)
	for _, other := range names {
		if other != name && e.schemas.imports(other, name) {
			return "schema " + other, nil
		}
	}
	return "", err
}

// messageUser returns the stream or rule whose messages are of a schema.
func (e *Engine) messageUser(name string) string {
	is := func(id string) bool {
		schema, _, _ := strings.Cut(id, ".")
		return schema == name
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, s := range e.mu.streams {
		if s.def.Options.Format == "protobuf" && is(s.def.Options.SchemaID) {
			return "stream " + s.name
		}
	}
	for _, r := range e.mu.rules {
		if slices.ContainsFunc(r.types, is) {
			return "rule " + r.id
		}
	}
	return ""
}

// fields returns the declared fields of s; of format protobuf those of its
// messages, if it declares none. nil: schemaless.
func (s *stream) fields() []vec.Field {
	if s.def.Fields == nil && s.message != nil {
		return s.message.Fields()
	}
	return s.def.Fields
}
