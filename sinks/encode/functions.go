package encode

import (
	"encoding/base64"
	stdjson "encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"sync"
	"text/template"

	"github.com/Masterminds/sprig/v3"

	"github.com/weir-engine/weir/vec"
)

// maxFuncItems bounds what one call of a template function makes out of nothing:
// characters of repeat, numbers of until.
const maxFuncItems = 1 << 20

// builtins are the functions of text/template that are taken as they are.
var builtins = map[string]any{
	"and": true, "call": true, "index": true, "len": true, "not": true, "or": true, "slice": true,
}

// own are the names that are bound to each Template.
var own = map[string]any{tickFunc: true, textFunc: true, "prop": true}

// functions returns the functions that templates have beside the builtins: sprig's,
// without those that reach the environment or the network and with bounds on those that
// make text out of nothing, those of numbers, see addNumbers, and eKuiper's json and
// base64.
var functions = sync.OnceValue(func() template.FuncMap {
	m := sprig.TxtFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(m, name)
	}
	if f, ok := m["repeat"].(func(int, string) string); ok {
		m["repeat"] = func(n int, s string) (string, error) {
			return bounded(float64(n)*float64(len(s)), "repeat", func() string { return f(max(n, 0), s) })
		}
	}
	for _, name := range []string{"indent", "nindent"} {
		if f, ok := m[name].(func(int, string) string); ok {
			m[name] = func(n int, s string) (string, error) {
				return bounded(float64(n), name, func() string { return f(max(n, 0), s) })
			}
		}
	}
	for _, name := range []string{"randAlphaNum", "randAlpha", "randAscii", "randNumeric"} {
		if f, ok := m[name].(func(int) string); ok {
			m[name] = func(n int) (string, error) {
				return bounded(float64(n), name, func() string { return f(max(n, 0)) })
			}
		}
	}
	if f, ok := m["until"].(func(int) []int); ok {
		m["until"] = func(n int) ([]int, error) {
			return bounded(float64(n), "until", func() []int { return f(n) })
		}
	}
	if f, ok := m["untilStep"].(func(start, stop, step int) []int); ok {
		m["untilStep"] = func(start, stop, step int) ([]int, error) {
			return bounded((float64(stop)-float64(start))/float64(step), "untilStep", func() []int { return f(start, stop, step) })
		}
	}
	if f, ok := m["seq"].(func(...int) string); ok {
		m["seq"] = func(p ...int) (string, error) {
			n := 0.0
			for _, x := range p {
				n = max(n, math.Abs(float64(x)))
			}
			return bounded(n, "seq", func() string { return f(p...) })
		}
	}
	addNumbers(m)
	m["json"] = m["toJson"]
	m["base64"] = base64Text
	return m
})

// bounded calls f if it makes no more than maxFuncItems.
func bounded[T any](n float64, name string, f func() T) (T, error) {
	if math.Abs(n) > maxFuncItems {
		var zero T
		return zero, fmt.Errorf("%s: at most %d are allowed", name, maxFuncItems)
	}
	return f(), nil
}

// base64Text is the template function base64: of texts, booleans, numbers, and of
// the JSON text of objects and arrays.
func base64Text(x any) (string, error) {
	var text []byte
	switch v := reflect.ValueOf(x); v.Kind() {
	case reflect.Invalid:
		return "", fmt.Errorf("base64: the value is null")
	case reflect.Bool:
		text = strconv.AppendBool(nil, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		text = strconv.AppendInt(nil, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		text = strconv.AppendUint(nil, v.Uint(), 10)
	case reflect.Float32, reflect.Float64:
		text = vec.AppendFloat(nil, v.Float())
	case reflect.String:
		text = []byte(v.String())
	default:
		if b, ok := x.([]byte); ok {
			text = b
			break
		}
		var err error
		if text, err = stdjson.Marshal(x); err != nil {
			return "", fmt.Errorf("base64: %w", err)
		}
	}
	return base64.StdEncoding.EncodeToString(text), nil
}
