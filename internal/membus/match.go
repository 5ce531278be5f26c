package membus

import (
	"errors"
	"fmt"
	"strings"
)

// Match tells whether topic matches filter by MQTT's rules: + stands for one
// level, # at the end for any number of levels, none included, and neither
// stands for a first level that begins with $.
func Match(filter, topic string) bool {
	if strings.HasPrefix(topic, "$") && !strings.HasPrefix(filter, "$") {
		return false
	}
	for {
		f, frest, fmore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, trest, tmore := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		switch {
		case !fmore && !tmore:
			return true
		case !fmore:
			return false
		case !tmore:
			return frest == "#"
		}
		filter, topic = frest, trest
	}
}

// CheckFilter tells whether filter can be subscribed to.
func CheckFilter(filter string) error {
	if filter == "" {
		return errors.New("memory topic: must not be empty")
	}
	levels := strings.Split(filter, "/")
	for i, l := range levels {
		switch {
		case l == "#" && i < len(levels)-1:
			return fmt.Errorf("memory topic %q: # must be the last level", filter)
		case l != "#" && l != "+" && strings.ContainsAny(l, "+#"):
			return fmt.Errorf("memory topic %q: a wildcard must be a level of its own, found %q", filter, l)
		}
	}
	return nil
}
