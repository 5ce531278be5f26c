package logictest

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/cockroachdb/datadriven"
)

// args are the arguments of a command: words and numbers by key, and one name.
type args struct {
	name  string
	flags map[string]bool
	texts map[string]string
}

// words and keys are what the commands take beside a name.
var (
	words = map[string][]string{
		"schema": {"strict", "int64", "table"}, "rule": {"event", "sendnil", "meta", "count", "faults"}, "stats": {"text"},
	}
	keys = map[string][]string{
		"schema": {"timestamp", "timeformat", "retain", "key"}, "rule": {"late", "drift"}, "push": {"at", "topic", "kind"}, "advance": {"to"}, "jump": {"to"},
	}
	named = map[string]bool{"schema": true, "rule": true, "drop": true, "push": true, "restart": true}
)

func argsOf(d *datadriven.TestData) (args, error) {
	a := args{flags: map[string]bool{}, texts: map[string]string{}}
	for i, x := range d.CmdArgs {
		switch {
		case i == 0 && d.Cmd == "rule" && len(x.Vals) == 0:
			a.name = x.Key // a word, too
		case len(x.Vals) == 1 && slices.Contains(keys[d.Cmd], x.Key):
			a.texts[x.Key] = x.Vals[0]
		case len(x.Vals) == 0 && slices.Contains(words[d.Cmd], x.Key):
			a.flags[x.Key] = true
		case len(x.Vals) == 0 && named[d.Cmd] && a.name == "":
			a.name = x.Key
		default:
			return a, fmt.Errorf("unknown argument %q", x)
		}
	}
	if (d.Cmd == "rule" || d.Cmd == "drop") && a.name == "" {
		return a, fmt.Errorf("want the name of a rule")
	}
	return a, nil
}

// ms returns a number of milliseconds; other if it was not given.
func (a args) ms(key string, other int64) (int64, error) {
	text, ok := a.texts[key]
	if !ok {
		return other, nil
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s=%s: want a number of milliseconds", key, text)
	}
	return ms, nil
}
