package fn

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/ohler55/ojg/jp"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

func jsonFuncs() []*Func {
	const group = "json"
	path := mustBe(1, vec.String, "string", nil)
	return []*Func{
		scalar(group, "json_path_exists(x, path)", "Tells whether the JSONPath finds something in a nested value or a JSON text; false for null.",
			`json_path_exists(object_construct("a", 1), "$.a")`, pathExists).checked(path).seesNulls(),
		scalar(group, "json_path_query(x, path)", "What the JSONPath finds in a nested value or a JSON text: the value of a definite path, an array of the values of any other.",
			`json_path_query(object_construct("a", object_construct("b", 2)), "$.a.b")`, pathQuery).checked(path).seesNulls(),
		scalar(group, "json_path_query_first(x, path)", "The first of what the JSONPath finds, where that is an array.",
			`json_path_query_first(object_construct("a", array_create(3, 4)), "$.a[*]")`, pathFirst).checked(path).seesNulls(),
		scalar(group, "parse_json(s)", "The value that a JSON text stands for.", `parse_json("{\"a\":[1,2]}")`, parseJSON).checked(literals(wantText)).seesNulls(),
		scalar(group, "to_json(x)", "The value as JSON text; null for null, and the text null for what is missing.", `to_json(array_create(1, "a"))`, toJSON).seesNulls().tellsMissing(),
	}
}

// jsonPath is a compiled path. A definite one leads to one value.
type jsonPath struct {
	expr     jp.Expr
	definite bool
}

// paths holds compiled paths by their text. When it is full it starts again.
var paths struct {
	sync.Mutex
	byText map[string]*jsonPath
}

const maxPaths = 256

func compilePath(s string) (*jsonPath, error) {
	paths.Lock()
	defer paths.Unlock()
	if p, ok := paths.byText[s]; ok {
		return p, nil
	}
	s = strings.Clone(s)
	expr, err := jp.ParseString(s)
	if err != nil {
		return nil, fmt.Errorf("JSON path %q: %w", s, err)
	}
	p := &jsonPath{expr: expr, definite: expr.Normal()}
	if paths.byText == nil || len(paths.byText) >= maxPaths {
		paths.byText = make(map[string]*jsonPath)
	}
	paths.byText[s] = p
	return p, nil
}

// query returns what a path finds in args[0]; a definite path that leads nowhere
// is an error.
func query(args []vec.Value) (any, error) {
	if args[1].Kind != vec.String {
		return nil, Wrong("a JSON path", args[1])
	}
	p, err := compilePath(args[1].S)
	if err != nil {
		return nil, err
	}
	x, err := document(args[0])
	if err != nil {
		return nil, err
	}
	found := p.expr.Get(x)
	if !p.definite {
		if found == nil {
			found = []any{}
		}
		return found, nil
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("JSON path %q leads nowhere", args[1].S)
	}
	return found[0], nil
}

// document returns what a path is looked up in: a nested value, or what a JSON text
// stands for.
func document(v vec.Value) (any, error) {
	switch v.Kind {
	case vec.JSON:
		return own(v), nil
	case vec.String:
		x, err := rawjson.Parse([]byte(v.S), false)
		if err != nil {
			return nil, Wrong("an object, an array or a JSON text", v)
		}
		return x, nil
	}
	return nil, Wrong("an object, an array or a JSON text", v)
}

func pathQuery(_ *Ctx, args []vec.Value) (vec.Value, error) {
	x, err := query(args)
	return rawjson.FromAny(x), err
}

func pathFirst(_ *Ctx, args []vec.Value) (vec.Value, error) {
	x, err := query(args)
	if err != nil {
		return vec.Value{}, err
	}
	l, ok := x.([]any)
	if !ok || len(l) == 0 {
		return vec.Value{}, fmt.Errorf("JSON path %q finds no array with a first element", args[1].S)
	}
	return rawjson.FromAny(l[0]), nil
}

func pathExists(_ *Ctx, args []vec.Value) (vec.Value, error) {
	x, err := query(args)
	if err != nil {
		return truth(false)
	}
	if l, ok := x.([]any); ok {
		return truth(len(l) > 0)
	}
	return truth(x != nil)
}

func parseJSON(_ *Ctx, args []vec.Value) (vec.Value, error) {
	v := args[0]
	if v.IsNull() {
		return null()
	}
	if v.Kind != vec.String && v.Kind != vec.Bytes {
		return vec.Value{}, Wrong("a JSON text", v)
	}
	x, err := rawjson.Parse([]byte(v.S), v.Ints)
	return rawjson.FromAny(x), err
}

func toJSON(c *Ctx, args []vec.Value) (vec.Value, error) {
	v := args[0]
	switch v.Kind {
	case vec.Missing:
		return text("null")
	case vec.Null:
		return null()
	}
	x := own(v)
	if v.Kind == vec.Timestamp {
		t, err := c.time(v)
		if err != nil {
			return vec.Value{}, err
		}
		x = t
	}
	b, err := json.Marshal(x)
	if err != nil {
		return vec.Value{}, fmt.Errorf("cannot write %s as JSON", Show(v))
	}
	return text(string(b))
}
