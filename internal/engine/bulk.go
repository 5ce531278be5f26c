package engine

import (
	"iter"
	"slices"

	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/ruledef"
)

// bulk creates many rules with one commit, which start in one epoch. The bound
// form of a rule is large: a rule is put into its stream's builder as soon as it
// was checked, and what remains until the commit is its actions. The executor does
// not pull the builders meanwhile.
type bulk struct {
	e     *Engine
	errs  []error
	items []store.Item
	rules []reserved
	held  []*stream
	ready bool // all are checked and stored
}

// reserved is a rule of a bulk that was checked.
type reserved struct {
	r     *rule
	c     *compiled // nil: it is not to run
	index int       // in bulk.errs
}

// CreateRules adds rules with one commit. Element i of what it returns is about
// element i of defs, which is not kept.
func (e *Engine) CreateRules(defs iter.Seq[*ruledef.Def]) []error {
	defer e.defLocks.lockAll()() // what a rule was checked against stands until it runs
	defer e.ruleLocks.lockAll()()
	b := &bulk{e: e}
	defer b.end()
	for d := range defs {
		b.errs = append(b.errs, nil)
		if d != nil {
			b.add(d)
		}
	}
	if len(b.items) > 0 {
		if err := e.catalog.PutAll(b.items); err != nil {
			b.fail(err)
		}
	}
	for _, w := range b.rules {
		if w.c != nil {
			e.open(w.c)
		}
	}
	b.install()
	return b.errs
}

// add checks a rule and takes its id.
func (b *bulk) add(d *ruledef.Def) {
	i := len(b.errs) - 1
	r, c, err := b.e.reserve(d)
	if err != nil {
		b.errs[i] = err
		return
	}
	if !d.Temp {
		b.items = append(b.items, store.Item{Kind: kindRule, ID: r.id, Data: d.Raw})
	}
	if d.Triggered {
		b.stage(r, c)
	} else {
		c = nil
	}
	b.rules = append(b.rules, reserved{r, c, i})
}

// stage puts the statement of a rule into the builder of its stream and lets go
// of it. Rules that need more than a builder are left as they are.
func (b *bulk) stage(r *rule, c *compiled) {
	if len(c.parts) != 1 || len(c.inline) > 0 || c.sched != nil || c.parts[0].query.Join != nil {
		return
	}
	e, p := b.e, &c.parts[0]
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.mu.streams[p.query.Streams[0]]
	if !s.held {
		s.held = true
		b.held = append(b.held, s)
	}
	if s.builder == nil {
		s.builder = planner.NewBuilder()
	}
	s.builder.Add(r.num, p.query.Root, p.count)
	p.staged = true
	p.query = &planner.Query{Streams: p.query.Streams}
	c.def, c.flow = nil, nil
}

// undoLocked takes back what add did.
func (e *Engine) undoLocked(w reserved) {
	e.mu.AssertHeld()
	if w.c != nil {
		e.unstageLocked(w.r, w.c)
	}
	e.removeLocked(w.r)
}

// unstageLocked takes what stage added out again.
func (e *Engine) unstageLocked(r *rule, c *compiled) {
	e.mu.AssertHeld()
	for i := range c.parts {
		if !c.parts[i].staged {
			continue
		}
		if s := e.mu.streams[c.parts[i].query.Streams[0]]; s != nil && s.builder != nil {
			s.builder.Remove(r.num)
			e.touchLocked(s)
			e.leaveLocked(s)
		}
	}
}

// fail forgets the rules that could not be stored.
func (b *bulk) fail(err error) {
	e := b.e
	e.mu.Lock()
	defer e.mu.Unlock()
	b.rules = slices.DeleteFunc(b.rules, func(w reserved) bool {
		if w.r.temp {
			return false
		}
		e.undoLocked(w)
		b.errs[w.index] = ruledef.Errorf(ruledef.CodeIO, "store rule %s: %w", w.r.id, err)
		return true
	})
}

// install starts the rules.
func (b *bulk) install() {
	b.e.mu.Lock()
	defer b.e.mu.Unlock()
	b.ready = true
	for _, w := range b.rules {
		if w.c == nil {
			w.r.message = stopped
			continue
		}
		err := b.e.installLocked(w.r, w.c)
		if err != nil {
			b.e.unstageLocked(w.r, w.c)
		}
		b.e.noteLocked(w.r, err)
	}
	b.releaseLocked()
	if len(b.rules) >= manyRules && !b.e.mu.closing {
		b.e.wg.Go(b.e.tidy) // and again when it is quiet
	}
}

// manyRules is how many rules in one bulk leave so much garbage that memory is
// given back at once.
const manyRules = 1000

// end lets the executor pull again, whatever happened: after a panic, such as of
// defs, there are no rules.
func (b *bulk) end() {
	b.e.mu.Lock()
	defer b.e.mu.Unlock()
	if !b.ready {
		for _, w := range b.rules {
			b.e.undoLocked(w)
		}
	}
	b.releaseLocked()
}

// releaseLocked lets the executor pull what was held back.
func (b *bulk) releaseLocked() {
	for _, s := range b.held {
		s.held = false
		b.e.exec.Mark()
	}
	b.held = nil
}
