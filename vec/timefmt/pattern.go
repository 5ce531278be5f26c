package timefmt

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// field is one element of a compiled pattern.
type field struct {
	letter byte // 0 for literal text
	n      int  // how often the letter stands
	text   string
}

// Pattern is a compiled format pattern of the dialect: yyyy yy, M MM MMM MMMM,
// d dd, EEE EEEE, HH, h hh, a, m mm, s ss, S (as many as digits of the second's
// fraction, which brings its dot unless one stands before it), z Z X XX XXX, G;
// a backslash makes the next character literal, quotes make a text literal. It is
// immutable and safe for concurrent use.
type Pattern struct {
	text   string
	fields []field
	layout string // the same as a Go layout, for reading
}

// Compile makes a Pattern of text.
func Compile(text string) (*Pattern, error) {
	p := &Pattern{text: strings.Clone(text)}
	var lit strings.Builder
	r := []rune(text)
	flush := func() {
		if lit.Len() > 0 {
			p.fields = append(p.fields, field{text: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(r); {
		c := r[i]
		switch {
		case c == '\\':
			if i+1 == len(r) {
				return nil, fmt.Errorf("time format %q: nothing follows the backslash", text)
			}
			lit.WriteRune(r[i+1])
			i += 2
		case c == '\'':
			i = quoted(r, i, &lit)
		case c < 128 && strings.IndexByte(letters, byte(c)) >= 0:
			n := 1
			for i+n < len(r) && r[i+n] == c && (n < maxRun(byte(c)) || c == 'S') {
				n++
			}
			dot := c == 'S' && strings.HasSuffix(lit.String(), ".")
			if c == 'y' || c == 'Y' {
				c = 'y'
			}
			if err := check(text, byte(c), n); err != nil {
				return nil, err
			}
			if dot {
				s := lit.String()
				lit.Reset()
				lit.WriteString(s[:len(s)-1])
			}
			flush()
			p.fields = append(p.fields, field{letter: byte(c), n: n})
			i += n
		default:
			lit.WriteRune(c)
			i++
		}
	}
	flush()
	p.layout = p.goLayout()
	return p, nil
}

// letters are the characters that stand for a part of the time.
const letters = "yYGMdEHhamsSzZX"

// maxRun is how many of a letter belong together.
func maxRun(c byte) int {
	switch c {
	case 'y', 'Y', 'M', 'E':
		return 4
	case 'X':
		return 3
	case 'G', 'a', 'z', 'Z':
		return 1
	}
	return 2
}

func check(text string, c byte, n int) error {
	bad := false
	switch c {
	case 'y':
		bad = n != 4 && n != 2
	case 'E':
		bad = n < 3
	case 'H':
		bad = n != 2
	case 'S':
		bad = n > 9
	}
	if bad {
		return fmt.Errorf("time format %q: %q cannot stand %d times", text, c, n)
	}
	return nil
}

// quoted appends the text that begins at the quote r[i] to lit and returns where
// it ends. Two quotes are one quote.
func quoted(r []rune, i int, lit *strings.Builder) int {
	if i+1 < len(r) && r[i+1] == '\'' {
		lit.WriteByte('\'')
		return i + 2
	}
	for i++; i < len(r) && r[i] != '\''; i++ {
		lit.WriteRune(r[i])
	}
	return i + 1
}

// goNames are the Go layout elements of a letter by how often it stands.
var goNames = map[byte][]string{
	'y': {"", "", "06", "", "2006"}, 'G': {"", "AD"},
	'M': {"", "1", "01", "Jan", "January"}, 'd': {"", "2", "02"},
	'E': {"", "", "", "Mon", "Monday"}, 'H': {"", "", "15"}, 'h': {"", "3", "03"}, 'a': {"", "PM"},
	'm': {"", "4", "04"}, 's': {"", "5", "05"},
	'z': {"", "MST"}, 'Z': {"", "-0700"}, 'X': {"", "-07", "-0700", "-07:00"},
}

func (p *Pattern) goLayout() string {
	var b strings.Builder
	for _, f := range p.fields {
		switch f.letter {
		case 0:
			b.WriteString(f.text)
		case 'S':
			b.WriteString("." + strings.Repeat("0", f.n))
		default:
			b.WriteString(goNames[f.letter][f.n])
		}
	}
	return b.String()
}

// Append appends t, written as p says, to dst.
func (p *Pattern) Append(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	for _, f := range p.fields {
		switch f.letter {
		case 0:
			dst = append(dst, f.text...)
		case 'y':
			if f.n == 2 {
				dst = pad(dst, year%100, 2)
			} else {
				dst = pad(dst, year, 4)
			}
		case 'G':
			dst = append(dst, "AD"...)
		case 'M':
			switch f.n {
			case 3:
				dst = append(dst, month.String()[:3]...)
			case 4:
				dst = append(dst, month.String()...)
			default:
				dst = pad(dst, int(month), f.n)
			}
		case 'd':
			dst = pad(dst, day, f.n)
		case 'E':
			name := t.Weekday().String()
			if f.n == 3 {
				name = name[:3]
			}
			dst = append(dst, name...)
		case 'H':
			dst = pad(dst, hour, f.n)
		case 'h':
			dst = pad(dst, (hour+11)%12+1, f.n)
		case 'a':
			dst = append(dst, "AMPM"[hour/12*2:hour/12*2+2]...)
		case 'm':
			dst = pad(dst, minute, f.n)
		case 's':
			dst = pad(dst, second, f.n)
		case 'S':
			nanos := t.Nanosecond()
			for range 9 - f.n {
				nanos /= 10
			}
			dst = pad(append(dst, '.'), nanos, f.n)
		default:
			dst = t.AppendFormat(dst, goNames[f.letter][f.n])
		}
	}
	return dst
}

// pad appends v with at least n digits.
func pad(dst []byte, v, n int) []byte {
	if v < 0 {
		dst, v = append(dst, '-'), -v
	}
	var buf [20]byte
	i := len(buf)
	for ; v > 0 || i == len(buf); v /= 10 {
		i--
		buf[i] = byte('0' + v%10)
	}
	for ; len(buf)-i < n; i-- {
		buf[i-1] = '0'
	}
	return append(dst, buf[i:]...)
}

// Format returns t as p says.
func (p *Pattern) Format(t time.Time) string { return string(p.Append(make([]byte, 0, 32), t)) }

// Parse reads s as p says; text without an offset is local time in loc, and a
// date that p does not hold is that of nowMs.
func (p *Pattern) Parse(s string, loc *time.Location, nowMs int64) (time.Time, error) {
	if loc == nil {
		loc = time.UTC
	}
	t, err := time.ParseInLocation(p.layout, s, loc)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %q does not have the form %q", s, p.text)
	}
	var have parts
	for _, f := range p.fields {
		have.year = have.year || f.letter == 'y'
		have.day = have.day || f.letter == 'd' || f.letter == 'M'
	}
	return fill(t, have, nowMs, loc), nil
}

// cache holds patterns by their text. When it is full it starts again, so that
// patterns made of data cannot fill the memory.
var cache struct {
	sync.Mutex
	byText map[string]*Pattern
}

const maxCached = 256

// Get is Compile with a cache, for patterns that come with the data.
func Get(text string) (*Pattern, error) {
	cache.Lock()
	defer cache.Unlock()
	if p, ok := cache.byText[text]; ok {
		return p, nil
	}
	p, err := Compile(text)
	if err != nil {
		return nil, err
	}
	if cache.byText == nil || len(cache.byText) >= maxCached {
		cache.byText = make(map[string]*Pattern)
	}
	cache.byText[strings.Clone(text)] = p
	return p, nil
}

// Check refuses a pattern that no time is ever written in: with a letter that means
// nothing and stands in no quotes (but T, which stands between date and time), or
// without any part of a time.
func Check(text string) error {
	p, err := Compile(text)
	if err != nil {
		return err
	}
	if i := strings.IndexFunc(bare(text), func(r rune) bool {
		return (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') && r != 'T' && !strings.ContainsRune(letters, r)
	}); i >= 0 {
		return fmt.Errorf("time format %q: %q means nothing: write yyyy MM dd HH mm ss SSS, and letters that stand for themselves in quotes", text, bare(text)[i])
	}
	if !slices.ContainsFunc(p.fields, func(f field) bool { return f.letter != 0 }) {
		return fmt.Errorf("time format %q has no part of a time: write yyyy MM dd HH mm ss SSS", text)
	}
	return nil
}

// bare returns what stands in no quotes and behind no backslash.
func bare(text string) string {
	var out, quote strings.Builder
	r := []rune(text)
	for i := 0; i < len(r); {
		switch r[i] {
		case '\\':
			i += 2
		case '\'':
			i = quoted(r, i, &quote)
		default:
			out.WriteRune(r[i])
			i++
		}
	}
	return out.String()
}
