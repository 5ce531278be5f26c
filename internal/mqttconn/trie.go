package mqttconn

// node is a level of the tree of filters that hold wildcards or are shared.
// Filters without wildcards are found by their text and need no tree.
type node struct {
	lit  map[string]*node
	plus *node
	here []*filter // filters that end at this level
	hash []*filter // filters that go on with # from here
}

func (n *node) insert(f *filter) {
	for l := first(f.match); ; l = l.next() {
		if l.name == "#" {
			n.hash = append(n.hash, f)
			return
		}
		n = n.child(l.name)
		if !l.more {
			n.here = append(n.here, f)
			return
		}
	}
}

func (n *node) child(name string) *node {
	if name == "+" {
		if n.plus == nil {
			n.plus = new(node)
		}
		return n.plus
	}
	c := n.lit[name]
	if c == nil {
		if n.lit == nil {
			n.lit = make(map[string]*node)
		}
		c = new(node)
		n.lit[name] = c
	}
	return c
}

// remove takes f out and lets go of levels that nobody needs any more.
func (n *node) remove(f *filter) { n.removeAt(f, first(f.match)) }

func (n *node) removeAt(f *filter, l level) {
	if l.name == "#" {
		n.hash = without(n.hash, f)
		return
	}
	c := n.plus
	if l.name != "+" {
		c = n.lit[l.name]
	}
	if c == nil {
		return
	}
	if l.more {
		c.removeAt(f, l.next())
	} else {
		c.here = without(c.here, f)
	}
	if len(c.lit) > 0 || c.plus != nil || len(c.here) > 0 || len(c.hash) > 0 {
		return
	}
	if l.name == "+" {
		n.plus = nil
	} else {
		delete(n.lit, l.name)
	}
}

func without[T comparable](list []T, x T) []T {
	for i, y := range list {
		if y == x {
			last := len(list) - 1
			list[i] = list[last]
			var zero T
			list[last] = zero
			return list[:last]
		}
	}
	return list
}

// coverers calls f for every filter in the tree that covers b, which is a topic
// or another filter.
func (n *node) coverers(b string, f func(*filter)) {
	n.coverersAt(first(b), b != "" && b[0] == '$', f)
}

func (n *node) coverersAt(l level, dollar bool, f func(*filter)) {
	if !dollar {
		for _, x := range n.hash {
			f(x)
		}
	}
	if l.name == "#" {
		return
	}
	if !dollar && n.plus != nil {
		n.plus.coverersBelow(l, f)
	}
	if l.name != "+" {
		if c := n.lit[l.name]; c != nil {
			c.coverersBelow(l, f)
		}
	}
}

func (n *node) coverersBelow(l level, f func(*filter)) {
	if l.more {
		n.coverersAt(l.next(), false, f)
		return
	}
	for _, x := range n.here {
		f(x)
	}
	for _, x := range n.hash {
		f(x)
	}
}

// overlapping calls f for every filter in the tree that overlaps b. A filter may
// be given twice.
func (n *node) overlapping(b string, f func(*filter)) {
	n.overlappingAt(first(b), b, true, f)
}

func (n *node) overlappingAt(l level, b string, root bool, f func(*filter)) {
	if !(root && b != "" && b[0] == '$') {
		for _, x := range n.hash {
			f(x)
		}
		if n.plus != nil {
			n.plus.overlappingBelow(l, f)
		}
	}
	switch l.name {
	case "+", "#":
		for name, c := range n.lit {
			if !(root && name != "" && name[0] == '$') {
				c.overlappingBelow(l, f)
			}
		}
	default:
		if c := n.lit[l.name]; c != nil {
			c.overlappingBelow(l, f)
		}
	}
}

func (n *node) overlappingBelow(l level, f func(*filter)) {
	switch {
	case l.name == "#":
		n.all(f)
	case l.more:
		n.overlappingAt(l.next(), "", false, f)
		if l.rest == "#" {
			for _, x := range n.here {
				f(x)
			}
		}
	default:
		for _, x := range n.here {
			f(x)
		}
		for _, x := range n.hash {
			f(x)
		}
	}
}

func (n *node) all(f func(*filter)) {
	for _, x := range n.here {
		f(x)
	}
	for _, x := range n.hash {
		f(x)
	}
	if n.plus != nil {
		n.plus.all(f)
	}
	for _, c := range n.lit {
		c.all(f)
	}
}
