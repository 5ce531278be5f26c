//go:build slim

package sql

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unsafe"
)

// canonicalText has no text: nobody reads it in a slim build.
func canonicalText(string) (canonical string, ok bool) { return "", false }

// Names are not cut from the statement's text, which would keep it as long as the
// rule runs.
func TestNames(t *testing.T) {
	text := strings.Clone("SELECT alpha->beta AS gamma, s.*, * EXCEPT (delta) REPLACE (epsilon AS zeta), eta(theta) FILTER (WHERE iota) OVER (PARTITION BY kappa) " +
		"FROM stream AS s INNER JOIN other AS o ON s.lambda = o.lambda WHERE my > 1 GROUP BY ny, SLIDINGWINDOW(ss, 10) FILTER (WHERE xi) OVER (WHEN omikron) HAVING pi ORDER BY rho")
	s, err := ParseSelect(text)
	if err != nil {
		t.Fatal(err)
	}
	from := uintptr(unsafe.Pointer(unsafe.StringData(text)))
	s.Text = ""
	n := 0
	var look func(path string, v reflect.Value)
	look = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				look(path, v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				look(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				look(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.String:
			if v.Len() == 0 {
				return
			}
			n++
			if at := uintptr(unsafe.Pointer(unsafe.StringData(v.String()))); at >= from && at < from+uintptr(len(text)) {
				t.Errorf("%s: %q is a part of the statement's text", path, v)
			}
		}
	}
	look("", reflect.ValueOf(s))
	if n < 20 {
		t.Errorf("looked at %d names, want at least 20", n)
	}
}
