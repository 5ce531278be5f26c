package sqldb

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	sqlitedb "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// sqlite opens files of SQLite 3 for reading.
var sqlite = driver{
	name:  "sqlite",
	quote: '"',
	mark:  func(int) string { return "?" },
	dsn:   sqliteFile,
	probe: "SELECT 1 FROM sqlite_schema",
	final: func(err error) bool {
		var e *sqlitedb.Error
		return errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_ERROR // a wrong name: of the table or a column
	},
}

// sqliteFile takes path, //path and ///path, with parameters of SQLite behind a
// question mark. A file that is not there is not made.
func sqliteFile(rest, dir string) (string, error) {
	path, query, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "?")
	path, err := url.PathUnescape(path)
	if err != nil {
		return "", err
	}
	if path == "" || path == ":memory:" {
		return "", fmt.Errorf("%q names no file", rest)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", err
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("parameters %q: %w", query, err)
	}
	params.Set("mode", "ro")
	if !params.Has("_pragma") {
		params.Set("_pragma", "busy_timeout(1000)")
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: params.Encode()}
	return u.String(), nil
}
