package file

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/vec"
)

// Type says how a file is cut into messages.
type Type string

// The types of files.
const (
	JSON  Type = "json"  // an array, each element a message, or objects one after the other
	Lines Type = "lines" // each line a message in the stream's format
	CSV   Type = "csv"   // each record a message; values are text
)

// Action is what happens to a file that was read and whose rows are safe.
type Action uint8

// The actions, with eKuiper's numbers.
const (
	Keep   Action = 0
	Delete Action = 1
	Move   Action = 2
)

// maxMessageBytes bounds one line or one element of an array.
const maxMessageBytes = 64 << 20

// defaultWatch is how often a directory is looked at for new files.
const defaultWatch = time.Second

// Options configures a Source.
type Options struct {
	// Path is the file or directory to read. Of a directory, all files are read in
	// the order of their names; names that begin with a dot are passed over.
	Path string
	// Data, if it is not "", is where Path is looked for first: eKuiper has files in
	// the folder data if nothing else is said.
	Data string
	// Type is the files' type; default JSON.
	Type Type
	// Interval is the time from one reading of the file to the next; 0 reads a
	// file once, and a directory once and then each new or changed file in it.
	Interval time.Duration
	// SendInterval is the pause between two messages; default none.
	SendInterval time.Duration
	// HasHeader takes the columns of CSV from the first record.
	HasHeader bool
	// Columns names the columns of CSV; default the header, else col0, col1 ...
	// Further values of a record are called col<number> too.
	Columns []string
	// Delimiter separates the values of CSV; default a comma.
	Delimiter string
	// Schema is the stream's declared fields: CSV text of a number or boolean field
	// becomes a number or boolean. nil: all values are text.
	Schema []vec.Field
	// IgnoreStartLines and IgnoreEndLines leave out so many lines (records of CSV)
	// at the start and the end of each file of lines or CSV.
	IgnoreStartLines int
	IgnoreEndLines   int
	// Decompression is "", "gzip", "zstd", "zlib" or "flate".
	Decompression string
	// After is what happens to a file when its rows are safe; default Keep.
	After Action
	// MoveTo is the directory for Move.
	MoveTo string
	// Watch is how often a directory is looked at; default 1s. A new file is read
	// when it has not changed from one look to the next.
	Watch time.Duration
}

// EnsureDefaults fills in the fields that were left zero.
func (o *Options) EnsureDefaults() {
	if o.Type == "" {
		o.Type = JSON
	}
	if o.Delimiter == "" {
		o.Delimiter = ","
	}
	if o.Watch <= 0 {
		o.Watch = defaultWatch
	}
}

// Validate lists every fault of o. Whether the file is there is seen in Run.
func (o *Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("file source: "+format, args...)) }
	if o.Path == "" {
		fault("no file: want DATASOURCE or path")
	}
	switch o.Type {
	case JSON, Lines, CSV:
	case "raw", "parquet":
		fault("fileType %q: not supported yet", o.Type)
	default:
		fault("fileType %q: unknown, want json, lines or csv", o.Type)
	}
	switch o.Decompression {
	case "", "gzip", "zstd", "zlib", "flate":
	default:
		fault("decompression %q: unknown, want gzip, zstd, zlib or flate", o.Decompression)
	}
	if r, n := utf8.DecodeRuneInString(o.Delimiter); o.Type == CSV && (n != len(o.Delimiter) || r == utf8.RuneError || strings.ContainsRune("\"\r\n", r)) {
		fault("delimiter %q: want one character, not a quote or line end", o.Delimiter)
	}
	if o.Interval < 0 || o.SendInterval < 0 {
		fault("interval and sendInterval: must not be negative")
	}
	if o.IgnoreStartLines < 0 || o.IgnoreEndLines < 0 {
		fault("ignoreStartLines and ignoreEndLines: must not be negative")
	}
	if o.After == Move && o.MoveTo == "" {
		fault("actionAfterRead 2: want moveTo")
	}
	if o.After > Move {
		fault("actionAfterRead %d: want 0 (keep), 1 (delete) or 2 (move)", o.After)
	}
	seen := map[string]bool{}
	for _, c := range o.Columns {
		if c == "" || seen[c] {
			fault("columns: %q is empty or there twice", c)
		}
		seen[c] = true
	}
	return errors.Join(faults...)
}

// Format returns the format that the stream's feed must have: a source of CSV
// makes JSON of it, the others hand on what they find.
func (o *Options) Format(stream string) string {
	if o.Type == CSV {
		return "json"
	}
	return stream
}

// settings is what users set of a source.
type settings struct {
	Options
	path string
}

func newSettings() *settings {
	s := &settings{}
	s.EnsureDefaults()
	return s
}

func (s *settings) table() props.Table {
	return props.Table{
		props.Text((*string)(&s.Type), "fileType", "how a file is cut into messages: json (an array), lines or csv"),
		props.Text(&s.path, "path", "the file or directory, relative to the data directory; DATASOURCE stands behind it").
			Otherwise("the folder data, if what DATASOURCE names is there"),
		props.Duration(&s.Interval, "interval", "the time from one reading of the file to the next; 0: once, and each new file of a directory"),
		props.Duration(&s.SendInterval, "sendInterval", "the pause between two messages"),
		props.Flag(&s.HasHeader, "hasHeader", "takes the columns of CSV from the first record"),
		props.List(&s.Columns, "columns", "the columns of CSV").Otherwise("the header, else col0, col1 ..."),
		props.Text(&s.Delimiter, "delimiter", "the character between the values of CSV"),
		props.Whole(&s.IgnoreStartLines, "ignoreStartLines", 0, 1<<30, "lines that are left out at the start of a file"),
		props.Whole(&s.IgnoreEndLines, "ignoreEndLines", 0, 1<<20, "lines that are left out at the end of a file"),
		props.Text(&s.Decompression, "decompression", "how files are compressed: gzip, zstd, zlib or flate"),
		props.Whole(&s.After, "actionAfterRead", Keep, Move, "what becomes of a file that was read: 0 it stays, 1 it is deleted, 2 it is moved"),
		props.Text(&s.MoveTo, "moveTo", "the directory that read files are moved to"),
	}
}

// Properties describes what can be set of a source of type file.
func Properties() props.Table { return newSettings().table() }

// ParseProps reads the properties of a source of type file. dataSource is the
// stream's DATASOURCE; relative paths are below dir. The error lists every fault.
func ParseProps(given map[string]any, dataSource, dir string) (Options, error) {
	s := newSettings()
	faults := s.table().Read(given)
	o := s.Options
	o.Type, o.Decompression = Type(strings.ToLower(string(o.Type))), strings.ToLower(o.Decompression)
	path := s.path
	switch {
	case dataSource == "" || dataSource == "/":
	case path == "" || filepath.IsAbs(dataSource):
		path = dataSource
	default:
		path = filepath.Join(path, dataSource)
	}
	if o.Path = path; path != "" && !filepath.IsAbs(path) {
		o.Path = filepath.Join(dir, path)
	}
	if s.path == "" && dataSource != "" && !filepath.IsAbs(dataSource) {
		o.Data = filepath.Join(dir, "data", dataSource)
	}
	if o.MoveTo != "" && !filepath.IsAbs(o.MoveTo) {
		o.MoveTo = filepath.Join(dir, o.MoveTo)
	}
	if err := faults.Err(); err != nil {
		return o, fmt.Errorf("file source: %w", err)
	}
	o.EnsureDefaults()
	return o, o.Validate()
}

// list returns the files that are to be read, by name, and whether they are those of
// a directory.
func (o *Options) list() (files []string, dir bool, err error) {
	if o.Data != "" {
		if files, dir, err = list(o.Data); !errors.Is(err, os.ErrNotExist) {
			return files, dir, err
		}
	}
	return list(o.Path)
}

// Ready tells whether there is something that can be read.
func (o *Options) Ready() error {
	files, dir, err := o.list()
	if err == nil && !dir {
		var f *os.File
		if f, err = os.Open(files[0]); err == nil {
			err = f.Close()
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("file source: %s does not exist", o.Path)
	}
	if err != nil {
		return fmt.Errorf("file source: %w", err)
	}
	return nil
}

// list returns the files that path stands for, by name, and whether it is a
// directory.
func list(path string) (files []string, dir bool, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, false, err
	}
	if !info.IsDir() {
		return []string{path}, false, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, true, err
	}
	for _, e := range entries {
		if e.Name()[0] == '.' {
			continue
		}
		name := filepath.Join(path, e.Name())
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return files, true, nil
}
