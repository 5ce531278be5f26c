package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// source is one parsed file. What it reads of the file is by line, so that a
// fault can be found and excused.
type source struct {
	t     reporter
	set   *token.FileSet
	path  string // below the root of the module
	file  *ast.File
	test  bool
	pure  bool                    // of exec, planner or vec, and no test
	timed bool                    // of a package that acts by the time, and no test
	allow map[int]map[string]bool // by line: the rules of which it is excused
}

// reporter takes the faults: a test, or the test of the rules themselves.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// newSource parses a file; path is below the root of the module.
func newSource(t reporter, path string, text []byte) (*source, error) {
	s := &source{t: t, set: token.NewFileSet(), path: path}
	var err error
	if s.file, err = parser.ParseFile(s.set, path, text, parser.ParseComments|parser.SkipObjectResolution); err != nil {
		return nil, err
	}
	room, _, _ := strings.Cut(path, "/")
	s.test = strings.HasSuffix(path, "_test.go")
	s.pure = !s.test && (room == "exec" || room == "planner" || room == "vec")
	s.timed = !s.test && (strings.HasPrefix(path, "internal/engine/run/") || strings.HasPrefix(path, "internal/mqttconn/"))
	s.allow = s.excuses()
	return s, nil
}

// sources calls f for every file of the module.
func sources(t *testing.T, f func(s *source)) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "testdata" || len(name) > 2 && name[0] == '.') {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		s, err := newSource(t, strings.TrimPrefix(filepath.ToSlash(path), "../../"), text)
		if err != nil {
			return err
		}
		f(s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// excuses reads the comments lint:allow RULE.
func (s *source) excuses() map[int]map[string]bool {
	all := map[int]map[string]bool{}
	for _, g := range s.file.Comments {
		for _, c := range g.List {
			_, rest, ok := strings.Cut(c.Text, "lint:allow ")
			if !ok {
				continue
			}
			rule, _, _ := strings.Cut(rest, " ")
			line := s.set.Position(c.Pos()).Line
			if all[line] == nil {
				all[line] = map[string]bool{}
			}
			all[line][strings.Trim(rule, ",:;.")] = true
		}
	}
	return all
}

// fault reports what is wrong at a node, and what to write instead.
func (s *source) fault(rule string, n ast.Node, what, instead string) {
	s.t.Helper()
	line := s.set.Position(n.Pos()).Line
	if s.allow[line][rule] || s.allow[line-1][rule] { // beside it or on the line above
		return
	}
	s.t.Errorf("%s:%d: %s: %s", s.path, line, what, instead)
}

// called returns the package and the name of a call such as time.Now(), or the
// name alone of a call such as panic().
func called(n ast.Expr) (pkg, name string) {
	switch f := n.(type) {
	case *ast.Ident:
		return "", f.Name
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return x.Name, f.Sel.Name
		}
		return "?", f.Sel.Name
	}
	return "?", "?"
}

func TestCode(t *testing.T) { sources(t, (*source).check) }

// check holds all rules against a file.
func (s *source) check() {
	s.checkImports()
	s.checkComments()
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			s.checkCall(n)
		case *ast.SelectorExpr:
			s.checkClock(n)
		case *ast.GoStmt:
			if s.pure {
				s.fault("go", n, "starts a goroutine", "goroutines are internal/engine's; take the work as an argument or return it")
			}
		case *ast.BinaryExpr:
			if !s.test && (n.Op == token.EQL || n.Op == token.NEQ) && (isErrorText(n.X) || isErrorText(n.Y)) {
				s.textFault(n)
			}
		case *ast.SwitchStmt:
			if !s.test && n.Tag != nil && isErrorText(n.Tag) {
				s.textFault(n)
			}
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil && !strings.HasPrefix(s.path, "internal/metrics/") {
				s.fault("init", n, "has an init", "build tables where they are declared, or in New")
			}
		}
		return true
	})
}

func (s *source) checkCall(c *ast.CallExpr) {
	pkg, name := called(c.Fun)
	switch {
	case pkg == "" && name == "panic" && !s.test && len(c.Args) == 1:
		if !strings.HasPrefix(leadingText(c.Args[0]), "bug: ") {
			s.fault("panic", c, "panics without saying whose bug it is", `return an error; for a broken invariant of ours: panic("bug: ...")`)
		}
	case pkg == "time" && name == "Sleep":
		s.fault("sleep", c, "sleeps", "wait for what is to happen: a channel, a condition, testing/synctest; with a limit by context")
	case pkg == "context" && name == "TODO":
		s.fault("todo", c, "context.TODO", "take ctx as the first argument")
	case pkg == "strings" && !s.test:
		for _, a := range c.Args {
			if isErrorText(a) {
				s.textCompare(c, name)
			}
		}
	case (pkg == "errors" && name == "New" || pkg == "fmt" && name == "Errorf") && len(c.Args) > 0:
		text := strings.ToLower(leadingText(c.Args[0]))
		if strings.HasPrefix(text, "failed to") || strings.HasPrefix(text, "error ") || strings.HasPrefix(text, "could not") {
			s.fault("wording", c, strconv.Quote(leadingText(c.Args[0])), "start with what failed: \"connect to %s: %w\"")
		}
	}
}

// textCompare reports a call of strings that looks into the text of an error;
// those that only shape it are fine.
func (s *source) textCompare(n ast.Node, name string) {
	switch name {
	case "Contains", "ContainsAny", "HasPrefix", "HasSuffix", "EqualFold", "Index", "Compare":
		s.textFault(n)
	}
}

func (s *source) textFault(n ast.Node) {
	s.fault("errtext", n, "tests the text of an error", "use errors.Is with a sentinel, or errors.As with a type, whose comment says what the caller does")
}

// isErrorText tells whether e is a call x.Error().
func isErrorText(e ast.Expr) bool {
	c, ok := e.(*ast.CallExpr)
	if !ok || len(c.Args) > 0 {
		return false
	}
	sel, ok := c.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Error"
}

// leadingText returns the string that e begins with: of "a" + x, "a"; of
// fmt.Sprintf("a %d", x), "a %d".
func leadingText(e ast.Expr) string {
	switch x := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(x.Value)
		if err != nil {
			return ""
		}
		return text
	case *ast.BinaryExpr:
		return leadingText(x.X)
	case *ast.CallExpr:
		if pkg, _ := called(x.Fun); (pkg == "fmt" || pkg == "errors") && len(x.Args) > 0 {
			return leadingText(x.Args[0])
		}
	}
	return ""
}

// checkClock reports a look at the system's clock in packages that take the time
// as an argument, and one as a number in those that act by the time. A function value
// counts as much as a call.
func (s *source) checkClock(n *ast.SelectorExpr) {
	if c, ok := n.X.(*ast.CallExpr); ok && n.Sel.Name == "UnixMilli" && s.timed {
		if pkg, name := called(c.Fun); pkg == "time" && name == "Now" {
			s.fault("clock", n, "time.Now().UnixMilli", "somebody may set it: take the time of internal/clock")
		}
	}
	x, ok := n.X.(*ast.Ident)
	if !s.pure || !ok || x.Name != "time" {
		return
	}
	switch n.Sel.Name {
	case "Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker":
		s.fault("clock", n, "time."+n.Sel.Name, "take the time as an argument, or from exec.Env.Now")
	}
}

// outside are the packages that exec, planner and vec must not use.
var outside = map[string]string{
	"log": "return an error or count; nothing is logged per row", "log/slog": "return an error or count; nothing is logged per row",
	"net": "sockets belong to ingest and sinks", "net/http": "sockets belong to ingest and sinks",
	"os": "files belong to ingest, sinks and internal/store",
}

// checkImports holds what the pure packages may use, and the three groups: the
// standard library, others, ours.
func (s *source) checkImports() {
	group, last := 0, 0
	for _, imp := range s.file.Imports {
		path, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			s.t.Errorf("%s: import %s: %v", s.path, imp.Path.Value, err)
			continue
		}
		if why := outside[path]; s.pure && why != "" {
			s.fault("outside", imp, "imports "+path, why)
		}
		first, _, _ := strings.Cut(path, "/")
		g := 1
		switch {
		case strings.HasPrefix(path, module):
			g = 3
		case strings.Contains(first, "."):
			g = 2
		}
		line := s.set.Position(imp.Pos()).Line
		if blank := line > last+1; last > 0 && (g < group || g > group && !blank || g == group && blank && imp.Doc == nil) {
			s.fault("groups", imp, "import "+path+" is in the wrong group", "three groups with an empty line between them: the standard library, others, ours")
		}
		group, last = g, line
	}
}

func (s *source) checkComments() {
	for _, g := range s.file.Comments {
		for _, c := range g.List {
			for _, word := range []string{"TODO", "FIXME"} {
				if strings.Contains(c.Text, word) && !strings.HasPrefix(s.path, "internal/lint/") {
					s.fault("todo", c, "a "+word, "do it, or open an issue and leave it out of the code")
				}
			}
		}
	}
}
