package ruledef

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"time"
)

// Def is a rule as it was submitted: what to select, where to send it, and
// how to run. It is read once, compiled, and not kept; the text of a rule lives
// in the store.
type Def struct {
	ID        string
	Name      string // display name; the id if none was given
	Version   string
	SQL       string
	Graph     json.RawMessage // instead of SQL; nil if there is none
	Actions   []Action
	Triggered bool // false: created but not started
	Temp      bool // true: gone when the process ends
	Tags      []string
	Options   Options

	// Warnings tell of options that do not exist or have no effect.
	Warnings []string
	// Doubts, if not nil, is where the engine puts what the statements can only lose rows
	// by when it checks the rule.
	Doubts *[]string

	// Raw is the submitted text. It shares memory with the argument of ParseFor.
	Raw []byte
}

// Action is one sink of a rule.
type Action struct {
	Type  string
	Props map[string]any // never nil; numbers are float64

	// Index is the place of the action's object in the rule's list. Sinks of one
	// object share it; names in the status of a rule are made of Type and Index.
	Index int
	// Node is the name of the node of a graph, by which its status goes; else "".
	Node string
}

// wire is a rule as encoding/json reads it.
type wire struct {
	ID        string                      `json:"id"`
	Name      string                      `json:"name"`
	Version   string                      `json:"version"`
	SQL       string                      `json:"sql"`
	Graph     json.RawMessage             `json:"graph"`
	Actions   []map[string]map[string]any `json:"actions"`
	Triggered *bool                       `json:"triggered"`
	Temp      bool                        `json:"temp"`
	Tags      []string                    `json:"tags"`
	Options   map[string]any              `json:"options"`
}

// maxQuotedRule is how much of a rule that does not parse is quoted in the error,
// in bytes.
const maxQuotedRule = 256

// ParseFor reads the JSON text of the rule that is called id: a text without
// an id takes it, another id is refused. An empty id stands for the one in the
// text, which must then be there. Options that the text leaves out are those of
// defaults.
//
// The errors are worded as those of the REST API that rules were written
// against; callers prefix them with "invalid rule json: ".
func ParseFor(id string, body []byte, defaults Options) (*Def, error) {
	var w wire
	if err := json.Unmarshal(body, &w); err != nil {
		return nil, &Error{Code: CodeRule, Text: fmt.Sprintf("Parse rule %s error : %s.", quote(body), JSONReason(err)), Err: err}
	}
	if err := w.setID(id); err != nil {
		return nil, err
	}
	d := &Def{
		ID: w.ID, Name: w.Name, Version: w.Version, SQL: w.SQL, Graph: w.Graph,
		Triggered: w.Triggered == nil || *w.Triggered,
		Temp:      w.Temp, Tags: w.Tags, Raw: body,
	}
	if d.Name == "" {
		d.Name = d.ID
	}
	if bytes.Equal(d.Graph, []byte("null")) {
		d.Graph = nil
	}
	if err := d.setActions(w.Actions); err != nil {
		return nil, err
	}
	var err error
	if d.Options, d.Warnings, err = parseOptions(w.Options, defaults); err != nil {
		return nil, &Error{Code: CodeRule, Text: fmt.Sprintf("Rule %s has invalid options: %s.", d.ID, err), Err: err}
	}
	return d, nil
}

// setID checks the id of the text against the one that is asked for.
func (w *wire) setID(id string) error {
	switch {
	case w.ID == "" && id == "":
		return &Error{Code: CodeRule, Text: "Missing rule id."}
	case w.ID == "":
		w.ID = id
	case id != "" && w.ID != id:
		return &Error{Code: CodeRule, Text: "RuleId is not consistent with rule id."}
	}
	return CheckID(w.ID)
}

// CheckID returns an error if id cannot name a rule, a stream, a table, a connection or
// a group of settings.
func CheckID(id string) error {
	for i := 0; i < len(id); i++ {
		c := id[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-' {
			continue
		}
		return Errorf(CodeRule, "id '%s' contains invalid characters: only alphanumeric, hyphens and underscores are allowed", id)
	}
	return nil
}

// setActions checks that there is something to run and somewhere to send it, and
// flattens objects that hold several sinks.
func (d *Def) setActions(objects []map[string]map[string]any) error {
	switch {
	case d.SQL != "" && d.Graph != nil:
		return Errorf(CodeRule, "Rule %s has both sql and graph.", d.ID)
	case d.SQL == "" && d.Graph == nil:
		return Errorf(CodeRule, "Rule %s has neither sql nor graph.", d.ID)
	case d.SQL != "" && len(objects) == 0:
		return &Error{Code: CodeRule, Text: "Missing rule actions."}
	}
	d.Actions = make([]Action, 0, len(objects))
	for i, o := range objects {
		if len(o) == 0 {
			return Errorf(CodeRule, "Rule %s has invalid actions: element %d names no sink.", d.ID, i)
		}
		first := len(d.Actions)
		for typ, props := range o {
			if props == nil {
				props = map[string]any{}
			}
			d.Actions = append(d.Actions, Action{Type: typ, Props: props, Index: i})
		}
		// A JSON object has no order; by name, the same text always gives the
		// same list.
		same := d.Actions[first:]
		sort.Slice(same, func(a, b int) bool { return same[a].Type < same[b].Type })
	}
	return nil
}

// CheckVersion returns an error if a rule of version current may not be replaced
// by one of version next. Versions are compared as text; two rules without one
// replace each other freely.
func CheckVersion(id, current, next string) error {
	if current == "" && next == "" || next > current {
		return nil
	}
	return Errorf(CodeUndefined, "rule %s already exists with version (%s), new version (%s) is lower", id, current, next)
}

// Set returns the rule text raw with the value of one top-level key set.
// The other keys keep their order and their text; a key that is new goes to the
// end. The result shares no memory with raw.
func Set(raw []byte, key string, value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("rule text: set %q: %w", key, err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("rule text: %w", err)
	} else if t != json.Delim('{') {
		return nil, errors.New("rule text: not an object")
	}
	out := append(make([]byte, 0, len(raw)+len(key)+len(text)+8), '{')
	put := func(k string, v []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		name, _ := json.Marshal(k) // a string always marshals
		out = append(append(append(out, name...), ':'), v...)
	}
	found := false
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("rule text: %w", err)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, fmt.Errorf("rule text: %w", err)
		}
		if k := t.(string); k == key {
			put(k, text)
			found = true
		} else {
			put(k, v)
		}
	}
	if !found {
		put(key, text)
	}
	return append(out, '}'), nil
}

// quote returns the start of a rule's text for an error.
func quote(body []byte) string {
	if len(body) <= maxQuotedRule {
		return string(body)
	}
	return string(bytes.ToValidUTF8(body[:maxQuotedRule], nil)) + "..."
}

// JSONReason words an error of encoding/json without the names of Go types.
func JSONReason(err error) string {
	var t *json.UnmarshalTypeError
	if !errors.As(err, &t) {
		return err.Error()
	}
	want := map[string]string{"string": "a string", "bool": "true or false", "slice": "a list", "map": "an object", "struct": "an object", "int": "a whole number", "int64": "a whole number", "float64": "a number"}[t.Type.Kind().String()]
	if want == "" {
		want = t.Type.Kind().String()
	}
	if t.Field == "" {
		return fmt.Sprintf("the rule must be %s, not %s", want, t.Value)
	}
	return fmt.Sprintf("%q must be %s, not %s", t.Field, want, t.Value)
}

// DefaultOptions returns the options of a rule that names none.
func DefaultOptions() Options {
	return Options{
		LateTolerance:      time.Second,
		MaxFutureDrift:     DefaultDrift,
		Concurrency:        1,
		BufferLength:       1024,
		CheckpointInterval: 5 * time.Minute,
	}
}
