package mqttconn

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestCheckFilter(t *testing.T) {
	for _, f := range []string{"a", "a/b", "/", "#", "+", "+/#", "a/+/b/#", "$SYS/#", "$share/g/a/+", "$queue/a", "a//b"} {
		if err := CheckFilter(f); err != nil {
			t.Errorf("%q: %v", f, err)
		}
	}
	for _, f := range []string{"", "a/#/b", "a#", "a/b+", "+a", "$share/g", "$share//a", "$share/+/a", "$share/g/", "$queue/", "a\x00", "\xff", strings.Repeat("a", 65536)} {
		if CheckFilter(f) == nil {
			t.Errorf("%q is taken", f[:min(len(f), 20)])
		}
	}
	for _, s := range []string{"", "a/+", "#", "a\x00", "\xff"} {
		if CheckTopic(s) == nil {
			t.Errorf("topic %q is taken", s)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a/b", "a", false},
		{"#", "a/b", true},
		{"#", "$SYS/x", false},
		{"+/x", "$SYS/x", false},
		{"$SYS/#", "$SYS/x", true},
		{"$hw/+/+", "$hw/a/b", true},
		{"a/#", "a", true},
		{"a/#", "a/b/c", true},
		{"a/#", "ab", false},
		{"+", "a", true},
		{"+", "/a", false},
		{"+/+", "/a", true},
		{"/+", "/a", true},
		{"a/+", "a/", true},
		{"a/+", "a", false},
		{"a/+", "a/+", true},
		{"a/+", "a/#", false},
		{"a/#", "a/+", true},
		{"+/#", "a", true},
		{"a/+/#", "a", false},
	} {
		if got := covers(c.a, c.b); got != c.want {
			t.Errorf("covers(%q, %q): got %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

var levels = []string{"a", "b", "", "$x"}

func randomTopic(r *rand.Rand) string {
	var l []string
	for range 1 + r.IntN(4) {
		l = append(l, levels[r.IntN(len(levels))])
	}
	if s := strings.Join(l, "/"); s != "" {
		return s
	}
	return "a"
}

func randomFilter(r *rand.Rand) string {
	l := strings.Split(randomTopic(r), "/")
	for i := range l {
		if r.IntN(3) == 0 {
			l[i] = "+"
		}
	}
	if r.IntN(3) == 0 {
		l[len(l)-1] = "#"
	}
	return strings.Join(l, "/")
}

// slowMatch matches by the rules of MQTT 4.7, level by level.
func slowMatch(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && (filter[0] == '+' || filter[0] == '#') {
		return false
	}
	f, l := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, x := range f {
		if x == "#" {
			return true
		}
		if i >= len(l) || x != "+" && x != l[i] {
			return false
		}
		if i == len(l)-1 && i == len(f)-2 && f[i+1] == "#" {
			return true
		}
	}
	return len(f) == len(l)
}

func TestFilterAlgebra(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	topics := make([]string, 400)
	for i := range topics {
		topics[i] = randomTopic(r)
	}
	for range 4000 {
		a, b := randomFilter(r), randomFilter(r)
		both, outside := false, false
		for _, s := range topics {
			ma, mb := slowMatch(a, s), slowMatch(b, s)
			if covers(a, s) != ma {
				t.Fatalf("covers(%q, %q): got %v, want %v", a, s, !ma, ma)
			}
			both = both || ma && mb
			outside = outside || mb && !ma
		}
		if both && !overlaps(a, b) {
			t.Fatalf("%q and %q overlap", a, b)
		}
		if outside && covers(a, b) {
			t.Fatalf("%q does not cover %q", a, b)
		}
		if overlaps(a, b) != overlaps(b, a) {
			t.Fatalf("overlaps(%q, %q) is not symmetric", a, b)
		}
		if covers(a, b) && !overlaps(a, b) {
			t.Fatalf("%q covers %q but does not overlap it", a, b)
		}
		if overlaps(a, b) {
			if j := join(a, b); !covers(j, a) || !covers(j, b) || CheckFilter(j) != nil {
				t.Fatalf("join(%q, %q): got %q", a, b, j)
			}
		}
	}
}

func TestTrie(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var root node
	var list []*filter
	find := func(walk func(func(*filter))) []string {
		var out []string
		walk(func(f *filter) { out = append(out, f.name) })
		slices.Sort(out)
		return slices.Compact(out)
	}
	for range 4000 {
		if len(list) < 30 && r.IntN(2) == 0 {
			s := randomFilter(r)
			f := &filter{name: s, match: s}
			list = append(list, f)
			root.insert(f)
		} else if len(list) > 0 {
			i := r.IntN(len(list))
			root.remove(list[i])
			list = slices.Delete(list, i, i+1)
		}
		q := randomFilter(r)
		if r.IntN(2) == 0 {
			q = randomTopic(r)
		}
		var cov, over []string
		for _, f := range list {
			if covers(f.match, q) {
				cov = append(cov, f.name)
			}
			if overlaps(f.match, q) {
				over = append(over, f.name)
			}
		}
		slices.Sort(cov)
		slices.Sort(over)
		if got := find(func(do func(*filter)) { root.coverers(q, do) }); !slices.Equal(got, slices.Compact(cov)) {
			t.Fatalf("coverers of %q: got %q, want %q", q, got, cov)
		}
		if got := find(func(do func(*filter)) { root.overlapping(q, do) }); !slices.Equal(got, slices.Compact(over)) {
			t.Fatalf("overlapping %q: got %q, want %q", q, got, over)
		}
	}
	for len(list) > 0 {
		root.remove(list[0])
		list = list[1:]
	}
	if len(root.lit) > 0 || root.plus != nil || len(root.hash) > 0 {
		t.Error("the tree keeps levels that nobody needs")
	}
}

// TestCover adds and removes subscriptions at random and holds what the broker
// would be asked for against what has to be so.
func TestCover(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 60 {
		tab := newTable()
		broker := make(map[string]bool)
		live := make(map[SubID][]string)
		for range 120 {
			id := SubID(r.IntN(12))
			if r.IntN(3) == 0 {
				tab.remove(id)
				delete(live, id)
			} else {
				fs := []string{randomFilter(r)}
				if r.IntN(3) == 0 {
					fs = append(fs, randomTopic(r))
				}
				if r.IntN(8) == 0 {
					fs[0] = "$share/g/" + fs[0]
				}
				tab.add(id, fs, byte(r.IntN(3)))
				live[id] = fs
			}
			if r.IntN(3) == 0 {
				settle(tab, broker)
				checkCover(t, tab, broker, live)
			}
		}
		for id := range live {
			tab.remove(id)
		}
		settle(tab, broker)
		if n := len(tab.exact) + len(tab.wild); n > 0 || len(broker) > 0 {
			t.Fatalf("left behind: %d filters, %d at the broker", n, len(broker))
		}
	}
}

// settle does what the broker is asked for until it is asked no more.
func settle(tab *table, broker map[string]bool) {
	for {
		on, off := tab.take()
		if len(on)+len(off) == 0 {
			return
		}
		for _, f := range on {
			broker[f.name] = true
			f.sent, f.acked = false, true
		}
		for _, f := range off {
			delete(broker, f.name)
		}
	}
}

func checkCover(t *testing.T, tab *table, broker map[string]bool, live map[SubID][]string) {
	t.Helper()
	for id, fs := range live {
		for _, f := range fs {
			w := tab.covering(tab.find(f))
			if w == nil || !broker[w.name] {
				t.Fatalf("filter %q of %d is not at the broker: %v", f, id, broker)
			}
			if w.sentQoS < tab.subs[id].qos {
				t.Fatalf("filter %q: got QoS %d, want %d", f, w.sentQoS, tab.subs[id].qos)
			}
		}
	}
	for a := range broker {
		for b := range broker {
			if a != b && !shared(a) && !shared(b) && overlaps(a, b) {
				t.Fatalf("the broker has %q and %q, which overlap", a, b)
			}
		}
	}
}

// overlaps tells whether some topic matches both a and b.
func overlaps(a, b string) bool {
	if hidden(a, b) || hidden(b, a) {
		return false
	}
	la, lb := first(a), first(b)
	for {
		switch {
		case la.name == "#" || lb.name == "#":
			return true
		case la.name != lb.name && la.name != "+" && lb.name != "+":
			return false
		case !la.more && !lb.more:
			return true
		case !la.more:
			return lb.rest == "#"
		case !lb.more:
			return la.rest == "#"
		}
		la, lb = la.next(), lb.next()
	}
}

// shared tells whether f is a shared subscription.
func shared(f string) bool {
	return strings.HasPrefix(f, "$share/") || strings.HasPrefix(f, "$queue/")
}
