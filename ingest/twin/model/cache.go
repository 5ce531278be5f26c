package model

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Cache loads model files that many streams name: once, and again when they have
// changed. The zero value but for Dir is ready. Its method may be called from any
// goroutine.
type Cache struct {
	Dir string // of relative paths

	mu   sync.Mutex
	list []loaded // the one that was used last is the last one
}

// loaded is what was read from a path, with the files that it was read from.
type loaded struct {
	path   string
	files  []stamp
	models *Models
}

// stamp tells whether a file is as it was.
type stamp struct {
	path string
	size int64
	at   time.Time
}

const (
	maxLoaded = 8
	// settled is how old a file must be for its time to tell whether it changes.
	settled = 2 * time.Second
)

// Load is the function Load, unless the files are as they were the last time. What
// could not be loaded is tried again.
func (c *Cache) Load(path string) (*Models, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := stamps(path, c.Dir)
	i := slices.IndexFunc(c.list, func(l loaded) bool { return l.path == path })
	if i >= 0 {
		l := c.list[i]
		c.list = slices.Delete(c.list, i, i+1)
		if files != nil && slices.Equal(l.files, files) {
			c.list = append(c.list, l)
			return l.models, nil
		}
	}
	m, err := Load(path, c.Dir)
	if err != nil || files == nil {
		return m, err
	}
	if len(c.list) == maxLoaded {
		c.list = slices.Delete(c.list, 0, 1)
	}
	c.list = append(c.list, loaded{path, files, m})
	return m, nil
}

// stamps returns the files behind a path as they are; nil if one of them may change
// without a sign, or cannot be seen.
func stamps(path, dir string) []stamp {
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = modelFiles(path); err != nil {
			return nil
		}
	}
	var out []stamp
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil || time.Since(info.ModTime()) < settled {
			return nil
		}
		out = append(out, stamp{f, info.Size(), info.ModTime()})
	}
	return out
}
