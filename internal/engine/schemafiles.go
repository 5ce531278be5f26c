package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner/ruledef"
)

// exportSchemas puts the stored schemas into texts.
func (e *Engine) exportSchemas(texts map[string]string) error {
	return e.catalog.Each(kindSchema, func(id string, data []byte) error {
		typ, name, _ := strings.Cut(id, "/")
		texts[typ+"_"+name] = string(data)
		return nil
	})
}

// importSchemas creates or replaces schemas, those that others import before
// them, and puts what is wrong with the rest into bad.
func (e *Engine) importSchemas(texts, bad map[string]string) {
	left := sorted(texts)
	for progress := true; progress; {
		progress = false
		rest := left[:0]
		for _, key := range left {
			err := e.importSchema(key, texts[key])
			if err == nil {
				progress = true
				delete(bad, key)
				continue
			}
			bad[key] = err.Error()
			rest = append(rest, key)
		}
		left = rest
	}
}

// importSchema stores one schema: the text of a file called key, or what an
// export made of it.
func (e *Engine) importSchema(key, text string) error {
	sc := api.Schema{Type: api.SchemaProtobuf, Name: key, Content: text}
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		sc = api.Schema{}
		if err := json.Unmarshal([]byte(text), &sc); err != nil {
			return ruledef.Errorf(ruledef.CodeConfig, "schema %s: %w", key, err)
		}
		if sc.Type == "" {
			sc.Type = api.SchemaProtobuf
		}
		name := strings.TrimPrefix(key, sc.Type+"_")
		switch {
		case sc.Name == "":
			sc.Name = name
		case sc.Name != name && sc.Name != key:
			return fmt.Errorf("schema %s: it is called %s in its text", key, sc.Name)
		case sc.Content == "":
			return fmt.Errorf("schema %s: its content is missing", key)
		}
	}
	return e.ReplaceSchema(sc)
}

// dropSchemas deletes the schemas that nothing uses, those that others import
// behind them.
func (e *Engine) dropSchemas() {
	left, err := e.SchemaList(api.SchemaProtobuf)
	if err != nil {
		e.log.Warn("schemas are not listed before the import", "err", err)
	}
	for n := -1; n != len(left); {
		n, err = len(left), nil // what was in use may not be any more
		left = slices.DeleteFunc(left, func(name string) bool {
			fault := e.DeleteSchema(api.SchemaProtobuf, name)
			if fault != nil {
				err = fault
			}
			return fault == nil
		})
	}
	if err != nil {
		e.log.Warn("schemas are not deleted before the import", "schemas", left, "err", err)
	}
}
