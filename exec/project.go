package exec

import (
	"slices"

	"github.com/weir-engine/weir/exec/scalar"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// projection is a SELECT list evaluated over the rows that some rule sends.
type projection struct {
	gen   uint32
	plan  *planner.Projection
	want  vec.Bitmap
	fault vec.Bitmap // rows of want in which something failed
	bad   bool       // fault has a row
	ready bool
	out   vec.Projection
}

// projAt returns the state of projection i for this batch.
func (m *machine) projAt(i int32) *projection {
	if int(i) >= len(m.projs) {
		m.projs = append(m.projs, make([]projection, int(i)+1-len(m.projs))...)
	}
	p := &m.projs[i]
	if p.gen != m.gen {
		p.gen, p.plan, p.ready, p.bad = m.gen, m.prog.Projs[i], false, false
		p.want = p.want.Grow(m.rows)
	}
	return p
}

// evaluate computes the fields of p for p.want.
func (m *machine) evaluate(p *projection) {
	p.ready = true
	p.fault = p.fault.Grow(m.rows)
	out := &p.out
	out.Fields = out.Fields[:0]
	out.Star, out.Clean, out.MetaCol = nil, nil, nil
	out.Gen = m.x.generation()
	out.Except, out.SendNil = p.plan.Except, p.plan.SendNil
	col := func(s planner.StepID) *vec.Column {
		c := m.col(s, p.want)
		p.fault.Or(c.Fault)
		return c
	}
	for i := range p.plan.Fields {
		f := &p.plan.Fields[i]
		out.Fields = append(out.Fields, vec.OutField{Name: f.Name, Key: f.Key, Col: col(f.Step), Plain: f.Plain})
	}
	if s := p.plan.Star; s != planner.NoStep {
		out.Star = col(s)
		if out.Star.Kind == vec.JSON {
			out.Clean = m.batch.Clean
		}
	}
	if s := p.plan.Meta; s != planner.NoStep {
		out.MetaCol = col(s)
	}
	for _, o := range p.plan.Order {
		col(o.Step)
	}
	if s := p.plan.Spread; s != planner.NoStep {
		col(s)
	}
	p.fault.And(p.want)
	p.bad = p.fault.Any()
}

// generation returns the number of another content of a projection.
func (x *Executor) generation() uint64 {
	x.sending.gen++
	return x.sending.gen
}

// deliver evaluates the projections of the pairs and hands them to the output.
// Pairs are in order of rows within each rule.
func (x *Executor) deliver(m *machine) {
	if len(x.sending.losses) > 0 {
		x.inOrder()
		defer x.tellAll()
	}
	for i := range x.sending.pairs {
		p := m.projAt(x.sending.pairs[i].Proj)
		p.want.Set(int(x.sending.pairs[i].row))
		p.ready = false
	}
	for at := 0; at < len(x.sending.pairs); {
		at = x.deliverFrom(m, at)
	}
	x.sending.pairs = x.sending.pairs[:0]
	x.pay(m)
}

// deliverFrom delivers the pairs from position at on and returns how far it came.
func (x *Executor) deliverFrom(m *machine, at int) (next int) {
	defer func() {
		if r := recover(); r != nil {
			x.putAside([]planner.RuleID{x.sending.pairs[at].Rule}, r)
			next = at + 1
		}
	}()
	pairs := x.sending.pairs
	for i := at; i < len(pairs); i++ {
		pr := &pairs[i]
		at = i // the guard needs it; what it captures is in memory, so the loop counts with i
		if x.broken.rules != nil && x.broken.rules[pr.Rule] {
			continue
		}
		if len(x.sending.losses) > 0 {
			x.tellBefore(pr.row)
		}
		p := m.projAt(pr.Proj)
		if !p.ready {
			m.evaluate(p)
		}
		switch {
		case p.bad && p.fault.Has(int(pr.row)):
			x.loseNow(m, pr.Rule, int(pr.row), because{step: m.culprit(p, int(pr.row))})
		case p.plan.Limit == 0:
		case p.plan.Spread != planner.NoStep:
			x.sendSpread(m, p, pr.Rule, pr.row)
		default:
			x.stats.Matched[pr.Rule]++
			if err := x.out.Send(pr.Rule, &p.out, int(pr.row)); err != nil {
				x.unsent(pr.Rule, err)
			}
		}
	}
	return len(pairs)
}

// sendSpread sends the rows that one row is spread to, a message each.
func (x *Executor) sendSpread(m *machine, p *projection, rule planner.RuleID, row int32) {
	if err := x.spread(m, p, []int32{row}); err != nil {
		x.fault(rule, err.Error())
		return
	}
	for _, r := range atMost(x.sending.spreads.rows, p.plan.Limit) {
		x.stats.Matched[rule]++
		if err := x.out.Send(rule, &x.sending.spreads.out, int(r)); err != nil {
			x.unsent(rule, err)
		}
	}
}

// serial runs the rules whose conditions or fields count what they sent before: one
// message after the other, each delivered before the next is looked at. Rows of one of
// events are one message; nil: each row is.
func (x *Executor) serial(m *machine, events []int32) {
	if len(m.prog.Serials) == 0 {
		return
	}
	want := x.bitmap(m.rows)
	defer x.free(want)
	defer x.pay(m)
	for i := range m.prog.Serials {
		s := &m.prog.Serials[i]
		if x.broken.rules[s.Rule] {
			continue
		}
		for from := 0; from < m.rows; {
			to := from + 1
			for events != nil && to < m.rows && events[to] == events[from] {
				to++
			}
			x.serialMessage(m, s, want, from, to)
			from = to
		}
	}
}

// serialMessage has a rule look at the rows of one message.
func (x *Executor) serialMessage(m *machine, s *planner.Serial, want vec.Bitmap, from, to int) {
	clear(want)
	for row := from; row < to; row++ {
		want.Set(row)
	}
	x.hits(s.Rule)
	for _, id := range s.Counting {
		m.col(id, want)
	}
	for row := from; row < to; row++ {
		if x.allHold(m, s, want, row) {
			x.sending.pairs = append(x.sending.pairs, pair{s.Entry, int32(row)})
		}
	}
	sent := x.stats.Matched[s.Rule]
	if to-from == 1 {
		x.deliver(m)
	} else if pairs := x.sending.pairs; len(pairs) > 0 {
		p := m.projAt(s.Proj)
		p.ready = false
		for i := range pairs {
			p.want.Set(int(pairs[i].row))
		}
		x.message(m, s.Rule, s.Proj, pairs)
		x.sending.pairs = pairs[:0]
	}
	if x.stats.Matched[s.Rule] > sent {
		x.stats.hit[s.Rule] = x.now
		if from < len(m.batch.At) && m.live.over {
			x.stats.hit[s.Rule] = m.batch.At[from]
		}
	}
}

// hits tells the functions of a rule's own results what they were.
func (x *Executor) hits(rule planner.RuleID) {
	n, t := int64(x.stats.Matched[rule]), x.stats.hit[rule]
	x.ctx.HitCount, x.ctx.HitTime, x.ctx.AggHits, x.ctx.AggTime = n, t, n, t
}

func (x *Executor) allHold(m *machine, s *planner.Serial, one vec.Bitmap, row int) bool {
	for _, id := range s.Where {
		c := m.col(id, one)
		if c.Fault.Has(row) {
			x.loseNow(m, s.Rule, row, because{step: id})
			return false
		}
		if v := c.Value(row); !v.Truth() {
			if !v.IsNull() && v.Kind != vec.Bool {
				x.loseNow(m, s.Rule, row, because{step: id})
			}
			return false
		}
	}
	return true
}

// deliverWindow hands each rule the rows that it selected as one message.
func (x *Executor) deliverWindow(m *machine, keep func(planner.RuleID) bool) {
	x.inOrder()
	x.tellAll()
	x.pay(m)
	pairs := x.sending.pairs
	slices.SortStableFunc(pairs, func(a, b pair) int { return int(a.Rule) - int(b.Rule) })
	for i := range pairs {
		m.projAt(pairs[i].Proj).want.Set(int(pairs[i].row))
	}
	for i := 0; i < len(pairs); {
		j := i
		for j < len(pairs) && pairs[j].Rule == pairs[i].Rule {
			j++
		}
		if rule := pairs[i].Rule; keep == nil || keep(rule) {
			x.message(m, rule, pairs[i].Proj, pairs[i:j])
		}
		i = j
	}
	x.sending.pairs = x.sending.pairs[:0]
	if cap(x.sending.pairs) > 4*maxPairs {
		x.sending.pairs = nil
	}
}

// message sends the rows of one rule. A fault in one of them loses the message,
// as it does in eKuiper.
func (x *Executor) message(m *machine, rule planner.RuleID, proj int32, pairs []pair) {
	if x.broken.rules != nil && x.broken.rules[rule] {
		return
	}
	defer x.guardRule(rule)
	p := m.projAt(proj)
	rows := x.sending.rows[:0]
	for _, pr := range pairs {
		rows = append(rows, pr.row)
	}
	x.sending.rows = rows
	if len(p.plan.Numbered) > 0 {
		if err := x.number(m, p, rows); err != nil {
			x.fault(rule, err.Error())
			return
		}
	}
	if !p.ready {
		m.evaluate(p)
	}
	for _, r := range rows {
		if p.bad && p.fault.Has(int(r)) {
			x.fault(rule, m.why(m.culprit(p, int(r)), int(r)))
			return
		}
	}
	if len(p.plan.Order) > 0 {
		if err := x.sort(m, p.plan.Order, rows); err != nil {
			x.fault(rule, err.Error())
			return
		}
	}
	if p.plan.Distinct {
		rows = distinct(&p.out, rows)
	}
	if p.plan.Limit == 0 {
		return
	}
	out := &p.out
	if p.plan.Spread != planner.NoStep {
		if err := x.spread(m, p, rows); err != nil {
			x.fault(rule, err.Error())
			return
		}
		out, rows = &x.sending.spreads.out, x.sending.spreads.rows
	}
	rows = atMost(rows[min(int64(len(rows)), p.plan.Offset):], p.plan.Limit)
	x.stats.Matched[rule]++
	x.stats.hit[rule] = x.now
	if len(rows) > 0 && len(m.batch.At) > 0 {
		x.stats.hit[rule] = m.batch.At[0]
	}
	if err := x.out.SendRows(rule, out, rows); err != nil {
		x.unsent(rule, err)
	}
}

// atMost returns the first limit rows; -1 is no limit.
func atMost(rows []int32, limit int64) []int32 {
	if limit >= 0 && int64(len(rows)) > limit {
		return rows[:limit]
	}
	return rows
}

// sort orders rows by the keys; null and missing are last, ascending or not.
func (x *Executor) sort(m *machine, keys []planner.Order, rows []int32) error {
	var bad error
	slices.SortStableFunc(rows, func(a, b int32) int {
		for _, k := range keys {
			v, w := m.value(k.Step, int(a)), m.value(k.Step, int(b))
			switch {
			case v.IsNull() && w.IsNull():
				continue
			case v.IsNull():
				return 1
			case w.IsNull():
				return -1
			}
			c, ok := scalar.Order(planner.OpLt, v, w, x.env.Location)
			if v.Kind == vec.Bool && w.Kind == vec.Bool {
				ok = true
			}
			if !ok {
				bad = scalar.OpError{Op: planner.OpLt, A: v, B: w}
			}
			if c != 0 {
				if k.Desc {
					return -c
				}
				return c
			}
		}
		return 0
	})
	return bad
}
