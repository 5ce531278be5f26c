package rawjson

import (
	"sync"

	"github.com/valyala/fastjson"
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
}

var parsers = sync.Pool{New: func() any { return new(parser) }}

// getParser lends a parser; putParser takes it back. What the parser returned is
// gone with it.
func getParser(sizeBytes int) *parser {
	p := parsers.Get().(*parser)
	p.met = max(p.met, sizeBytes)
	return p
}

func putParser(p *parser) {
	if p.met > maxPooledBytes {
		return
	}
	parsers.Put(p)
}
