package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program is the module without its tests, with types. Packages of ours are
// checked from source, so that an object is the same wherever it is used; those of
// others are read from what the compiler left.
type program struct {
	t     reporter
	set   *token.FileSet
	units []*unit // what a package imports comes before it
}

// unit is one package.
type unit struct {
	*types.Package
	info    *types.Info
	sources []*source
	tool    bool // nothing but tests imports it
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir, Export, Name string
	GoFiles, Imports              []string
	Module                        *struct{ Main bool }
}

// loadProgram reads and checks the module. A package that does not compile ends
// the test.
func loadProgram(t *testing.T) *program {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,Name,GoFiles,Imports,Module", "./...")
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	p := &program{t: t, set: token.NewFileSet()}
	exports := map[string]string{}
	var ours []*listed
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		l := new(listed)
		if err := dec.Decode(l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[l.ImportPath] = l.Export
		if l.Module != nil && l.Module.Main {
			ours = append(ours, l)
		}
	}
	im := p.importer(importer.ForCompiler(p.set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }))
	for _, l := range ours {
		texts := map[string][]byte{}
		for _, name := range l.GoFiles {
			text, err := os.ReadFile(filepath.Join(l.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			texts[strings.TrimPrefix(l.ImportPath+"/"+name, module)] = text
		}
		if err := p.add(im, l.ImportPath, texts); err != nil {
			t.Fatal(err)
		}
	}
	p.findTools(ours)
	return p
}

// importerFunc is a types.Importer.
type importerFunc func(path string) (*types.Package, error)

// Import implements types.Importer.
func (f importerFunc) Import(path string) (*types.Package, error) { return f(path) }

// importer finds the packages that were added, and the others by next.
func (p *program) importer(next types.Importer) types.Importer {
	return importerFunc(func(path string) (*types.Package, error) {
		for _, u := range p.units {
			if u.Path() == path {
				return u.Package, nil
			}
		}
		return next.Import(path)
	})
}

// add checks a package from the texts of its files.
func (p *program) add(im types.Importer, path string, texts map[string][]byte) error {
	u := &unit{info: &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}}
	var files []*ast.File
	for name, text := range texts {
		f, err := parser.ParseFile(p.set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s := &source{t: p.t, set: p.set, path: name, file: f}
		s.allow = s.excuses()
		u.sources, files = append(u.sources, s), append(files, f)
	}
	var err error
	u.Package, err = (&types.Config{Importer: im}).Check(path, p.set, files, u.info)
	p.units = append(p.units, u)
	return err
}

// findTools marks the packages that no program is made of.
func (p *program) findTools(list []*listed) {
	live := map[string]bool{}
	for i := len(list) - 1; i >= 0; i-- { // importers come after what they import
		l := list[i]
		if l.Name != "main" && !live[l.ImportPath] {
			continue
		}
		live[l.ImportPath] = true
		for _, imp := range l.Imports {
			live[imp] = true
		}
	}
	for _, u := range p.units {
		u.tool = !live[u.Path()]
	}
}

// Nothing is built on one side and joined on no other.
func TestUse(t *testing.T) {
	p := loadProgram(t)
	p.checkStats()
	p.checkCalls()
}

// checkStats wants every exported field of a struct called Stats, or something
// that ends so, to be read outside its package: a counter that nobody reads shows
// nobody what it counts.
func (p *program) checkStats() {
	read := map[types.Object]bool{}
	for _, u := range p.units {
		for _, s := range u.sources {
			written := assigned(s.file)
			for id, o := range u.usesIn(s) {
				if v, ok := o.(*types.Var); ok && v.IsField() && v.Pkg() != u.Package && !written[id] {
					read[v.Origin()] = true
				}
			}
		}
	}
	for _, u := range p.units {
		for _, s := range u.sources {
			statsOf(s, func(name string, field *ast.Ident) {
				if !u.tool && !read[u.info.Defs[field]] {
					s.fault("unread", field, name+"."+field.Name+" is read by no other package", "show it in status or metrics, or do not count it")
				}
			})
		}
	}
}

// statsOf calls f for every exported field of the structs of a file that count.
func statsOf(s *source, f func(name string, field *ast.Ident)) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || !spec.Name.IsExported() || !strings.HasSuffix(spec.Name.Name, "Stats") {
			return true
		}
		st, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, list := range st.Fields.List {
			for _, id := range list.Names {
				if id.IsExported() {
					f(spec.Name.Name, id)
				}
			}
		}
		return true
	})
}

// usesIn returns the uses of names in a file.
func (u *unit) usesIn(s *source) map[*ast.Ident]types.Object {
	uses := map[*ast.Ident]types.Object{}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && u.info.Uses[id] != nil {
			uses[id] = u.info.Uses[id]
		}
		return true
	})
	return uses
}

// assigned returns the names of fields that a file only writes: x.F = v, x.F++ and
// keys of literals.
func assigned(f *ast.File) map[*ast.Ident]bool {
	written := map[*ast.Ident]bool{}
	note := func(e ast.Expr) {
		if x, ok := e.(*ast.SelectorExpr); ok {
			written[x.Sel] = true
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				note(e)
			}
		case *ast.IncDecStmt:
			note(n.X)
		case *ast.KeyValueExpr:
			if id, ok := n.Key.(*ast.Ident); ok {
				written[id] = true
			}
		}
		return true
	})
	return written
}

// checkCalls wants every exported function and method to be used by code that is
// no test. A method that some interface asks for is used by whoever has that.
func (p *program) checkCalls() {
	used := map[types.Object]bool{}
	p.decls(func(u *unit, _ *source, d ast.Decl) {
		own := types.Object(nil) // who calls itself alone is called by nobody
		if fd, ok := d.(*ast.FuncDecl); ok {
			own = u.info.Defs[fd.Name]
		}
		ast.Inspect(d, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				if f, ok := u.info.Uses[id].(*types.Func); ok && types.Object(f.Origin()) != own {
					used[f.Origin()] = true
				}
			}
			return true
		})
	})
	asked := p.interfaces()
	p.decls(func(u *unit, s *source, d ast.Decl) {
		fd, ok := d.(*ast.FuncDecl)
		if !ok || u.tool || !fd.Name.IsExported() {
			return
		}
		if f := u.info.Defs[fd.Name].(*types.Func); !used[f] && !asked.forMethod(f) {
			s.fault("unused", fd, nameOf(f)+" is called by no code but tests", "use it, write it in the test, or delete it")
		}
	})
}

// decls calls f for every declaration of the module.
func (p *program) decls(f func(u *unit, s *source, d ast.Decl)) {
	for _, u := range p.units {
		for _, s := range u.sources {
			for _, d := range s.file.Decls {
				f(u, s, d)
			}
		}
	}
}

func nameOf(f *types.Func) string {
	if recv := f.Signature().Recv(); recv != nil {
		if named := namedOf(recv.Type()); named != nil {
			return named.Obj().Name() + "." + f.Name()
		}
	}
	return f.Name()
}

func namedOf(t types.Type) *types.Named {
	if ptr, ok := t.(*types.Pointer); ok {
		t = ptr.Elem()
	}
	named, _ := t.(*types.Named)
	return named
}

// interfaceSet is the interfaces that ask for methods, by the names of those.
type interfaceSet map[string][]*types.Interface

// interfaces returns those of the module, of the packages that it imports, and of
// the language.
func (p *program) interfaces() interfaceSet {
	set := interfaceSet{}
	seen := map[*types.Package]bool{}
	scope := func(pkg *types.Package) {
		if seen[pkg] {
			return
		}
		seen[pkg] = true
		for _, name := range pkg.Scope().Names() {
			if tn, ok := pkg.Scope().Lookup(name).(*types.TypeName); ok {
				set.add(tn.Type())
			}
		}
	}
	for _, u := range p.units {
		scope(u.Package)
		for _, imp := range u.Imports() {
			scope(imp)
		}
		for e, tv := range u.info.Types {
			if _, ok := e.(*ast.InterfaceType); ok {
				set.add(tv.Type)
			}
		}
	}
	set.add(types.Universe.Lookup("error").Type())
	return set
}

func (s interfaceSet) add(t types.Type) {
	if named, ok := t.(*types.Named); ok && named.TypeParams().Len() > 0 {
		return
	}
	i, ok := t.Underlying().(*types.Interface)
	if !ok {
		return
	}
	for m := range i.Methods() {
		s[m.Name()] = append(s[m.Name()], i)
	}
}

// forMethod tells whether an interface that f's type has asks for f.
func (s interfaceSet) forMethod(f *types.Func) bool {
	recv := f.Signature().Recv()
	if recv == nil {
		return false
	}
	switch f.Name() {
	case "Is", "As", "Unwrap": // errors asks for them without a name
		return true
	}
	named := namedOf(recv.Type())
	if named == nil {
		return false
	}
	for _, i := range s[f.Name()] {
		if types.Implements(named, i) || types.Implements(types.NewPointer(named), i) {
			return true
		}
	}
	return false
}
