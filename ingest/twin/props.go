package twin

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/weir-engine/weir/ingest/source"
)

// ParseFormat returns the format called name, in any case.
func ParseFormat(name string) (Format, error) {
	switch strings.ToLower(name) {
	case "both":
		return Both, nil
	case "flat":
		return Flat, nil
	case "raw":
		return Raw, nil
	}
	return Both, fmt.Errorf("unknown format %q, want raw, flat or both", name)
}

// Loader reads device models for any number of streams: those with the same
// files share one Models. The zero Loader is ready; it is safe for concurrent use.
type Loader struct {
	mu     sync.Mutex
	loaded map[string]loaded
}

type loaded struct {
	models *Models
	stamp  string
}

// Load is the function Load, which it calls once for files that do not change.
func (l *Loader) Load(path, dir string) (*Models, error) {
	if path != "" && !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	stamp, err := stampOf(path)
	if err != nil {
		return nil, fmt.Errorf("device model: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if x, ok := l.loaded[path]; ok && x.stamp == stamp {
		return x.models, nil
	}
	m, err := Load(path, "")
	if err != nil {
		return nil, err
	}
	if l.loaded == nil {
		l.loaded = make(map[string]loaded)
	}
	l.loaded[path] = loaded{m, stamp}
	return m, nil
}

// stampOf tells one version of a file, or of a directory's files, from another.
func stampOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = modelFiles(path); err != nil {
			return "", err
		}
	}
	var b strings.Builder
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s\x00%d\x00%s\n", f, info.Size(), info.ModTime().Format(time.RFC3339Nano))
	}
	return b.String(), nil
}

// ParseProps reads what a source's properties say about twins, and tells whether
// a stream over the topic filters gets this package's decoder: it does with a
// model file or a format, and where all filters are KubeEdge's.
//
//   - kubeedgeModelFile: a model file or a directory of them, see Load
//   - kubeedgeVersion: accepted, and of no effect: the form of the file shows
//   - kubeedgeFormat: both (default), flat or raw
func ParseProps(props map[string]any, filters []string, l *Loader, dir string) (o Options, use bool, err error) {
	p := source.NewProps(props)
	if v := p.Any("kubeedgeVersion"); v != nil {
		switch v.(type) {
		case string, float64, int, int64:
		default:
			p.Fault("kubeedgeVersion", "want a text, found %v", v)
		}
	}
	name := p.String("kubeedgeFormat", "")
	if name != "" {
		if o.Format, err = ParseFormat(name); err != nil {
			p.Fault("kubeedgeFormat", "%v", err)
		}
	}
	file := p.String("kubeedgeModelFile", "")
	if file != "" {
		if o.Models, err = l.Load(file, dir); err != nil {
			p.Fault("kubeedgeModelFile", "%v", err)
		}
	}
	if err := p.Err(); err != nil {
		return Options{}, false, err
	}
	use = file != "" || name != ""
	if !use && len(filters) > 0 {
		use = true
		for _, f := range filters {
			use = use && IsFilter(f)
		}
	}
	return o, use, nil
}
