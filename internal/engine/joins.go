package engine

import "github.com/weir-engine/weir/planner"

// A join is a stream without a name, whose rows come from the programs of the
// streams that it joins. Rules that start together share it; a rule that comes
// later must not see the rows from before, and has one of its own.

// enterJoinLocked adds a rule to the join of its streams and has them feed it.
func (e *Engine) enterJoinLocked(r *rule, q *planner.Query, streams []*stream) {
	e.mu.AssertHeld()
	j := e.mu.joins[q.Join.Text]
	if j == nil {
		nums := map[string]uint32{}
		for _, s := range streams {
			nums[s.name] = s.num
		}
		j = &stream{num: e.streamNumLocked(), builder: planner.NewJoinBuilder(q.Join, nums)}
		e.mu.joins[q.Join.Text] = j
	}
	r.join = j
	j.builder.Add(r.num, q.Root, false)
	e.touchLocked(j)
	for _, s := range streams {
		e.enterRuleLocked(s, r, q.Feed(s.name, j.num), false)
	}
}

// leaveJoinLocked takes a rule from its join; the last one ends it.
func (e *Engine) leaveJoinLocked(r *rule) {
	e.mu.AssertHeld()
	j := r.join
	if j == nil {
		return
	}
	r.join = nil
	j.builder.Remove(r.num)
	e.touchLocked(j)
	if j.builder.Len() > 0 {
		return
	}
	j.builder = nil
	for text, o := range e.mu.joins {
		if o == j {
			delete(e.mu.joins, text)
		}
	}
	e.mu.numbers.freeStream(j.num, nil)
}
