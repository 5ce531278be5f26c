package props

import "testing"

// A part of what is set lacks what is required, also within an object, and must be
// right all the same.
func TestPartial(t *testing.T) {
	var addr, user string
	table := Table{
		Text(&addr, "addr", "where").Required(),
		Group("login", "who", Table{Text(&user, "user", "the name").Required()}),
	}
	given := map[string]any{"login": map[string]any{}}
	if err := table.Read(given).Err(); err == nil {
		t.Error("whole: got no fault")
	}
	if err := table.Partial().Read(given).Err(); err != nil {
		t.Errorf("part: got %v", err)
	}
	if err := table.Partial().Read(map[string]any{"addr": 5.0}).Err(); err == nil {
		t.Error("part with a number for a text: got no fault")
	}
	if err := table.Read(given).Err(); err == nil {
		t.Error("whole, after a part was read: got no fault")
	}
}

func TestHint(t *testing.T) {
	known := []string{"file", "memory", "mqtt"}
	for name, want := range map[string]string{"mqt": "; did you mean mqtt?", "MEMRY": "; did you mean memory?", "opcua": "", "": ""} {
		if got := Hint(name, known); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
