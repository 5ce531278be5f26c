package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// Times of a run. They are those of the recordings.
const (
	readyLimit  = 5 * time.Second        // for rules to run and topics to be subscribed to
	settleOne   = 50 * time.Millisecond  // between "runs" and the first message
	settleMany  = 250 * time.Millisecond // the same of several rules, each on its own way
	topicGap    = 60 * time.Millisecond  // between messages on two topics, which may come by two connections
	outputLimit = 3 * time.Second        // for the output that is expected
	quietAfter  = 150 * time.Millisecond // for more than is expected
	nothing     = 350 * time.Millisecond // the least wait where nothing is expected
)

// runner runs cases against an engine.
type runner struct {
	target string // its REST address
	broker *broker
	client *http.Client
}

// call makes one REST call. A call that was not answered has the status 0.
func (r *runner) call(method, path string, body []byte) (status int, answer []byte) {
	req, err := http.NewRequest(method, r.target+path, bytes.NewReader(body))
	if err != nil {
		return 0, []byte(err.Error())
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := r.client.Do(req)
	if err != nil {
		return 0, []byte(err.Error())
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	if err != nil {
		return 0, []byte(err.Error())
	}
	return res.StatusCode, answer
}

// setup makes the settings that the streams of the cases name.
func (r *runner) setup() error {
	body := fmt.Sprintf(`{"server":%q}`, r.broker.url())
	if code, answer := r.call("PUT", "/metadata/sources/mqtt/confKeys/conform", []byte(body)); code/100 != 2 {
		return fmt.Errorf("settings of the broker: %d %s", code, answer)
	}
	return nil
}

// attempt is one run of a case.
type attempt struct {
	*runner
	c       *conformCase
	id      string
	inbox   *inbox
	outputs []output
	faults  strings.Builder
	created []string // paths, in order
}

// run runs a case under an id that no other has and returns what is wrong with
// the answers; empty: nothing.
func (r *runner) run(c *conformCase, id string) string {
	a := &attempt{runner: r, c: c, id: id, inbox: r.broker.inbox(id), outputs: c.outputs(id)}
	defer a.cleanup()
	switch refused := a.create(); {
	case a.faults.Len() > 0:
	case refused != "":
		if !c.Error {
			a.fault("refused: %s", refused)
		}
	case c.Error:
		a.fault("accepted, want a refusal")
	default:
		a.exchange()
	}
	return a.faults.String()
}

func (a *attempt) fault(format string, args ...any) {
	fmt.Fprintf(&a.faults, strings.TrimSuffix(format, "\n")+"\n", args...)
}

var createRe = regexp.MustCompile("(?i)^\\s*CREATE\\s+(STREAM|TABLE)\\s+`?([^\\s(`]+)")

// create makes the streams and rules. It returns the first refusal.
func (a *attempt) create() (refused string) {
	for _, s := range a.c.statements() {
		sql := expand(s, a.id)
		path, name := "/streams", ""
		if m := createRe.FindStringSubmatch(sql); m != nil {
			path, name = "/"+strings.ToLower(m[1])+"s", m[2]
		}
		if refused := a.post(path, map[string]any{"sql": sql}, path+"/"+name); refused != "" || a.faults.Len() > 0 {
			return refused
		}
	}
	for i, o := range a.outputs {
		id := fmt.Sprintf("%s_r%d", a.id, i)
		body := map[string]any{"id": id, "sql": o.SQL}
		if o.Options != nil {
			body["options"] = o.Options
		}
		if body["actions"] = o.Actions; o.Actions == nil {
			props := map[string]any{"server": a.broker.url(), "topic": o.topic}
			for k, v := range o.Sink {
				props[k] = v
			}
			body["actions"] = []any{map[string]any{"mqtt": props}}
		}
		if refused := a.post("/rules", body, "/rules/"+id); refused != "" || a.faults.Len() > 0 {
			return refused
		}
	}
	return ""
}

// post creates one thing, which is deleted in the end. A refusal is returned, any
// other failure is a fault.
func (a *attempt) post(path string, body map[string]any, made string) (refused string) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		a.fault("%s: %v", path, err)
		return ""
	}
	code, answer := a.call("POST", path, []byte(expand(text.String(), a.id)))
	switch code / 100 {
	case 2:
		a.created = append(a.created, made)
	case 4:
		return fmt.Sprintf("%d %s", code, bytes.TrimSpace(answer))
	default:
		a.fault("POST %s: %d %s", path, code, answer)
	}
	return ""
}

// cleanup deletes what was created, last first.
func (a *attempt) cleanup() {
	for i := len(a.created) - 1; i >= 0; i-- {
		a.call("DELETE", a.created[i], nil)
	}
}

// exchange sends the input and compares outputs and answers.
func (a *attempt) exchange() {
	input := a.c.messages(a.id)
	if len(a.outputs) > 0 {
		a.waitReady(input)
	}
	a.send(input)
	if len(a.outputs) > 0 {
		a.waitOutput()
	}
	for i, o := range a.outputs {
		if o.Actions != nil && o.expected == nil {
			continue
		}
		if d := diff(values(o.expected), a.got(o.topic), a.c.Unordered); d != "" {
			a.fault("rule %d:\n%s", i, d)
		}
	}
	for i, q := range a.c.Requests {
		var body []byte
		if q.Body != nil {
			body = []byte(expand(string(text(q.Body)), a.id))
		}
		code, answer := a.call(q.Method, expand(q.Path, a.id), body)
		if code != q.Status {
			a.fault("request %d, %s %s: got %d %s, want %d", i, q.Method, q.Path, code, bytes.TrimSpace(answer), q.Status)
		}
		if q.Answer == nil {
			continue
		}
		want, _ := parse(q.Answer)
		if got := payloadValue(a.restore(answer)); !equal(want, got, a.c.Unordered) {
			a.fault("request %d, %s %s:\n   got  %s\n   want %s", i, q.Method, q.Path, short(got), short(want))
		}
	}
}

// restore puts ${id} back.
func (a *attempt) restore(p []byte) []byte {
	return bytes.ReplaceAll(p, []byte(a.id), []byte("${id}"))
}

// got returns what was published for an output, in the form of the cases.
func (a *attempt) got(topic string) []any {
	var list []any
	got, _ := a.inbox.below(topic)
	for _, p := range got {
		v := payloadValue(a.restore(p.payload))
		if p.topic != topic {
			v = map[string]any{"$topic": string(a.restore([]byte(p.topic))), "$payload": v}
		}
		list = append(list, v)
	}
	return list
}

func values(raw []json.RawMessage) []any {
	var list []any
	for _, r := range raw {
		v, _ := parse(r)
		list = append(list, v)
	}
	return list
}

// waitReady returns when every topic has a subscriber and every rule says that it
// runs, or when that takes too long: what then fails tells more than this could.
func (a *attempt) waitReady(input []message) {
	limit := time.NewTimer(readyLimit)
	defer limit.Stop()
	for _, m := range input {
		for late := false; !late; {
			list, changed := a.broker.subscribers(m.Topic)
			if len(list) > 0 {
				break
			}
			select {
			case <-changed:
			case <-limit.C:
				return
			}
		}
	}
	for i := range a.outputs {
		if !a.waitRunning(fmt.Sprintf("%s_r%d", a.id, i), limit) {
			return
		}
	}
	settle := settleOne
	if len(a.outputs) > 1 {
		settle = settleMany
	}
	<-time.After(settle)
}

// waitRunning asks for the status of a rule until it runs.
func (a *attempt) waitRunning(id string, limit *time.Timer) bool {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		code, answer := a.call("GET", "/rules/"+id+"/status", nil)
		var st struct{ Status string }
		if code == 200 && json.Unmarshal(answer, &st) == nil && strings.HasPrefix(strings.ToLower(st.Status), "running") {
			return true
		}
		select {
		case <-again.C:
		case <-limit.C:
			return false
		}
	}
}

// send publishes the input at its times.
func (a *attempt) send(input []message) {
	before := ""
	for _, m := range input {
		switch {
		case m.WaitMs > 0:
			<-time.After(time.Duration(m.WaitMs) * time.Millisecond)
		case before != "" && before != m.Topic:
			<-time.After(topicGap)
		}
		before = m.Topic
		if a.broker.publish(m.Topic, m.Payload) == 0 {
			a.fault("nobody subscribed to %s", m.Topic)
			return
		}
	}
}

// waitOutput returns when what is expected has come and nothing more follows, or
// when that takes too long.
func (a *attempt) waitOutput() {
	begin, need := time.Now(), 0
	for _, o := range a.outputs {
		need += len(o.expected)
	}
	floor := time.Duration(a.c.CollectMs) * time.Millisecond
	if need == 0 {
		floor = max(floor, nothing)
	}
	limit := begin.Add(max(outputLimit, floor+time.Second))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		have, last := 0, begin
		for _, o := range a.outputs {
			got, at := a.inbox.below(o.topic)
			have += len(got)
			if at.After(last) {
				last = at
			}
		}
		end := limit
		if have >= need {
			if end = begin.Add(floor); last.Add(quietAfter).After(end) {
				end = last.Add(quietAfter)
			}
			if limit.Before(end) {
				end = limit
			}
		}
		wait := time.Until(end)
		if wait <= 0 {
			return
		}
		timer.Reset(wait)
		select {
		case <-a.inbox.news:
		case <-timer.C:
		}
	}
}
