package logictest

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/weir-engine/weir/exec"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
)

// rule is a rule of the file.
type rule struct {
	name  string
	sel   *sql.Select
	set   planner.Settings
	count bool
	told  bool // of its faults

	id    planner.RuleID // once it runs
	query *planner.Query
	on    *stream
	join  *stream // the join of its streams; nil: one stream
	eng   *engine
}

// rule reads a rule and has it wait for the next command that is not rule.
func (s *session) rule(a args, text string) (string, error) {
	late, err := a.ms("late", 0)
	if err != nil {
		return "", err
	}
	drift, err := a.ms("drift", 0)
	if err != nil {
		return "", err
	}
	r := &rule{name: a.name, count: a.flags["count"], told: a.flags["faults"]}
	r.set = planner.Settings{EventTime: a.flags["event"], LateMs: late, DriftMs: drift, SendMeta: a.flags["meta"], SendNil: a.flags["sendnil"]}
	sel, err := sql.ParseSelect(text)
	if err == nil {
		r.sel = sel
		_, err = s.bind(r)
	}
	if err != nil {
		return fmt.Sprintf("error: rule %q: %v", a.name, err), nil
	}
	if slices.ContainsFunc(s.pending, func(o *rule) bool { return o.name == r.name }) {
		return "", fmt.Errorf("rule %q is there twice", r.name)
	}
	s.pending = append(s.pending, r)
	return "", nil
}

func (s *session) bind(r *rule) (*planner.Query, error) {
	env := planner.Env{Funcs: fn.Set{}, Catalog: s, Fold: exec.FoldIn(time.UTC)}
	return planner.Bind(env, r.name, r.sel, r.set)
}

// Source implements planner.Catalog: a stream that was not declared is
// schemaless.
func (s *session) Source(name string) (*planner.Source, bool) {
	st := s.stream(name)
	return &planner.Source{
		Name: name, Fields: st.fields, Timestamp: st.timestamp, TimeFormat: st.timeFormat,
		Table: st.table, Lookup: st.key != "", Key: st.key, Retain: st.retain,
	}, true
}

// start adds the rules that wait.
func (s *session) start() error {
	came := s.pending
	if err := s.enterAll(); err != nil {
		return err
	}
	err := s.publish()
	for _, r := range came {
		r.eng.x.Forget(r.id)
	}
	return err
}

func (s *session) enterAll() error {
	add := s.pending
	s.pending = nil
	if s.ex.Reverse {
		slices.Reverse(add)
	}
	for _, r := range add {
		if old := s.rules[r.name]; old != nil { // replaced
			end, err := s.replace(old, r)
			if err != nil {
				return err
			}
			defer end()
		}
	}
	for _, r := range add {
		if err := s.enter(r); err != nil {
			return err
		}
	}
	return nil
}

// replace takes old out for r to come in its place; the caller calls end when it has.
func (s *session) replace(old, r *rule) (end func(), err error) {
	r.id, r.eng = old.id, old.eng
	b := old.eng.builders[s.stream(old.query.Streams[0])]
	r.set.Epoch = b.Next()
	q, err := s.bind(r)
	if err != nil {
		return nil, fmt.Errorf("rule %q: %w", r.name, err)
	}
	end = func() {}
	if old.join == nil && q.Join == nil && slices.Equal(old.query.Streams, q.Streams) && b.Keeps(old.id, q.Root) {
		end = b.Replacing(old.id)
	}
	s.remove(old)
	return end, nil
}

// enter puts a rule into its builder.
func (s *session) enter(r *rule) error {
	if r.eng == nil {
		r.id, r.eng = s.next, s.engine()
		s.next++
	}
	r.on = s.stream(r.sel.From.Name)
	b := r.eng.builders[r.on]
	if b == nil {
		b = planner.NewBuilder()
		r.eng.builders[r.on] = b
	}
	r.set.Epoch = b.Next()
	q, err := s.bind(r)
	if err != nil {
		return fmt.Errorf("rule %q: %w", r.name, err)
	}
	r.query = q
	if q.Join != nil {
		s.enterJoin(r)
	} else {
		b.Add(r.id, q.Root, r.count)
	}
	s.out.names[r.id], s.out.silent[r.id], s.out.told[r.id] = r.name, r.count, r.told
	s.rules[r.name] = r
	return nil
}

// engine returns the engine of the next rule.
func (s *session) engine() *engine {
	if s.ex.Share && len(s.engines) > 0 {
		return s.engines[0]
	}
	e := &engine{builders: map[*stream]*planner.Builder{}, joins: map[string]*stream{}}
	e.x = exec.New(exec.Env{
		Location: time.UTC,
		Now:      func() int64 { return s.now },
		Faults:   func(r planner.RuleID) bool { return s.out.told[r] },
	}, s.out)
	s.engines = append(s.engines, e)
	return e
}

// publish hands the programs of all streams to the executors, and the columns
// that they read to the decoders.
func (s *session) publish() error {
	for _, e := range s.engines {
		clear(e.joins)
		for st, b := range e.builders {
			if b.Len() == 0 {
				s.contained(e.x.SetProgram(st.num, nil, s.now))
				delete(e.builders, st)
				continue
			}
			s.contained(e.x.SetProgram(st.num, b.Program(), s.now))
		}
	}
	for _, st := range s.streams {
		if err := st.plan(s.engines); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) drop(name string) error {
	r := s.rules[name]
	if r == nil {
		return fmt.Errorf("no rule %q", name)
	}
	s.stop(r)
	return s.publish()
}

// stop takes a rule out; the programs are not published yet.
func (s *session) stop(r *rule) {
	s.remove(r)
	if !s.ex.Share {
		s.engines = slices.DeleteFunc(s.engines, func(e *engine) bool { return e == r.eng })
	}
	r.eng = nil
}

// remove takes a rule out of its engine.
func (s *session) remove(r *rule) {
	delete(s.rules, r.name)
	for _, name := range r.query.Streams {
		r.eng.builders[s.stream(name)].Remove(r.id)
	}
	if r.join != nil {
		r.eng.builders[r.join].Remove(r.id)
		r.join = nil
	}
}

// restart stops a rule and starts it again; without a name all of them begin
// anew, with new executors.
func (s *session) restart(name string) error {
	again := []*rule{s.rules[name]}
	if name == "" {
		again = nil
		for _, n := range s.names() {
			again = append(again, s.rules[n])
		}
	} else if again[0] == nil {
		return fmt.Errorf("no rule %q", name)
	}
	for _, r := range again {
		s.stop(r)
	}
	if err := s.publish(); err != nil {
		return err
	}
	if name == "" {
		s.engines, s.lookups, s.steps = nil, 0, 0
	}
	s.pending = again
	return s.start()
}

// names returns the names of the rules that run, sorted.
func (s *session) names() []string {
	var out []string
	for n := range s.rules {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// workLine returns the line about work of an expected output.
func workLine(text string) string {
	i := strings.Index(text, "work: ")
	if i < 0 {
		return ""
	}
	return text[i:]
}
