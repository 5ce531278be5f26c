package exec

import (
	"slices"

	"github.com/weir-engine/weir/planner"
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
