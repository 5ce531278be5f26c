package fn

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/weir-engine/weir/vec"
)

// patterns holds compiled regular expressions by their text, for those that come
// with the data. When it is full it starts again.
var patterns struct {
	sync.Mutex
	byText map[string]*regexp.Regexp
}

const maxPatterns = 256

func compile(s string) (*regexp.Regexp, error) {
	patterns.Lock()
	defer patterns.Unlock()
	if re, ok := patterns.byText[s]; ok {
		return re, nil
	}
	s = strings.Clone(s)
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q: %w", s, err)
	}
	if patterns.byText == nil || len(patterns.byText) >= maxPatterns {
		patterns.byText = make(map[string]*regexp.Regexp)
	}
	patterns.byText[s] = re
	return re, nil
}

// literalPattern returns the compiled literal 1, or nil if it is none or broken:
// then every row says what is wrong with it.
func literalPattern(l Lits) *regexp.Regexp {
	s, ok := l.text(1)
	if !ok {
		return nil
	}
	re, err := compile(s)
	if err != nil {
		return nil
	}
	return re
}

func matches(re *regexp.Regexp, args []vec.Value) (vec.Value, error) {
	return truth(re.MatchString(Text(args[0])))
}

func regexpMatches(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if args[0].IsNull() || args[1].IsNull() {
		return truth(false)
	}
	re, err := compile(Text(args[1]))
	if err != nil {
		return vec.Value{}, err
	}
	return matches(re, args)
}

func prepareMatches(l Lits) Row {
	re := literalPattern(l)
	if re == nil {
		return nil
	}
	return func(_ *Ctx, args []vec.Value) (vec.Value, error) {
		if args[0].IsNull() {
			return truth(false)
		}
		return matches(re, args)
	}
}

func replace(re *regexp.Regexp, args []vec.Value) (vec.Value, error) {
	return text(re.ReplaceAllString(Text(args[0]), Text(args[2])))
}

func regexpReplace(_ *Ctx, args []vec.Value) (vec.Value, error) {
	re, err := compile(Text(args[1]))
	if err != nil {
		return vec.Value{}, err
	}
	return replace(re, args)
}

func prepareReplace(l Lits) Row {
	re := literalPattern(l)
	if re == nil {
		return nil
	}
	return func(_ *Ctx, args []vec.Value) (vec.Value, error) { return replace(re, args) }
}

func regexpSubstr(_ *Ctx, args []vec.Value) (vec.Value, error) {
	re, err := compile(Text(args[1]))
	if err != nil {
		return vec.Value{}, err
	}
	return text(re.FindString(Text(args[0])))
}

func prepareSubstr(l Lits) Row {
	re := literalPattern(l)
	if re == nil {
		return nil
	}
	return func(_ *Ctx, args []vec.Value) (vec.Value, error) { return text(re.FindString(Text(args[0]))) }
}
