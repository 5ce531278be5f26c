package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest name of a file or directory, in bytes, that common file
// systems take.
const maxName = 255

// errPlace matches the error of a path that no file is made for, whenever it is
// tried.
var errPlace = errors.New("path is refused")

// spot is where a file is to be: in a directory that is open, if a payload has
// chosen the name, and otherwise wherever the properties say.
type spot struct {
	root *os.Root // nil: path stands for itself
	dir  string   // of names that are opened, with / at its end; "" below root
	base string
}

// locate finds the spot of a message and makes its directories. A payload that is
// part of a path chooses among the files below the path's constant part and no
// others: the names between are held to what a name can be, and what is opened is
// held to the constant part by the operating system (os.Root), so that no link,
// also one that is made meanwhile, leads out.
func (f *Factory) locate(place string, fm *form) (s spot, err error) {
	if !fm.dynamic {
		return f.locateConstant(f.place(place))
	}
	tail, ok := strings.CutPrefix(place, fm.static)
	if !ok {
		return s, fmt.Errorf("%w: it does not begin with %q", errPlace, fm.static)
	}
	if err := checkNames(tail); err != nil {
		return s, err
	}
	top := f.fixed(fm.Path)
	if err := f.guard(filepath.Join(top, tail)); err != nil {
		return s, err
	}
	if err := os.MkdirAll(top, 0o755); err != nil {
		return s, err
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return s, err
	}
	if dir := filepath.Dir(tail); dir != "." {
		if root, err = below(root, dir); err != nil {
			return s, held(err)
		}
	}
	s = spot{root: root, base: filepath.Base(tail)}
	if err = f.strange(root); err == nil {
		err = noLink(root, s.base)
	}
	if err != nil {
		s.close()
		return spot{}, err
	}
	return s, nil
}

// locateConstant finds the spot of a path that no payload has a part in.
func (f *Factory) locateConstant(path string) (s spot, err error) {
	dir, base := filepath.Split(path)
	if base == "" || strings.IndexByte(path, 0) >= 0 {
		return s, fmt.Errorf("%w: it names no file", errPlace)
	}
	if err := f.guard(path); err != nil {
		return s, err
	}
	return spot{dir: dir, base: base}, os.MkdirAll(dir, 0o755)
}

// below makes and opens a directory below root, which is closed.
func below(root *os.Root, dir string) (*os.Root, error) {
	err := root.MkdirAll(dir, 0o755)
	var sub *os.Root
	if err == nil {
		sub, err = root.OpenRoot(dir)
	}
	return sub, errors.Join(err, root.Close())
}

// noLink refuses a file that is a link: where it leads was not looked at.
func noLink(root *os.Root, name string) error {
	if st, err := root.Lstat(name); err == nil && st.Mode()&os.ModeSymlink != 0 {
		return fmt.Errorf("%w: %q is a link", errPlace, name)
	}
	return nil
}

// held tells errors of the path within its constant part, such as a link that
// leads out, from those of the operating system, some of which end by waiting.
func held(err error) error {
	var no syscall.Errno
	if err != nil && !errors.As(err, &no) {
		return fmt.Errorf("%w: %w", errPlace, err)
	}
	return err
}

// open opens a name of the spot's directory.
func (s spot) open(name string, flags int) (*os.File, error) {
	if s.root == nil {
		return os.OpenFile(s.dir+name, flags, 0o644)
	}
	h, err := s.root.OpenFile(name, flags, 0o644)
	return h, held(err)
}

// exists tells whether the spot's directory has a name.
func (s spot) exists(name string) bool {
	var err error
	if s.root == nil {
		_, err = os.Lstat(s.dir + name)
	} else {
		_, err = s.root.Lstat(name)
	}
	return !errors.Is(err, os.ErrNotExist)
}

// rename gives a file of the spot's directory another name.
func (s spot) rename(from, to string) error {
	if s.root == nil {
		return os.Rename(s.dir+from, s.dir+to)
	}
	return held(s.root.Rename(from, to))
}

func (s spot) close() {
	if s.root != nil {
		_ = s.root.Close()
	}
}

// checkNames looks at what a payload made of the rest of a path.
func checkNames(tail string) error {
	if !utf8.ValidString(tail) {
		return fmt.Errorf("%w: it is not UTF-8", errPlace)
	}
	if strings.ContainsFunc(tail, unicode.IsControl) {
		return fmt.Errorf("%w: it has control characters", errPlace)
	}
	if len(tail) > 4096 {
		return fmt.Errorf("%w: it has %d bytes, want at most 4096", errPlace, len(tail))
	}
	for name := range strings.SplitSeq(tail, "/") {
		switch {
		case name == "" || name == "." || name == "..":
			return fmt.Errorf("%w: %q is no name of a file", errPlace, name)
		case len(name) > maxName:
			return fmt.Errorf("%w: a name has %d bytes, want at most %d", errPlace, len(name), maxName)
		}
	}
	return nil
}

// guard refuses paths that lead, also over links, into the store's directory. The
// folder of outputs may be in it.
func (f *Factory) guard(path string) error {
	if f.Store == "" {
		return nil
	}
	store, to := resolve(absolute(f.Store), maxLinks), resolve(path, maxLinks)
	if !within(store, to) {
		return nil
	}
	if files := resolve(f.place(""), maxLinks); files != store && within(store, files) && within(files, to) {
		return nil
	}
	return fmt.Errorf("%w: it is in the data directory, whose files are the store's", errPlace)
}

// strange refuses an open directory that is the store's: a link may have been made
// since guard looked.
func (f *Factory) strange(root *os.Root) error {
	if f.Store == "" {
		return nil
	}
	store, err := os.Stat(f.Store)
	if err != nil {
		return nil // there is no such directory
	}
	here, err := root.Stat(".")
	if err == nil && os.SameFile(store, here) {
		err = fmt.Errorf("%w: it is in the data directory, whose files are the store's", errPlace)
	}
	return err
}

// within tells whether path is dir or below it; both are clean.
func within(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// maxLinks bounds the links that are followed, as the operating system does.
const maxLinks = 40

// resolve follows the links of an absolute path, parts of which need not be there.
func resolve(path string, links int) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	dir, name := filepath.Dir(path), filepath.Base(path)
	if dir == path || links == 0 {
		return path
	}
	at := filepath.Join(resolve(dir, links-1), name)
	to, err := os.Readlink(at)
	if err != nil {
		return at
	}
	if !filepath.IsAbs(to) {
		to = filepath.Join(filepath.Dir(at), to)
	}
	return resolve(filepath.Clean(to), links-1)
}

// place makes a path absolute.
func (f *Factory) place(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return absolute(filepath.Join(f.Dir, path))
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}
