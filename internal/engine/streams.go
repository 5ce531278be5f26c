package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/internal/api"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/planner/sql"
	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/protobuf"
	"github.com/weir-engine/weir/vec/timefmt"
)

// Kinds of definitions in the catalog.
const (
	kindStream = "stream"
	kindTable  = "table"
	kindRule   = "rule"
	kindConf   = "conf"
	kindGrave  = "grave"
)

// stream is a defined stream or table. Its source runs while rules use it.
type stream struct {
	name string
	num  uint32
	def  *sql.Create

	builder *planner.Builder // of the running rules; nil: none
	feed    *sharedFeed      // while it is active
	source  running
	cols    []string          // keys of the columns that its program reads
	dirty   bool              // in state.changed
	held    bool              // a bulk adds to builder: the executor does not pull it
	only    []string          // name, for the rules that read nothing else
	pins    int               // reasons to stay connected without a rule
	err     string            // why the source does not run
	dropped bool              // no rule may use it any more
	ended   bool              // its source has delivered all there is, and that was run
	inline  bool              // defined by a graph, see flow.go
	message *protobuf.Message // of format protobuf
	last    *ingest.Feed
	good    atomic.Uint64 // 1 + the epoch in which its source was found to be fit to run
}

func kindOf(table bool) string {
	if table {
		return kindTable
	}
	return kindStream
}

func title(table bool) string {
	if table {
		return "Table"
	}
	return "Stream"
}

// ExecStatement runs a statement about streams and tables.
func (e *Engine) ExecStatement(text string) (api.Statement, error) {
	st, err := sql.Parse(text)
	if err != nil {
		return api.Statement{Verb: verbOf(text)}, ruledef.Errorf(ruledef.CodeParser, "Parse SQL %s error: %w.", text, err)
	}
	kind := func(table bool) api.StreamKind {
		if table {
			return api.Table
		}
		return api.Stream
	}
	switch s := st.(type) {
	case *sql.Create:
		out := api.Statement{Verb: api.VerbCreate, Kind: kind(s.Table), Name: s.Name}
		return out, e.createStream(s)
	case *sql.Show:
		out := api.Statement{Verb: api.VerbShow, Kind: kind(s.Tables)}
		for _, i := range e.StreamList(out.Kind) {
			out.List = append(out.List, i.Name)
		}
		return out, nil
	case *sql.Describe:
		out := api.Statement{Verb: api.VerbDescribe, Kind: kind(s.Table), Name: s.Name}
		out.Def, err = e.DescribeStream(out.Kind, s.Name)
		return out, err
	case *sql.Explain:
		out := api.Statement{Verb: api.VerbExplain, Kind: kind(s.Table), Name: s.Name}
		out.Def, err = e.DescribeStream(out.Kind, s.Name)
		return out, err
	case *sql.Drop:
		out := api.Statement{Verb: api.VerbDrop, Kind: kind(s.Table), Name: s.Name}
		return out, e.DropStream(out.Kind, s.Name)
	}
	return api.Statement{}, ruledef.Errorf(ruledef.CodeParser, "Invalid stream statement: %s", text)
}

// verbOf reads the verb of a text that does not parse.
func verbOf(text string) api.Verb {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	switch strings.ToUpper(word) {
	case "CREATE":
		return api.VerbCreate
	case "SHOW":
		return api.VerbShow
	case "DESCRIBE":
		return api.VerbDescribe
	case "EXPLAIN":
		return api.VerbExplain
	case "DROP":
		return api.VerbDrop
	}
	return api.VerbNone
}

// createStream defines what s says, durably.
func (e *Engine) createStream(s *sql.Create) error {
	unlock := e.defLocks.lock(s.Name)
	err := e.enterStream(s)
	unlock()
	if err == nil {
		e.freed()
	}
	return err
}

// enterStream is createStream for a caller that holds the name's lock.
func (e *Engine) enterStream(s *sql.Create) error {
	if err := ruledef.CheckID(s.Name); err != nil {
		return ruledef.Errorf(ruledef.CodeStream, "Create %s fails: %w", kindOf(s.Table), err)
	}
	if err := e.checkCreate(s); err != nil {
		return err
	}
	if e.known(s.Name) {
		return fmt.Errorf("Item %s %w", s.Name, ruledef.ErrExists)
	}
	if !s.Options.Temp {
		if err := e.catalog.Put(kindOf(s.Table), s.Name, []byte(s.Text)); err != nil {
			return ruledef.Errorf(ruledef.CodeIO, "store %s: %w", s.Name, err)
		}
	}
	return e.define(s)
}

func (e *Engine) known(name string) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.mu.streams[name] != nil
}

// defineStored enters a definition read from the store.
func (e *Engine) defineStored(text string) error {
	st, err := sql.Parse(text)
	if err != nil {
		return err
	}
	c, ok := st.(*sql.Create)
	if !ok {
		return errors.New("no CREATE statement")
	}
	return e.define(c)
}

func (e *Engine) define(c *sql.Create) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.mu.streams[c.Name] != nil {
		return fmt.Errorf("Item %s %w", c.Name, ruledef.ErrExists)
	}
	msg, err := e.messageOf(c)
	if err != nil {
		e.log.Error("stream has no message type", "stream", c.Name, "err", err)
	}
	e.mu.streams[c.Name] = &stream{name: c.Name, only: []string{c.Name}, def: c, num: e.streamNumLocked(), message: msg}
	e.mu.epoch++
	return nil
}

// checkDefinition refuses what can be seen to be wrong without data.
func (e *Engine) checkDefinition(c *sql.Create) error {
	errs := []error{e.checkType(&stream{def: c})}
	switch f := c.Options.Format; f {
	case "", "json", "delimited", "binary", "urlencoded", "protobuf":
	case "custom":
		errs = append(errs, fmt.Errorf("format %s is not supported yet", f))
	default:
		errs = append(errs, fmt.Errorf("format %s is unknown: want json, delimited, binary, urlencoded or protobuf", f))
	}
	if f := c.Options.TimestampFormat; f != "" {
		if err := timefmt.Check(f); err != nil {
			errs = append(errs, fmt.Errorf("option TIMESTAMP_FORMAT: %w", err))
		}
	}
	if c.Options.Format == "binary" && !(len(c.Fields) == 0 || len(c.Fields) == 1 && c.Fields[0].Type.Kind == vec.Bytes) {
		errs = append(errs, errors.New("format binary takes no fields or one of type BYTEA"))
	}
	if c.Table && c.Options.Format == "binary" {
		errs = append(errs, errors.New("format binary is not for tables"))
	}
	return errors.Join(errs...)
}

// checkType refuses a type that there is not.
func (e *Engine) checkType(s *stream) error {
	if !s.lookup() {
		_, err := e.types.source(s.typ())
		return err
	}
	t, err := e.types.lookup(s.typ())
	if err == nil && t.Fed && s.def.Options.Key == "" {
		err = fmt.Errorf("option KEY is required for a %s lookup table", s.typ())
	}
	return err
}

// ReplaceStream redefines a stream or table; its rules go on with it. It is refused
// if a started rule could not.
func (e *Engine) ReplaceStream(kind api.StreamKind, name, text string) error {
	err := e.replaceStream(kind, name, text, nobody)
	if err == nil {
		e.freed()
	}
	return err
}

// ForceReplaceStream redefines a stream or table also if rules stop by that, which it
// returns with their reasons.
func (e *Engine) ForceReplaceStream(kind api.StreamKind, name, text string) (stopped []string, err error) {
	err = e.replaceStream(kind, name, text, func(string) bool { return true })
	if err != nil {
		return nil, err
	}
	e.mu.RLock()
	for id, r := range e.mu.rules {
		if r.failed && !r.running && r.uses(name) {
			stopped = append(stopped, fmt.Sprintf("rule %s: %s", id, r.message))
		}
	}
	e.mu.RUnlock()
	slices.Sort(stopped)
	e.freed()
	return stopped, nil
}

// replaceStream is ReplaceStream. Rules of which may says that they may stop do not
// count.
func (e *Engine) replaceStream(kind api.StreamKind, name, text string, may func(id string) bool) error {
	st, err := sql.Parse(text)
	c, ok := st.(*sql.Create)
	switch {
	case err != nil:
		return ruledef.Errorf(ruledef.CodeParser, "Parse SQL %s error: %w.", text, err)
	case !ok || c.Table != (kind == api.Table):
		return ruledef.Errorf(ruledef.CodeParser, "want CREATE %s", strings.ToUpper(title(kind == api.Table)))
	case c.Name != name:
		return ruledef.Errorf(ruledef.CodeStream, "Replace %s fails: the sql statement must update the %s source", name, name)
	}
	if err := e.checkCreate(c); err != nil {
		return err
	}
	defer e.defLocks.lock(name)()
	e.mu.RLock()
	old := e.mu.streams[name]
	e.mu.RUnlock()
	if old == nil {
		return e.enterStream(c)
	}
	if old.def.Table != c.Table {
		return fmt.Errorf("Item %s %w", name, ruledef.ErrExists)
	}
	switch now := &c.Options; {
	case now.Shared != old.def.Options.Shared:
		return ruledef.Errorf(ruledef.CodeStream, "Replace %s fails: SHARED cannot be changed", name)
	case now.Temp || old.def.Options.Temp:
		return ruledef.Errorf(ruledef.CodeStream, "Replace %s fails: a temporary stream cannot be replaced", name)
	}
	if old.def.Options.Version != "" || c.Options.Version != "" {
		if c.Options.Version <= old.def.Options.Version {
			return ruledef.Errorf(ruledef.CodeStream, "stream %s already exists with version (%s), new version (%s) is lower", name, old.def.Options.Version, c.Options.Version)
		}
	}
	msg, err := e.messageOf(c)
	if err != nil {
		return err
	}
	if err := e.checkReplace(old, c, msg, may); err != nil {
		return err
	}
	if !c.Options.Temp {
		if err := e.catalog.Put(kindOf(c.Table), name, []byte(c.Text)); err != nil {
			return ruledef.Errorf(ruledef.CodeIO, "store %s: %w", name, err)
		}
	}
	e.restartUsers(func() []*rule {
		old.def, old.message = c, msg
		return e.readersLocked(name)
	})
	return nil
}

// readersLocked returns the running rules that read one of streams.
func (e *Engine) readersLocked(streams ...string) []*rule {
	e.mu.AssertRHeld()
	if !slices.ContainsFunc(streams, e.usedLocked) {
		return nil
	}
	var out []*rule
	for _, r := range e.mu.rules {
		if r.running && slices.ContainsFunc(streams, r.uses) {
			out = append(out, r)
		}
	}
	return out
}

// restartUsers makes a change of definitions and binds the running rules that it
// concerns anew. change runs under e.mu and returns them. They stop together, so
// that sources which only they use begin anew, and start together.
func (e *Engine) restartUsers(change func() []*rule) {
	e.mu.Lock()
	e.mu.epoch++
	var ids []string
	for _, r := range change() {
		e.uninstallLocked(r)
		r.pending, r.message = true, "being restarted"
		ids = append(ids, r.id)
	}
	e.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	slices.Sort(ids)
	defer e.ruleLocks.lock(ids...)()
	defs := make([]*ruledef.Def, len(ids))
	errs := make([]error, len(ids))
	for i, id := range ids {
		defs[i], errs[i] = e.stored(id)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, id := range ids {
		r := e.mu.rules[id]
		if r == nil || !r.pending { // deleted, replaced or stopped meanwhile
			continue
		}
		r.pending, r.message = false, ""
		e.noteLocked(r, e.startAsLocked(r, defs[i], errs[i]))
	}
}

// startAsLocked starts r as def says, unless that could not be read.
func (e *Engine) startAsLocked(r *rule, def *ruledef.Def, err error) error {
	e.mu.AssertHeld()
	if err != nil {
		return err
	}
	c, err := e.compileLocked(def)
	if err != nil {
		return err
	}
	e.open(c)
	return e.installLocked(r, c)
}

// DropStream removes a definition that no rule uses.
func (e *Engine) DropStream(kind api.StreamKind, name string) error {
	_, err := e.drop(kind, name, false)
	return err
}

// ForceDropStream removes a definition; rules that use it stop, and are returned.
func (e *Engine) ForceDropStream(kind api.StreamKind, name string) (stopped []string, err error) {
	return e.drop(kind, name, true)
}

func (e *Engine) drop(kind api.StreamKind, name string, force bool) (stopped []string, err error) {
	defer e.defLocks.lock(name)()
	e.mu.Lock()
	s := e.mu.streams[name]
	switch {
	case s == nil || s.inline || s.def.Table != (kind == api.Table):
		e.mu.Unlock()
		return nil, ruledef.ErrNotFound
	case !force && e.usedLocked(name):
		e.mu.Unlock()
		return nil, ruledef.ErrInUse
	}
	s.dropped = true
	e.mu.epoch++
	e.mu.Unlock()
	err = e.catalog.Delete(kindOf(s.def.Table), name)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		s.dropped = false
		return nil, ruledef.Errorf(ruledef.CodeIO, "delete %s: %w", name, err)
	}
	for _, r := range e.readersLocked(name) {
		e.uninstallLocked(r)
		r.failed, r.message = true, fmt.Sprintf("%s %s was dropped", strings.ToLower(title(s.def.Table)), name)
		stopped = append(stopped, r.id)
	}
	e.deactivateLocked(s)
	e.discardLocked(s)
	slices.Sort(stopped)
	return stopped, nil
}
