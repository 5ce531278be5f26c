package logictest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
)

// stream is a stream of the file, and the decoder of its rows.
type stream struct {
	name       string
	num        uint32
	fields     []vec.Field
	full       []string // fields that every row must have
	timestamp  string
	timeFormat string // pattern of the timestamp
	table      bool
	key        string // lookup table: the field that rows are kept by
	retain     int64  // scan table: rows that are kept, 0: all
	opt        ingest.Options

	in      *ingest.Inbox
	feed    *ingest.Feed
	route   uint32
	version uint64
	keys    string // of the columns of the plan
	errors  uint64 // decode errors that were printed
	values  uint64
}

// stream returns the stream called name, a schemaless one if it is new.
func (s *session) stream(name string) *stream {
	st := s.streams[name]
	if st == nil {
		st = &stream{name: name, num: uint32(len(s.streams))}
		if def := s.streams[""]; def != nil && name != "" {
			st.fields, st.full, st.opt = def.fields, def.full, def.opt
			st.timestamp, st.timeFormat = def.timestamp, def.timeFormat
		}
		s.streams[name] = st
	}
	return st
}

// schema declares a stream; without a name it is every stream that is not
// declared otherwise.
func (s *session) schema(a args, text string) error {
	if s.streams[a.name] != nil {
		return fmt.Errorf("stream %q is there already", a.name)
	}
	st := s.stream(a.name)
	st.timestamp, st.timeFormat = a.texts["timestamp"], a.texts["timeformat"]
	st.table, st.key = a.flags["table"], a.texts["key"]
	var err error
	if st.retain, err = a.ms("retain", 0); err != nil {
		return err
	}
	st.opt = ingest.Options{Strict: a.flags["strict"], UseInt64: a.flags["int64"]}
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var fields []string
	for _, line := range strings.Split(text, "\n") {
		name, kind, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			return fmt.Errorf("%q: want a name and a type", line)
		}
		kind = strings.TrimSpace(kind)
		if short, null := strings.CutSuffix(kind, " null"); null {
			kind = strings.TrimSpace(short)
		} else {
			st.full = append(st.full, strings.Trim(name, "`"))
		}
		if t, ok := map[string]string{"float64": "FLOAT", "int64": "BIGINT", "bool": "BOOLEAN"}[kind]; ok {
			kind = t
		}
		fields = append(fields, name+" "+kind)
	}
	c, err := sql.ParseCreate("CREATE STREAM s (" + strings.Join(fields, ", ") + `) WITH (DATASOURCE="s")`)
	if err != nil {
		return err
	}
	st.fields, st.opt.Schema = c.Fields, c.Fields
	return nil
}

// target returns the stream that rows are for.
func (s *session) target(name string) (*stream, error) {
	if name != "" {
		return s.stream(name), nil
	}
	var only *stream
	for n, st := range s.streams {
		switch {
		case n == "":
		case only != nil:
			return nil, fmt.Errorf("want the name of a stream, there are several")
		default:
			only = st
		}
	}
	if only == nil {
		only = s.stream("stream")
	}
	return only, nil
}

// plan has the decoder extract what the rules on the stream read.
func (st *stream) plan(engines []*engine) error {
	if st.name == "" {
		return nil
	}
	if st.feed == nil {
		st.in = ingest.NewInbox()
		f, err := ingest.NewFeed(st.in, st.opt)
		if err != nil {
			return err
		}
		st.feed, st.route = f, f.Route([]uint32{st.num})
	}
	var cols []vec.ColumnSpec
	var keys []string
	for _, e := range engines {
		if b := e.builders[st]; b != nil {
			for _, c := range b.Columns() {
				if k := c.Key(); !slices.Contains(keys, k) {
					cols, keys = append(cols, c), append(keys, k)
				}
			}
		}
	}
	if all := strings.Join(keys, "\n"); st.version == 0 || all != st.keys {
		st.version++
		st.keys = all
		st.feed.SetPlan(vec.NewPlan(st.version, cols))
	}
	return nil
}

// push decodes payloads, one a line, and runs them in batches.
func (st *stream) push(s *session, input string, a args) (string, error) {
	if err := st.plan(s.engines); err != nil {
		return "", err
	}
	topic := a.texts["topic"]
	meta := &ingest.Meta{Topic: topic, MQTT: topic != ""}
	if kind := a.texts["kind"]; kind != "" {
		meta.More = &ingest.MetaMap{Items: []ingest.MetaItem{{Key: "rowkind", Value: vec.StringValue(kind)}}}
	}
	var lines []string
	for _, line := range strings.Split(input, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if err := st.check(lines); err != nil {
		return "", err
	}
	for part := range slices.Chunk(lines, s.ex.Batch) {
		st.feed.Begin(s.now)
		for _, line := range part {
			if err := st.feed.Push([]byte(line), st.route, meta, ingest.Ack{}); err != nil {
				return "", err
			}
		}
		st.feed.End()
		for f, b := st.in.Take(); b != nil; f, b = st.in.Take() {
			poison(b, s.ex.High)
			for _, e := range s.engines {
				s.contained(e.x.Run(b, s.now))
			}
			f.Done(b)
		}
	}
	return st.bad(), nil
}

// check refuses rows without a field that is not declared null.
func (st *stream) check(lines []string) error {
	if len(st.full) == 0 {
		return nil
	}
	for i, line := range lines {
		var row map[string]any
		if json.Unmarshal([]byte(line), &row) != nil {
			continue // the decoder has its own say
		}
		for _, name := range st.full {
			if row[name] == nil {
				return fmt.Errorf("row %d: no %s, which is not declared null", i+1, name)
			}
		}
	}
	return nil
}

// bad says what did not decode since the last time.
func (st *stream) bad() string {
	c := st.feed.Stats()
	text := ""
	if n := c.DecodeErrors - st.errors; n > 0 {
		text += fmt.Sprintf("not decoded: %d, last: %s\n", n, c.LastError)
	}
	if n := c.BadValues - st.values; n > 0 {
		text += fmt.Sprintf("bad values: %d\n", n)
	}
	st.errors, st.values = c.DecodeErrors, c.BadValues
	return text
}
