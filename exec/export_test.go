package exec

import (
	"slices"

	"github.com/weir-engine/weir/exec/agg"
	"github.com/weir-engine/weir/exec/fn"
	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/vec"
)

// Mine puts a charge into the window of a rule over a stream: what it does next panics, once it
// takes rows, or time, or another definition, as where says.
func (x *Executor) Mine(stream uint32, rule planner.RuleID, where string) {
	for _, w := range x.streams[stream].windows {
		if slices.ContainsFunc(w.def.Members, func(j planner.Member) bool { return j.Rule == rule }) {
			w.kind = &mined{w.kind, where}
		}
	}
}

// MineAggregate has the aggregate called name of a shared ring panic in a method.
func (x *Executor) MineAggregate(stream uint32, name, where string) {
	for _, w := range x.streams[stream].windows {
		v, ok := w.kind.(*view)
		if !ok {
			continue
		}
		mine := func(def *planner.Window, p *pane) {
			for i, a := range def.Aggs {
				if a.Func == name && i < len(p.aggs) && p.aggs[i] != nil {
					p.aggs[i] = &minedAggregate{p.aggs[i], where}
				}
			}
		}
		if where == "add" {
			mine(v.ring.def, v.ring.base)
		}
		for _, p := range v.panes {
			mine(w.def, p)
		}
	}
}

// Coming returns how many definitions wait to become those of orders of event time.
func (x *Executor) Coming(stream uint32) (n int) {
	for _, o := range x.streams[stream].orders {
		n += len(o.coming)
	}
	return n
}

// minedAggregate is an aggregate that panics in one of its methods.
type minedAggregate struct {
	agg.State
	where string
}

func (a *minedAggregate) Add(in agg.Input, rows, gids []int32) {
	if a.where == "add" {
		panic("bang")
	}
	a.State.Add(in, rows, gids)
}

func (a *minedAggregate) Merge(src agg.State, gids []int32) {
	if a.where == "merge" {
		panic("bang")
	}
	if m, ok := src.(*minedAggregate); ok {
		src = m.State
	}
	a.State.Merge(src, gids)
}

func (a *minedAggregate) Result(c *fn.Ctx, dst *vec.Column, row int, gid int32) string {
	if a.where == "result" {
		panic("bang")
	}
	return a.State.Result(c, dst, row, gid)
}

// mined is a driver that panics in one of its methods.
type mined struct {
	driver
	where string
}

func (d *mined) feed(m *machine, rows []int32) {
	if d.where == "feed" {
		panic("bang")
	}
	d.driver.feed(m, rows)
}

func (d *mined) advance(now int64) {
	if d.where == "advance" {
		panic("bang")
	}
	d.driver.advance(now)
}

func (d *mined) adopt(old *planner.Window) {
	if d.where == "adopt" {
		panic("bang")
	}
	d.driver.adopt(old)
}
