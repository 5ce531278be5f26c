package planner

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/weir-engine/weir/vec"
)

// Builder keeps the program of one input while rules come and go. An edit costs
// what it changes, not what is there; Program publishes. A Builder belongs to
// one goroutine.
//
// Published parts are frozen: the next edit of a part copies it first.
type Builder struct {
	prog  Program
	dirty bool
	last  *Program

	colAt    map[string]int
	colRefs  []int32
	stepAt   map[string]StepID
	stepRefs []int32
	free     []StepID
	projAt   map[string]int32
	projRefs []int32
	freeProj []int32
	freeRest []int32
	frozen   bool // Cols, Used, Steps, Projs, Rests are shared with a program

	rules   map[RuleID]*placed
	windows map[string]*windowBuilder
	kept    map[RuleID]kept
	nextID  *uint64        // window ids, shared by a stream's builders
	win     *windowBuilder // the window whose output is the input, nil for a stream
}

// placed remembers where a rule went, to take it out again.
type placed struct {
	proj, rest int32
	step       StepID // of the index, NoStep for Always
	op         Op
	kind       uint8
	count      bool
	key        AtomKind       // inEqual, not IN: which of num and text it is
	num        float64        // inRank and inEqual
	text       string         // inEqual
	in         *keys          // inEqual: of IN
	window     *windowBuilder // inWindow
}

// keys are the constants of an IN list: numbers or texts.
type keys struct {
	nums  []float64
	texts []string
}

// keys returns under what p is in an index of equalities.
func (p *placed) keys() (nums []float64, texts []string) {
	switch {
	case p.in != nil:
		return p.in.nums, p.in.texts
	case p.key == AtomText:
		return nil, []string{p.text}
	}
	return []float64{p.num}, nil
}

const (
	inAlways uint8 = iota
	inRank
	inEqual
	inCond
	inWindow
	inSerial
)

// NewBuilder makes the builder of a stream's program.
func NewBuilder() *Builder {
	return newBuilder(new(uint64), nil)
}

func newBuilder(ids *uint64, w *windowBuilder) *Builder {
	return &Builder{
		colAt: map[string]int{}, stepAt: map[string]StepID{}, projAt: map[string]int32{},
		rules: map[RuleID]*placed{}, nextID: ids, win: w, dirty: true,
	}
}

// Next returns the epoch of the program that the next rule will be part of.
func (b *Builder) Next() uint64 { return b.prog.Epoch + 1 }

// Len returns the number of rules.
func (b *Builder) Len() int { return len(b.rules) }

// Add enters a rule. count says that nobody reads the rule's rows, so that
// their number is enough where the projection cannot fail.
func (b *Builder) Add(rule RuleID, r *Bound, count bool) {
	b.dirty = true
	b.thaw()
	if r.Window != nil {
		w, join := b.windowOf(rule, r.Window)
		w.add(join, r.Window, count)
		b.rules[rule] = w.place
		return
	}
	p := &placed{step: NoStep, rest: -1}
	p.proj = b.project(r)
	p.count = count && b.win == nil && r.safe()
	if r.serial() {
		s := Serial{Entry: Entry{Rule: rule, Proj: p.proj, Rest: -1}}
		for _, n := range r.Where {
			s.Where = append(s.Where, b.intern(n))
		}
		b.prog.Serials = append(b.prog.Serials, s)
		p.kind = inSerial
		b.rules[rule] = p
		return
	}
	ac := plan(r.Where)
	p.rest = b.addRest(ac.rest)
	e := Entry{Rule: rule, Proj: p.proj, Rest: p.rest}
	b.place(p, ac.pivot, e)
	b.rules[rule] = p
}

// place puts e into the index for pivot.
func (b *Builder) place(p *placed, pivot *atom, e Entry) {
	switch {
	case pivot == nil:
		p.kind = inAlways
		if b.prog.Always == nil {
			b.prog.Always = &EntryList{}
		}
		b.prog.Always = b.prog.Always.thawed()
		b.prog.Always.add(e, p.count)
		return
	case pivot.equality():
		for i, s := range pivot.texts {
			pivot.texts[i] = strings.Clone(s) // and not the rule's text with it
		}
		p.kind, p.key = inEqual, pivot.kind
		switch {
		case pivot.op == OpIn:
			p.in = &keys{pivot.nums, pivot.texts}
		case p.key == AtomText:
			p.text = pivot.texts[0]
		default:
			p.num = pivot.nums[0]
		}
		p.step = b.intern(pivot.node)
		b.equal(p.step).add(e, pivot.nums, pivot.texts)
	case pivot.comparison():
		p.kind, p.num, p.op = inRank, pivot.nums[0], pivot.op
		p.count = p.count && p.rest < 0
		p.step = b.intern(pivot.node)
		b.rank(p.step, p.op, p.count).add(e, p.num)
	default:
		p.kind = inCond
		p.count = p.count && p.rest < 0
		p.step = b.intern(pivot.node)
		b.cond(p.step).EntryList.add(e, p.count)
	}
}

// Remove takes a rule out; an unknown one is ignored.
func (b *Builder) Remove(rule RuleID) {
	p := b.rules[rule]
	if p == nil {
		return
	}
	b.dirty = true
	b.thaw()
	delete(b.rules, rule)
	switch p.kind {
	case inWindow:
		p.window.remove(rule)
		return
	case inSerial:
		i := slices.IndexFunc(b.prog.Serials, func(s Serial) bool { return s.Rule == rule })
		for _, id := range b.prog.Serials[i].Where {
			b.release(id)
		}
		b.prog.Serials = slices.Delete(b.prog.Serials, i, i+1)
	case inAlways:
		b.prog.Always = b.prog.Always.thawed()
		b.prog.Always.remove(rule, p.count)
	case inRank:
		b.rank(p.step, p.op, p.count).remove(rule, p.num)
		b.prog.Ranks = slices.DeleteFunc(b.prog.Ranks, func(x *RankIndex) bool { return len(x.Entries) == 0 })
	case inEqual:
		nums, texts := p.keys()
		b.equal(p.step).remove(rule, nums, texts)
		b.prog.Equals = slices.DeleteFunc(b.prog.Equals, func(x *EqualIndex) bool { return len(x.TextEntries)+len(x.NumEntries) == 0 })
	case inCond:
		b.cond(p.step).EntryList.remove(rule, p.count)
		b.prog.Conds = slices.DeleteFunc(b.prog.Conds, func(x *CondIndex) bool { return len(x.Send)+len(x.Count) == 0 })
	}
	if p.step != NoStep {
		b.release(p.step)
	}
	b.dropRest(p.rest)
	b.dropProj(p.proj)
}

// thaw makes the flat arrays writable again after a publication.
func (b *Builder) thaw() {
	if !b.frozen {
		return
	}
	b.frozen = false
	p := &b.prog
	p.Cols, p.Used = slices.Clone(p.Cols), slices.Clone(p.Used)
	p.Steps, p.Projs, p.Rests = slices.Clone(p.Steps), slices.Clone(p.Projs), slices.Clone(p.Rests)
	p.Ranks, p.Equals, p.Conds = slices.Clone(p.Ranks), slices.Clone(p.Equals), slices.Clone(p.Conds)
	p.Analytics, p.Serials = slices.Clone(p.Analytics), slices.Clone(p.Serials)
}

// Program returns the program of the rules as they are. It is the same one as
// before if nothing changed.
func (b *Builder) Program() *Program {
	if !b.dirty && b.last != nil {
		return b.last
	}
	b.dirty = false
	b.prog.Epoch++
	b.prog.Rules = len(b.rules)
	p := b.prog
	if p.Always != nil {
		p.Always.frozen = true
	}
	for _, x := range p.Ranks {
		x.frozen = true
	}
	for _, x := range p.Equals {
		x.frozen = true
	}
	for _, x := range p.Conds {
		x.frozen = true
	}
	p.Windows = nil
	for _, w := range b.windows {
		p.Windows = append(p.Windows, w.publish())
	}
	sort.Slice(p.Windows, func(i, j int) bool { return p.Windows[i].ID < p.Windows[j].ID })
	b.frozen = true
	b.last = &p
	return b.last
}

// intern returns the step for n and holds one reference to it.
func (b *Builder) intern(n *Node) StepID {
	if id, ok := b.stepAt[n.Text]; ok {
		b.stepRefs[id]++
		return id
	}
	s := Step{Node: n, Col: -1}
	if n.Op == OpColumn {
		s.Col = b.column(n)
	} else if len(n.Args) > 0 {
		s.In = make([]StepID, len(n.Args))
		own := *n // of the nodes of steps: what equals them is let go
		own.Args = make([]*Node, len(n.Args))
		for i, a := range n.Args {
			s.In[i] = b.intern(a)
			own.Args[i] = b.prog.Steps[s.In[i]].Node
		}
		s.Node = &own
	}
	id := StepID(len(b.prog.Steps))
	if n := len(b.free); n > 0 {
		id = b.free[n-1]
		b.free = b.free[:n-1]
		b.prog.Steps[id], b.stepRefs[id] = s, 1
	} else {
		b.prog.Steps = append(b.prog.Steps, s)
		b.stepRefs = append(b.stepRefs, 1)
	}
	b.stepAt[n.Text] = id
	if n.Op == OpAnalytic {
		b.prog.Analytics = append(b.prog.Analytics, id)
	}
	return id
}

// release gives one reference to a step back and frees what nobody uses.
func (b *Builder) release(id StepID) {
	if b.stepRefs[id]--; b.stepRefs[id] > 0 {
		return
	}
	s := b.prog.Steps[id]
	delete(b.stepAt, s.Text)
	b.prog.Steps[id] = Step{}
	b.free = append(b.free, id)
	if s.Op == OpAnalytic {
		b.prog.Analytics = slices.DeleteFunc(b.prog.Analytics, func(a StepID) bool { return a == id })
	}
	if s.Op == OpColumn {
		b.dropColumn(s.Node, s.Col)
	}
	for _, a := range s.In {
		b.release(a)
	}
}

// column returns the position of an input column and makes one if need be.
func (b *Builder) column(n *Node) int {
	if b.win != nil {
		return b.win.column(n)
	}
	key := n.Col.Key()
	if i, ok := b.colAt[key]; ok {
		b.colRefs[i]++
		return i
	}
	i := slices.Index(b.prog.Used, false)
	if i < 0 {
		i = len(b.prog.Cols)
		b.prog.Cols = append(b.prog.Cols, vec.ColumnSpec{})
		b.prog.Used = append(b.prog.Used, false)
		b.colRefs = append(b.colRefs, 0)
	}
	b.prog.Cols[i], b.prog.Used[i], b.colRefs[i] = n.Col, true, 1
	b.colAt[key] = i
	return i
}

func (b *Builder) dropColumn(n *Node, i int) {
	if b.win != nil {
		b.win.dropColumn(n.Text, i)
		return
	}
	if b.colRefs[i]--; b.colRefs[i] == 0 {
		b.prog.Used[i] = false
		delete(b.colAt, n.Col.Key())
	}
}

// project interns the projection of r.
func (b *Builder) project(r *Bound) int32 {
	text := projectionText(r)
	if i, ok := b.projAt[text]; ok {
		b.projRefs[i]++
		return i
	}
	p := &Projection{Star: NoStep, Meta: NoStep, Spread: NoStep, Except: r.Except, SendNil: r.SendNil, Distinct: r.Distinct, Limit: r.Limit, Offset: r.Offset, Text: text}
	for _, f := range r.Fields {
		step := b.intern(f.Node)
		p.Fields = append(p.Fields, Field{Name: strings.Clone(f.Name), Key: jsonKey(f.Name), Step: step, Plain: f.Plain})
	}
	sort.SliceStable(p.Fields, func(i, j int) bool { return p.Fields[i].Name < p.Fields[j].Name })
	if r.Star != nil {
		p.Star = b.intern(r.Star)
	}
	if r.Meta != nil {
		p.Meta = b.intern(r.Meta)
	}
	if r.Spread != nil {
		p.Spread, p.SpreadAs = b.intern(r.Spread), strings.Clone(r.SpreadAs)
	}
	for _, o := range r.Order {
		p.Order = append(p.Order, Order{Step: b.intern(o.Node), Desc: o.Desc})
	}
	p.Numbered = b.numbered(r)
	var i int32
	if n := len(b.freeProj); n > 0 {
		i = b.freeProj[n-1]
		b.freeProj = b.freeProj[:n-1]
		b.prog.Projs[i], b.projRefs[i] = p, 1
	} else {
		i = int32(len(b.prog.Projs))
		b.prog.Projs = append(b.prog.Projs, p)
		b.projRefs = append(b.projRefs, 1)
	}
	b.projAt[text] = i
	return i
}

// numbered returns the steps of r's list that depend on row_number, those that
// are it first. They hold references of their own.
func (b *Builder) numbered(r *Bound) []StepID {
	var numbers, others []StepID
	seen := map[string]bool{}
	visit := func(n *Node) bool {
		if !n.nums || seen[n.Text] {
			return n.nums && !seen[n.Text]
		}
		seen[n.Text] = true
		if id := b.intern(n); n.Op == OpNumber {
			numbers = append(numbers, id)
		} else {
			others = append(others, id)
		}
		return true
	}
	for _, f := range r.Fields {
		f.Node.walk(visit)
	}
	for _, o := range r.Order {
		o.Node.walk(visit)
	}
	if r.Spread != nil {
		r.Spread.walk(visit)
	}
	return append(numbers, others...)
}

// jsonKey returns name as the key of a JSON object, with its colon.
func jsonKey(name string) []byte {
	k, err := json.Marshal(name)
	if err != nil {
		panic("bug: a string that JSON cannot hold: " + err.Error())
	}
	return append(k, ':')
}

func projectionText(r *Bound) string {
	var s strings.Builder
	if r.Star != nil {
		s.WriteString(r.Star.Text)
		if len(r.Except) > 0 {
			fmt.Fprintf(&s, " EXCEPT %q", r.Except)
		}
		s.WriteString(", ")
	}
	fields := slices.Clone(r.Fields) // their order in the list does not matter: see project
	sort.SliceStable(fields, func(i, j int) bool { return fields[i].Name < fields[j].Name })
	for _, f := range fields {
		s.WriteString(f.Node.Text + " AS " + quoteName(f.Name))
		if f.Plain {
			s.WriteString(" plain")
		}
		s.WriteString(", ")
	}
	if r.Spread != nil {
		s.WriteString(r.Spread.Text)
		if r.SpreadAs != "" {
			s.WriteString(" AS " + quoteName(r.SpreadAs))
		}
	}
	for _, o := range r.Order {
		fmt.Fprintf(&s, " ORDER BY %s %v", o.Node.Text, o.Desc)
	}
	if r.Limit >= 0 || r.Offset > 0 {
		fmt.Fprintf(&s, " LIMIT %d OFFSET %d", r.Limit, r.Offset)
	}
	if r.SendNil {
		s.WriteString(" nil")
	}
	if r.Distinct {
		s.WriteString(" distinct")
	}
	if r.Meta != nil {
		s.WriteString(" meta")
	}
	return s.String()
}

func (b *Builder) dropProj(i int32) {
	if b.projRefs[i]--; b.projRefs[i] > 0 {
		return
	}
	p := b.prog.Projs[i]
	delete(b.projAt, p.Text)
	b.prog.Projs[i] = nil
	b.freeProj = append(b.freeProj, i)
	for _, f := range p.Fields {
		b.release(f.Step)
	}
	for _, s := range p.Numbered {
		b.release(s)
	}
	for _, o := range p.Order {
		b.release(o.Step)
	}
	for _, s := range []StepID{p.Star, p.Meta, p.Spread} {
		if s != NoStep {
			b.release(s)
		}
	}
}

// addRest stores the conditions that an index leaves to check, -1 for none.
func (b *Builder) addRest(rest []*Node) int32 {
	if len(rest) == 0 {
		return -1
	}
	atoms := make([]Atom, len(rest))
	for i, n := range rest {
		a := atomOf(n)
		if a.op == OpIn {
			a = atom{node: n, kind: AtomTrue}
		}
		atoms[i] = Atom{Step: b.intern(a.node), Kind: a.kind, Op: a.op}
		if a.kind == AtomNum {
			atoms[i].Num = a.nums[0]
		} else if a.kind == AtomText {
			atoms[i].Text = strings.Clone(a.texts[0])
		}
	}
	if n := len(b.freeRest); n > 0 {
		i := b.freeRest[n-1]
		b.freeRest = b.freeRest[:n-1]
		b.prog.Rests[i] = atoms
		return i
	}
	b.prog.Rests = append(b.prog.Rests, atoms)
	return int32(len(b.prog.Rests) - 1)
}

func (b *Builder) dropRest(i int32) {
	if i < 0 {
		return
	}
	for _, a := range b.prog.Rests[i] {
		b.release(a.Step)
	}
	b.prog.Rests[i] = nil
	b.freeRest = append(b.freeRest, i)
}

// rank returns the writable index of a comparison.
func (b *Builder) rank(step StepID, op Op, count bool) *RankIndex {
	for i, x := range b.prog.Ranks {
		if x.Step == step && x.Op == op && x.Count == count {
			if x.frozen {
				x = x.clone()
				b.prog.Ranks[i] = x
			}
			return x
		}
	}
	x := &RankIndex{Step: step, Op: op, Count: count, Start: []int32{0}}
	b.prog.Ranks = append(b.prog.Ranks, x)
	return x
}

// equal returns the writable index of equalities of step.
func (b *Builder) equal(step StepID) *EqualIndex {
	for i, x := range b.prog.Equals {
		if x.Step == step {
			if x.frozen {
				x = x.clone()
				b.prog.Equals[i] = x
			}
			return x
		}
	}
	x := &EqualIndex{Step: step, TextStart: []int32{0}, NumStart: []int32{0}}
	b.prog.Equals = append(b.prog.Equals, x)
	return x
}

// cond returns the writable list of the rules with one condition.
func (b *Builder) cond(step StepID) *CondIndex {
	i := sort.Search(len(b.prog.Conds), func(i int) bool { return b.prog.Conds[i].Step >= step })
	if i < len(b.prog.Conds) && b.prog.Conds[i].Step == step {
		x := b.prog.Conds[i]
		if x.frozen {
			x = &CondIndex{Step: step, EntryList: *x.EntryList.thawed()}
			b.prog.Conds[i] = x
		}
		return x
	}
	x := &CondIndex{Step: step}
	b.prog.Conds = slices.Insert(b.prog.Conds, i, x)
	return x
}

// Columns returns the input columns that some step reads.
func (b *Builder) Columns() []vec.ColumnSpec {
	var out []vec.ColumnSpec
	for i, c := range b.prog.Cols {
		if b.prog.Used[i] {
			out = append(out, c)
		}
	}
	return out
}

// safe tells whether what r sends cannot fail once the row was selected: it is
// undeclared columns, and the value by which the row was found.
func (r *Bound) safe() bool {
	if r.Spread != nil || len(r.Order) > 0 {
		return false
	}
	found := ""
	if len(r.Where) == 1 {
		if a := atomOf(r.Where[0]); a.equality() || a.comparison() {
			found = a.node.Text
		}
	}
	for _, f := range r.Fields {
		column := f.Node.Op == OpColumn && f.Node.Col.Type.Kind == vec.Missing
		if !column && f.Node.Text != found {
			return false
		}
	}
	return true
}
