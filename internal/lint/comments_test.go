package lint

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestComments holds what a comment promises: that of a declaration begins with
// its name, so that a search for "// name " finds it and a declaration that was
// put between the two is seen; and "see X" leads somewhere.
func TestComments(t *testing.T) {
	var all []*source
	sources(t, func(s *source) { all = append(all, s) })
	names := declared(all)
	for _, s := range all {
		s.checkDocs()
		s.checkSee(names[path.Dir(s.path)], names)
	}
}

// declared returns the names that each folder declares, of test files too.
func declared(all []*source) map[string]map[string]bool {
	dirs := map[string]map[string]bool{}
	for _, s := range all {
		dir := path.Dir(s.path)
		if dirs[dir] == nil {
			dirs[dir] = map[string]bool{}
		}
		names := dirs[dir]
		ast.Inspect(s.file, func(n ast.Node) bool {
			var idents []*ast.Ident
			switch n := n.(type) {
			case *ast.FuncDecl:
				idents = append(idents, n.Name)
			case *ast.TypeSpec:
				idents = append(idents, n.Name)
			case *ast.ValueSpec:
				idents = n.Names
			case *ast.Field:
				idents = n.Names
			}
			for _, id := range idents {
				names[id.Name] = true
			}
			return true
		})
	}
	return dirs
}

// checkDocs reports comments of declarations that begin with another word.
func (s *source) checkDocs() {
	if s.test {
		return // the comment of a test says what holds
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			s.checkDoc(d.Doc, d.Name)
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				continue
			}
			for _, spec := range d.Specs {
				switch sp := spec.(type) {
				case *ast.TypeSpec:
					s.checkDoc(docOf(sp.Doc, d), sp.Name)
				case *ast.ValueSpec:
					if len(sp.Names) == 1 && !d.Lparen.IsValid() {
						s.checkDoc(docOf(sp.Doc, d), sp.Names[0])
					}
				}
			}
		}
	}
}

// docOf returns the comment of a specification, or that of the declaration that
// has no other.
func docOf(doc *ast.CommentGroup, d *ast.GenDecl) *ast.CommentGroup {
	if doc == nil && !d.Lparen.IsValid() {
		return d.Doc
	}
	return doc
}

func (s *source) checkDoc(doc *ast.CommentGroup, name *ast.Ident) {
	if doc == nil {
		return
	}
	first, rest, _ := strings.Cut(strings.ReplaceAll(doc.Text(), "\n", " "), " ")
	if first == "A" || first == "An" || first == "The" {
		first, _, _ = strings.Cut(rest, " ")
	}
	if first != "" && strings.TrimRight(first, ",.:;") != name.Name {
		s.fault("doc", name, "the comment of "+name.Name+" begins with "+first, "a sentence that begins with the name: "+name.Name+" ...")
	}
}

// seeWord is a reference of one word, with nothing behind it that would make the
// word part of a sentence.
var seeWord = regexp.MustCompile(`\b[Ss]ee ([A-Za-z_][\w./]*\w)(?:[.,;:)]|$)`)

// notNames are words that follow "see" in plain English.
var notNames = map[string]bool{"above": true, "below": true, "it": true, "them": true, "there": true, "that": true, "this": true}

// checkSee reports references to what is not there: to a name that the package
// does not declare, to one that the named package does not, to a file.
func (s *source) checkSee(own map[string]bool, dirs map[string]map[string]bool) {
	for _, g := range s.file.Comments {
		for _, m := range seeWord.FindAllStringSubmatch(strings.ReplaceAll(g.Text(), "\n", " "), -1) {
			if word := m[1]; !notNames[word] && !s.resolves(word, own, dirs) {
				s.fault("see", g, `"see `+word+`" leads nowhere`, "name what is declared here, pkg.Name, or a file of the project")
			}
		}
	}
}

func (s *source) resolves(word string, own map[string]bool, dirs map[string]map[string]bool) bool {
	if first, rest, ok := strings.Cut(word, "."); ok {
		if own[first] && own[rest] { // Type.Method
			return true
		}
		for dir, names := range dirs {
			if path.Base(dir) == first && names[rest] {
				return true
			}
		}
	}
	if own[word] || dirs[word] != nil {
		return true
	}
	for _, base := range []string{"../..", "../../" + path.Dir(s.path)} {
		if _, err := os.Stat(path.Join(base, word)); err == nil {
			return true
		}
	}
	return false
}

func TestCommentRules(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"// f does.\nfunc f() {}", ""},
		{"// does what it can.\nfunc f() {}", "begins with does"},
		{"// g does.\nfunc f() {}", "begins with g"},
		{"// T is one.\ntype T struct{}", ""},
		{"// A T is one.\ntype T struct{}", ""},
		{"type (\n\t// An old T.\n\tT struct{}\n)", "begins with old"},
		{"// the limits.\nconst (\n\ta = 1\n\tb = 2\n)", ""},
		{"// limit is.\nconst limit = 1", ""},
		{"// bounds it.\nvar limit = 1", "begins with bounds"},
		{"//go:noinline\nfunc f() {}", ""},
		{"// f does (see gone).\nfunc f() {}", "leads nowhere"},
		{"// f does; see help.\nfunc f() {}\n\nfunc help() {}", ""},
		{"// f does; see T.m.\nfunc f() {}\n\ntype T struct{ m int }", ""},
		{"// f does; see README.md.\nfunc f() {}", ""},
		{"// f does; see missing.md.\nfunc f() {}", "leads nowhere"},
		{"// f does; see the others.\nfunc f() {}", ""},
		{"// f does; see vec.Bitmap.\nfunc f() {}", "leads nowhere"},
	} {
		var got faults
		s, err := newSource(&got, "sinks/a.go", []byte("package a\n\n"+c.text+"\n"))
		if err != nil {
			t.Fatalf("%s: %v", c.text, err)
		}
		names := declared([]*source{s})
		s.checkDocs()
		s.checkSee(names["sinks"], names)
		if (c.want == "") != (len(got) == 0) || len(got) > 1 || c.want != "" && !strings.Contains(got[0], c.want) {
			t.Errorf("%s: got %q, want %q", c.text, got, c.want)
		}
	}
}
