//go:build !slim

package sql

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// canonicalText returns what TiDB's parser reads of text.
func canonicalText(text string) (canonical string, ok bool) {
	e := emitter{}
	e.query(draftOf(text))
	return string(e.buf), true
}

// TestMemo shows that statements which differ in literals and sources only
// meet TiDB's parser once, and that the memory for them is bounded.
func TestMemo(t *testing.T) {
	m := newMemo(4)
	parse := func(text string) {
		t.Helper()
		s, err := m.build(draftOf(text))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(s, draftOf(text)) {
			t.Fatalf("%s became %s", text, dump(s))
		}
	}
	for i := range 8000 {
		parse(fmt.Sprintf("SELECT temperature, 'x%d' AS x FROM line%d WHERE temperature > %d AND line%d.a = -%d.5", i, i, i, i, i))
	}
	if m.parsed != 1 || m.order.Len() != 1 {
		t.Errorf("TiDB's parser read %d statements and %d are kept, want 1 and 1", m.parsed, m.order.Len())
	}
	for i := range 10 {
		parse(fmt.Sprintf("SELECT a%d FROM s", i))
	}
	parse("SELECT a9 FROM t")
	if m.parsed != 11 || m.order.Len() != 4 || len(m.byText) != 4 {
		t.Errorf("TiDB's parser read %d statements and %d are kept, want 11 and 4", m.parsed, m.order.Len())
	}
	parse("SELECT a FROM s WHERE a = 1" + strings.Repeat(" OR a = 1", 2000))
	if m.parser != nil || m.order.Len() != 4 {
		t.Error("the parser of a long statement, or the statement, is kept")
	}
}
