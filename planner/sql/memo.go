//go:build !slim

package sql

import (
	"container/list"
	"fmt"
	"sync"

	tidb "github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
)

const (
	// memoSize is how many skeletons are remembered; one takes about 2 KB.
	memoSize = 256
	// memoText is the longest canonical text that is remembered.
	memoText = 4 << 10
	// keepText is the longest canonical text whose parser is used again: TiDB's
	// parser never gives back the stack that a text needed.
	keepText = 16 << 10
)

// memo remembers by canonical text what TiDB's parser made of the statements
// used last. It makes the parser when it is needed first: gateways that read no
// SQL after their start do not hold one. It can be used by many goroutines, one
// at a time: a statement takes 10 us.
type memo struct {
	mu     sync.Mutex
	emit   emitter // its buffers are used again
	size   int
	byText map[string]*list.Element
	order  *list.List // of *entry, the one used last in front
	parser *tidb.Parser
	parsed int // statements that TiDB's parser has read
}

type entry struct {
	text     string
	skeleton *skeleton
}

// shared is the memo of the process. It is a variable of the package because
// what it saves is saved across all callers of Parse, and it changes no answer.
var shared = newMemo(memoSize)

func newMemo(size int) *memo {
	return &memo{size: size, byText: make(map[string]*list.Element), order: list.New()}
}

// build returns the tree of draft, which has no faults, as TiDB's parser sees it.
func (m *memo) build(draft *Select) (*Select, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := &m.emit
	defer e.reset()
	e.query(draft)
	s, err := m.skeleton(e)
	if err != nil {
		return nil, &Errors{[]Fault{{Text: err.Error()}}}
	}
	f := filler{places: e.places, values: e.values, sources: e.sources}
	return f.query(s.query, draft), nil
}

// skeleton returns what TiDB's parser makes of e's text.
func (m *memo) skeleton(e *emitter) (*skeleton, error) {
	if el, ok := m.byText[string(e.buf)]; ok {
		m.order.MoveToFront(el)
		return el.Value.(*entry).skeleton, nil
	}
	s, err := m.parse(e)
	if err != nil {
		return nil, err
	}
	if s.places != len(e.places) || s.values != len(e.values) {
		return nil, fmt.Errorf("bug: canonical statement: %d places and %d values became %d and %d", len(e.places), len(e.values), s.places, s.values)
	}
	if len(e.buf) <= memoText {
		text := string(e.buf)
		m.byText[text] = m.order.PushFront(&entry{text, s})
		if m.order.Len() > m.size {
			last := m.order.Back()
			delete(m.byText, m.order.Remove(last).(*entry).text)
		}
	}
	return s, nil
}

func (m *memo) parse(e *emitter) (*skeleton, error) {
	if m.parser == nil {
		m.parser = tidb.New()
	}
	m.parsed++
	p := m.parser
	if len(e.buf) > keepText {
		m.parser = nil
	}
	st, err := p.ParseOneStmt(string(e.buf), "", "")
	if err != nil {
		return nil, fmt.Errorf("bug: canonical statement: %w", err)
	}
	s, ok := st.(*ast.SelectStmt)
	if !ok {
		return nil, fmt.Errorf("bug: canonical statement: became a %T", st)
	}
	b := builder{marks: e.marks}
	return b.build(s)
}

// treeOf returns the tree of draft, which has no faults.
func treeOf(draft *Select) (*Select, error) { return shared.build(draft) }
