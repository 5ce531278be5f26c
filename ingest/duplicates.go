package ingest

import "slices"

// look walks a value that nobody wants, looking for duplicate keys; n remembers
// the keys.
func (d *Object) look(n **node, i, depth int) int {
	if i >= len(d.s.src) || d.s.src[i] != '{' && d.s.src[i] != '[' {
		return d.s.skip(i, depth)
	}
	if *n == nil {
		if d.learnt >= learnedKeys {
			d.unsure = true
			return d.s.skip(i, depth)
		}
		d.learnt++
		*n = newNode()
	}
	return d.value(*n, i, depth)
}

// array walks the array at i, looking for duplicate keys in its elements.
func (d *Object) array(n *node, i, depth int) int {
	s := &d.s
	if depth >= maxDepth {
		return s.fail(i, "nesting too deep")
	}
	if i = s.blank(i + 1); i < len(s.src) && s.src[i] == ']' {
		return i + 1
	}
	for {
		if i = d.look(&n.elem, i, depth+1); i < 0 {
			return i
		}
		i = s.blank(i)
		switch {
		case i >= len(s.src):
			return s.fail(i, "end of message in array")
		case s.src[i] == ']':
			return i + 1
		case s.src[i] != ',':
			return s.fail(i, `want "," or "]"`)
		}
		i = s.blank(i + 1)
	}
}

// duplicates tells whether some object in text, which is valid JSON, has a key
// twice. It is for rows whose keys are too many to remember.
func duplicates(text []byte) bool {
	s := scan{src: text}
	type level struct {
		object bool
		keys   map[string]bool
	}
	var stack []level
	for i := 0; i < len(text); {
		switch c := text[i]; c {
		case '{':
			stack = append(stack, level{true, map[string]bool{}})
		case '[':
			stack = append(stack, level{})
		case '}', ']':
			stack = stack[:len(stack)-1]
		case '"':
			end := s.str(i + 1)
			top := stack[len(stack)-1]
			if top.object && slices.Contains([]byte{'{', ','}, text[i-1]) {
				key := string(unquote(nil, text[i+1:end]))
				if top.keys[key] {
					return true
				}
				top.keys[key] = true
			}
			i = end
		}
		i++
	}
	return false
}
