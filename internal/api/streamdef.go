package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// optionNames are the names of WITH options in JSON where they are not the
// lower-case key.
var optionNames = map[string]string{
	"CONF_KEY":          "confKey",
	"STRICT_VALIDATION": "strictValidation",
	"TIMESTAMP_FORMAT":  "timestampFormat",
	"RETAIN_SIZE":       "retainSize",
	"SCHEMAID":          "schemaId",
}

// OptionName returns the name in JSON of the WITH option key, and OptionKey the
// other way round.
func OptionName(key string) string {
	if n, ok := optionNames[key]; ok {
		return n
	}
	return strings.ToLower(key)
}

// OptionKey returns the WITH option, in upper case, that JSON calls name.
func OptionKey(name string) string {
	for k, n := range optionNames {
		if n == name {
			return k
		}
	}
	return strings.ToUpper(name)
}

// MarshalJSON writes the definition as GET /streams/{name} answers it.
func (d StreamDef) MarshalJSON() ([]byte, error) {
	b := append(appendJSON([]byte(`{"Name":`), d.Name), `,"StreamFields":`...)
	b = appendFields(b, d.Fields, d.Fields == nil)
	b = append(b, `,"Options":{`...)
	for i, o := range d.Options {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendJSON(b, OptionName(o.Key)), ':')
		b = appendJSON(b, o.Value)
	}
	return fmt.Appendf(b, `},"StreamType":%d,"Statement":null}`, d.Kind), nil
}

func appendFields(b []byte, fields []Field, null bool) []byte {
	if null {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendFieldType(append(b, `{"FieldType":`...), f)
		b = append(b, `,"Name":`...)
		b = append(appendJSON(b, f.Name), '}')
	}
	return append(b, ']')
}

func appendFieldType(b []byte, f Field) []byte {
	switch {
	case f.Type == "array" && f.Elem != nil:
		b = append(b, `{"Type":"array","ElementType":`...)
		return append(appendFieldType(b, *f.Elem), '}')
	case f.Type == "struct":
		b = append(b, `{"Type":"struct","Fields":`...)
		return append(appendFields(b, f.Fields, false), '}')
	default:
		return appendJSON(b, f.Type)
	}
}

// UnmarshalJSON reads what MarshalJSON writes: the command line client describes
// streams from it.
func (d *StreamDef) UnmarshalJSON(text []byte) error {
	var w struct {
		Name         string
		StreamFields []fieldWire
		Options      json.RawMessage
		StreamType   StreamKind
	}
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*d = StreamDef{Kind: w.StreamType, Name: w.Name}
	for _, f := range w.StreamFields {
		field, err := f.field()
		if err != nil {
			return err
		}
		d.Fields = append(d.Fields, field)
	}
	dec := json.NewDecoder(bytes.NewReader(w.Options))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil // no options
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return err
		}
		o := Option{Key: OptionKey(t.(string))}
		if err := dec.Decode(&o.Value); err != nil {
			return err
		}
		d.Options = append(d.Options, o)
	}
	return nil
}

// fieldWire is a field in JSON: FieldType is a name, or an object.
type fieldWire struct {
	Name      string
	FieldType json.RawMessage
}

func (w fieldWire) field() (Field, error) {
	f := Field{Name: w.Name}
	if len(w.FieldType) > 0 && w.FieldType[0] == '"' {
		return f, json.Unmarshal(w.FieldType, &f.Type)
	}
	var o struct {
		Type        string
		ElementType json.RawMessage
		Fields      []fieldWire
	}
	if err := json.Unmarshal(w.FieldType, &o); err != nil {
		return f, err
	}
	f.Type = o.Type
	if o.ElementType != nil {
		elem, err := fieldWire{FieldType: o.ElementType}.field()
		if err != nil {
			return f, err
		}
		f.Elem = &elem
	}
	for _, sub := range o.Fields {
		field, err := sub.field()
		if err != nil {
			return f, err
		}
		f.Fields = append(f.Fields, field)
	}
	return f, nil
}

// TypeText returns the type of f as DESCRIBE writes it: struct(c string, d array(float)).
func (f Field) TypeText() string {
	switch {
	case f.Type == "array" && f.Elem != nil:
		return "array(" + f.Elem.TypeText() + ")"
	case f.Type == "struct":
		var parts []string
		for _, sub := range f.Fields {
			parts = append(parts, sub.Name+" "+sub.TypeText())
		}
		return "struct(" + strings.Join(parts, ", ") + ")"
	default:
		return f.Type
	}
}

// Text is the definition for people: the fields, a line each, then the options.
func (d StreamDef) Text() string {
	var b strings.Builder
	b.WriteString("Fields\n" + strings.Repeat("-", 80) + "\n")
	for _, f := range d.Fields {
		b.WriteString(f.Name + "\t" + f.TypeText() + "\n")
	}
	b.WriteByte('\n')
	for _, o := range d.Options {
		fmt.Fprintf(&b, "%s: %v\n", o.Key, o.Value)
	}
	return b.String()
}

// schemaOf is the schema of fields as JSON objects by name. The index is always
// 0: columns have no fixed place. A field of no known type has none.
func schemaOf(fields []Field) map[string]any {
	m := make(map[string]any, len(fields))
	for _, f := range fields {
		m[f.Name] = fieldSchema(f)
	}
	return m
}

func fieldSchema(f Field) map[string]any {
	m := map[string]any{"index": 0}
	if f.Type != "" {
		m["type"] = f.Type
	}
	if f.Type == "array" && f.Elem != nil {
		m["items"] = fieldSchema(*f.Elem)
	}
	if f.Type == "struct" {
		m["properties"] = schemaOf(f.Fields)
	}
	return m
}
