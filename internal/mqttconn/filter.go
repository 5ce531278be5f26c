package mqttconn

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const maxTopicBytes = 65535

// CheckFilter tells what is wrong with a topic filter, nil if nothing is.
func CheckFilter(f string) error {
	topic, err := unshare(f)
	if err != nil {
		return err
	}
	if err := checkText(f); err != nil {
		return fmt.Errorf("topic filter %q: %w", f, err)
	}
	for l := first(topic); ; l = l.next() {
		switch {
		case l.name == "#" && l.more:
			return fmt.Errorf("topic filter %q: # must be the last level", f)
		case l.name != "#" && l.name != "+" && strings.ContainsAny(l.name, "+#"):
			return fmt.Errorf("topic filter %q: a wildcard must be a level of its own, found %q", f, l.name)
		case !l.more:
			return nil
		}
	}
}

// CheckTopic tells what is wrong with a topic to publish to, nil if nothing is.
func CheckTopic(t string) error {
	if err := checkText(t); err != nil {
		return fmt.Errorf("topic %q: %w", t, err)
	}
	if strings.ContainsAny(t, "+#") {
		return fmt.Errorf("topic %q: must not hold a wildcard", t)
	}
	return nil
}

func checkText(s string) error {
	switch {
	case s == "":
		return errors.New("must not be empty")
	case len(s) > maxTopicBytes:
		return fmt.Errorf("must not be longer than %d bytes, has %d", maxTopicBytes, len(s))
	case !utf8.ValidString(s):
		return errors.New("must be valid UTF-8")
	case strings.IndexByte(s, 0) >= 0:
		return errors.New("must not hold the character NUL")
	}
	return nil
}

// unshare strips what makes a filter a shared subscription ($share/group/, and
// $queue/ of EMQX): the rest is what its messages' topics match.
func unshare(f string) (string, error) {
	if rest, ok := strings.CutPrefix(f, "$queue/"); ok {
		if rest == "" {
			return "", fmt.Errorf("topic filter %q: no topic behind $queue/", f)
		}
		return rest, nil
	}
	rest, ok := strings.CutPrefix(f, "$share/")
	if !ok {
		return f, nil
	}
	group, topic, _ := strings.Cut(rest, "/")
	if group == "" || topic == "" || strings.ContainsAny(group, "+#") {
		return "", fmt.Errorf("topic filter %q: want $share/group/topic", f)
	}
	return topic, nil
}

func wild(f string) bool { return strings.ContainsAny(f, "+#") }

// level is one level of a topic or filter and what follows it.
type level struct {
	name, rest string
	more       bool
}

func first(s string) level {
	name, rest, more := strings.Cut(s, "/")
	return level{name, rest, more}
}

func (l level) next() level { return first(l.rest) }

// hidden tells whether a filter that begins with a wildcard meets a topic or
// filter that begins with $: those it never matches.
func hidden(a, b string) bool {
	return a != "" && (a[0] == '+' || a[0] == '#') && b != "" && b[0] == '$'
}

// covers tells whether every topic that matches b matches a. A topic is a filter
// without wildcards, so this is also how a topic is matched.
func covers(a, b string) bool {
	if hidden(a, b) {
		return false
	}
	la, lb := first(a), first(b)
	for {
		switch {
		case la.name == "#":
			return true
		case lb.name == "#" || la.name != "+" && la.name != lb.name:
			return false
		case !la.more && !lb.more:
			return true
		case !la.more:
			return false
		case !lb.more:
			return la.rest == "#" // a/# matches a itself
		}
		la, lb = la.next(), lb.next()
	}
}

// join returns the narrowest filter that covers both a and b, which overlap.
func join(a, b string) string {
	var out strings.Builder
	la, lb := first(a), first(b)
	for {
		switch {
		case la.name == "#" || lb.name == "#":
			out.WriteByte('#')
			return out.String()
		case la.name == lb.name:
			out.WriteString(la.name)
		default:
			out.WriteByte('+')
		}
		if la.more != lb.more {
			out.WriteString("/#")
		}
		if !la.more || !lb.more {
			return out.String()
		}
		out.WriteByte('/')
		la, lb = la.next(), lb.next()
	}
}
