package engine

import "testing"

// The text of a fault goes to the sinks that have one place, and not to one whose
// topic is a template: the template is no topic.
func TestFaultWithoutPlace(t *testing.T) {
	r := newRig(t, Options{})
	r.memoryStream("s", "in")
	def := r.def("p", "SELECT 10 / a AS q FROM s", toMemory("plain"), toMemory("by/{{.q}}"))
	def.Options.SendError = true
	plain, chosen := r.listen("plain"), r.listen("by/+")
	r.must(r.CreateRule(def))
	r.publish("in", `{"a":0}`, `{"a":5}`)
	if got := plain.next(2); got[0] == `{"q":2}` || got[1] != `{"q":2}` {
		t.Errorf("one place: got %q, want the fault's text and the row", got)
	}
	chosen.want(`{"q":2}`)
}
