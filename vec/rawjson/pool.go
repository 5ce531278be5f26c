package rawjson

import (
	"strings"
	"sync"

	"github.com/valyala/fastjson"

	"github.com/weir-engine/weir/internal/invariants"
)

// maxPooledBytes bounds the text that a pooled parser may have met: a parser keeps
// its copy of the text and one value for each of its parts, about twenty times
// the text, so one that met a large payload is let go.
const maxPooledBytes = 1 << 20

// parser is a fastjson parser with the scratch memory that Parse needs beside it.
type parser struct {
	fast fastjson.Parser
	text []byte // number text; text with mended surrogates
	met  int    // the largest text so far, in bytes
	size int    // of the text now
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

// getParser lends a parser; putParser takes it back. What the parser returned is
// gone with it.
func getParser(sizeBytes int) *parser {
	p := parsers.Get().(*parser)
	p.met, p.size = max(p.met, sizeBytes), sizeBytes
	return p
}

// poison writes over the text and the first value of a parser that is given back, in
// builds with the tag invariants.
func (p *parser) poison() {
	if !invariants.Enabled {
		return
	}
	invariants.Bytes(p.text)
	if _, err := p.fast.Parse(`"` + strings.Repeat("P", max(p.size, 2)-2) + `"`); err != nil {
		invariants.Fail("a parser cannot be poisoned: %v", err)
	}
}

func putParser(p *parser) {
	p.poison()
	if p.met > maxPooledBytes {
		return
	}
	parsers.Put(p)
}
