package logictest

import "github.com/weir-engine/weir/planner"

// firstJoin is the number of the first join: no file has as many streams.
const firstJoin = 1000

// enterJoin puts a rule over several streams into their builders and into the
// join's, which rules that start together share.
func (s *session) enterJoin(r *rule) {
	q := r.query
	j := r.eng.joins[q.Join.Text]
	if j == nil {
		nums := map[string]uint32{}
		for _, name := range q.Streams {
			nums[name] = s.stream(name).num
		}
		j = &stream{num: uint32(firstJoin + s.joins)}
		s.joins++
		r.eng.builders[j] = planner.NewJoinBuilder(q.Join, nums)
		r.eng.joins[q.Join.Text] = j
	}
	r.join = j
	r.eng.builders[j].Add(r.id, q.Root, false)
	for _, name := range q.Streams {
		st := s.stream(name)
		b := r.eng.builders[st]
		if b == nil {
			b = planner.NewBuilder()
			r.eng.builders[st] = b
		}
		b.Add(r.id, q.Feed(name, j.num), false)
	}
}
