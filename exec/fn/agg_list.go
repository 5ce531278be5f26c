package fn

import (
	"maps"
	"slices"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

func listFuncs() []*Func {
	dedup := aggregate("deduplicate(x, all)", "With all, an array of the rows whose x is new; without, the last row if its x is new, else null.",
		"deduplicate(a, true)", func() AggState { return new(dedupState) }).checked(mustBe(1, vec.Bool, "bool", nil))
	dedup.NeedsRow = true
	return []*Func{
		aggregate("collect(x | *)", "An array of all values, nulls too, or of all rows.", "collect(a)", func() AggState { return new(collectState) }).star(),
		dedup,
		aggregate("last_value(x | *, ignore_null)", "The last value, or the last that is not null, or the last row.", "last_value(a, true)",
			func() AggState { return new(lastState) }).star().checked(mustBe(1, vec.Bool, "bool", nil)).parts(),
		aggregate("merge_agg(x | *)", "One object of the members of all objects, of which a later one wins; null without members.", "merge_agg(*)",
			func() AggState { return new(mergeState) }).star(),
	}
}

// collectState is collect.
type collectState struct {
	list []any
}

func (s *collectState) Add(args []vec.Value) { s.list = append(s.list, own(args[0])) }

func (s *collectState) Merge(other AggState) { s.list = append(s.list, other.(*collectState).list...) }

func (s *collectState) Result(*Ctx) (vec.Value, error) {
	if s.list == nil {
		return null()
	}
	// Clipped: what is appended later must not show in the result's memory.
	return tree(slices.Clip(s.list))
}

func (s *collectState) Reset() { s.list = nil }

// lastState is last_value.
type lastState struct {
	any        bool // there was a row
	ignoreNull bool
	last       vec.Value // of the last row
	value      vec.Value // of the last row with a value
}

func (s *lastState) Add(args []vec.Value) {
	s.any, s.ignoreNull = true, args[1].Truth()
	s.last = args[0].Clone()
	if !s.last.IsNull() {
		s.value = s.last
	}
}

func (s *lastState) Merge(other AggState) {
	o := other.(*lastState)
	if !o.any {
		return
	}
	s.any, s.last, s.ignoreNull = true, o.last, o.ignoreNull
	if !o.value.IsNull() {
		s.value = o.value
	}
}

func (s *lastState) Result(*Ctx) (vec.Value, error) {
	if s.ignoreNull && !s.value.IsNull() {
		return s.value, nil
	}
	if s.last.IsNull() {
		return null()
	}
	return s.last, nil
}

func (s *lastState) Reset() { *s = lastState{} }

// mergeState is merge_agg.
type mergeState struct {
	members map[string]any
}

func (s *mergeState) Add(args []vec.Value) {
	m, err := object(args[0])
	if err != nil {
		return // what is no object has no members
	}
	s.merge(m)
}

func (s *mergeState) merge(m map[string]any) {
	if s.members == nil {
		s.members = make(map[string]any, len(m))
	}
	maps.Copy(s.members, m)
}

func (s *mergeState) Merge(other AggState) { s.merge(other.(*mergeState).members) }

func (s *mergeState) Result(*Ctx) (vec.Value, error) {
	if len(s.members) == 0 {
		return null()
	}
	return tree(maps.Clone(s.members))
}

func (s *mergeState) Reset() { s.members = nil }

// dedupState is deduplicate. Values are told apart by their texts.
type dedupState struct {
	all  bool
	seen map[string]struct{}
	keys []string // of rows
	rows []any    // the rows whose key was new
	isIn bool     // the last row was one of them
}

func (s *dedupState) Add(args []vec.Value) {
	s.all = args[1].Truth()
	key := string(appendAny(nil, own(args[0])))
	s.add(key, func() any { return own(args[2]) })
}

func (s *dedupState) add(key string, row func() any) {
	_, old := s.seen[key]
	s.isIn = !old
	if old {
		return
	}
	if s.seen == nil {
		s.seen = make(map[string]struct{})
	}
	s.seen[key] = struct{}{}
	s.keys, s.rows = append(s.keys, key), append(s.rows, row())
}

func (s *dedupState) Merge(other AggState) {
	o := other.(*dedupState)
	if len(o.rows) == 0 {
		return
	}
	s.all = o.all
	for i, key := range o.keys {
		s.add(key, func() any { return o.rows[i] })
	}
	s.isIn = s.isIn && o.isIn
}

func (s *dedupState) Result(*Ctx) (vec.Value, error) {
	switch {
	case len(s.rows) == 0:
		return null()
	case s.all:
		return tree(slices.Clip(s.rows))
	case s.isIn:
		return rawjson.FromAny(s.rows[len(s.rows)-1]), nil
	}
	return null()
}

func (s *dedupState) Reset() { *s = dedupState{} }
