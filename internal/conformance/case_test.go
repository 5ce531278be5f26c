package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// conformCase is one case. The package comment describes the fields.
type conformCase struct {
	Name      string
	Doc       string
	Feature   string
	Skip      string
	Serial    bool
	Unordered bool
	Any       []string
	CollectMs int `json:"collect_ms"`
	Streams   []string
	Rule      *conformRule
	Rules     []*conformRule
	Requests  []request
	Rows      []json.RawMessage
	Input     []message
	Error     bool
	Expected  []json.RawMessage
}

// conformRule is one rule of a case. Without Actions it gets one MQTT action
// with the properties of Sink.
type conformRule struct {
	SQL      string
	Options  json.RawMessage
	Sink     map[string]any
	Actions  json.RawMessage
	Expected []json.RawMessage
}

// request is one REST call and what must come back. Without Answer any body does.
type request struct {
	Method, Path string
	Body         json.RawMessage
	Status       int
	Answer       json.RawMessage
}

// message is one message of the input.
type message struct {
	WaitMs  int `json:"wait_ms"`
	Topic   string
	Payload json.RawMessage
}

// text returns what is sent: the payload as it is, or the text in it if it is a
// JSON string, so that a case can have payloads that are no JSON.
func text(payload json.RawMessage) []byte {
	var s string
	if bytes.HasPrefix(payload, []byte(`"`)) && json.Unmarshal(payload, &s) == nil {
		return []byte(s)
	}
	return payload
}

// loadCases reads all files of dir.
func loadCases(dir string) ([]*conformCase, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []*conformCase
	seen := map[string]string{}
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		var cases []*conformCase
		if err := dec.Decode(&cases); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, c := range cases {
			if was := seen[c.Name]; was != "" || c.Name == "" {
				return nil, fmt.Errorf("%s: case %q: the name is empty or stands in %q too", path, c.Name, was)
			}
			if c.Rule != nil && c.Rules != nil {
				return nil, fmt.Errorf("%s: case %q: has both rule and rules", path, c.Name)
			}
			seen[c.Name] = path
		}
		all = append(all, cases...)
	}
	return all, nil
}

// output is a rule of a case with the topic that it publishes to.
type output struct {
	*conformRule
	topic    string
	expected []json.RawMessage
}

// outputs returns the rules of c, wherever they are written.
func (c *conformCase) outputs(id string) []output {
	if c.Rule != nil {
		return []output{{c.Rule, id + "/out", c.Expected}}
	}
	var list []output
	for i, r := range c.Rules {
		list = append(list, output{r, fmt.Sprintf("%s/out%d", id, i), r.Expected})
	}
	return list
}

// statements returns what creates the streams and tables of c.
func (c *conformCase) statements() []string {
	if c.Streams == nil && (c.Rule != nil || c.Rules != nil || c.Rows != nil) {
		return []string{"CREATE STREAM ${id} () WITH (${mqtt})"}
	}
	return c.Streams
}

// messages returns the input of c with all placeholders filled in.
func (c *conformCase) messages(id string) []message {
	var list []message
	for _, row := range c.Rows {
		list = append(list, message{Payload: row})
	}
	list = append(list, c.Input...)
	for i := range list {
		m := &list[i]
		if m.Topic == "" {
			m.Topic = "${id}/in"
		}
		m.Topic = expand(m.Topic, id)
		m.Payload = text(json.RawMessage(expand(string(m.Payload), id)))
	}
	return list
}

// expand fills in the placeholders.
func expand(s, id string) string {
	const options = `DATASOURCE="${id}/%s", FORMAT="JSON", TYPE="mqtt", CONF_KEY="conform"`
	s = strings.ReplaceAll(s, "${mqtt}", fmt.Sprintf(options, "in"))
	for {
		before, rest, ok := strings.Cut(s, "${mqtt:")
		if !ok {
			break
		}
		topic, after, _ := strings.Cut(rest, "}")
		s = before + fmt.Sprintf(options, topic) + after
	}
	return strings.ReplaceAll(s, "${id}", id)
}
