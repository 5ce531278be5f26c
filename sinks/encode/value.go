package encode

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/segmentio/encoding/json"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/rawjson"
)

// plainBytes are the bytes that stand for themselves in a JSON string; the HTML
// characters do not, as in encoding/json.
var plainBytes = func() (t [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return t
}()

const hexDigits = "0123456789abcdef"

// appendText appends s as a JSON string, byte for byte as encoding/json does.
func appendText[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plainBytes[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			i++
			start = i
			continue
		}
		r, n := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, hexDigits[r&0xf])
		default:
			i += n
			continue
		}
		i += n
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendEscape appends the escape of an ASCII character.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// appendFloat appends f byte for byte as encoding/json does.
func appendFloat(dst []byte, f float64) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, fmt.Errorf("json: unsupported value: %s", strconv.FormatFloat(f, 'g', -1, 64))
	}
	return vec.AppendJSONFloat(dst, f), nil
}

// appendTime appends an instant as RFC 3339 text in quotes.
func appendTime(dst []byte, t time.Time) []byte {
	dst = append(dst, '"')
	dst = t.AppendFormat(dst, time.RFC3339Nano)
	return append(dst, '"')
}

func appendBytes[T string | []byte](dst []byte, b T) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, []byte(b))
	return append(dst, '"')
}

// appendAny appends a tree with the keys of objects in order.
func appendAny(dst []byte, x any) ([]byte, error) {
	out, err := json.Append(dst, x, json.EscapeHTML|json.SortMapKeys)
	if err != nil {
		return dst, err
	}
	return out, nil
}

// appendColumn appends the valid value that c has in row. clean says that raw JSON
// in c is clean text.
func appendColumn(dst []byte, c *vec.Column, row int, clean bool, loc *time.Location) ([]byte, error) {
	switch c.Kind {
	case vec.Float64:
		return appendFloat(dst, c.Floats[row])
	case vec.Int64:
		return strconv.AppendInt(dst, c.Ints[row], 10), nil
	case vec.String:
		return appendText(dst, c.Dict.Bytes(c.Codes[row])), nil
	case vec.Bool:
		return strconv.AppendBool(dst, c.Bits.Has(row)), nil
	case vec.Timestamp:
		return appendTime(dst, time.UnixMilli(c.Ints[row]).In(loc)), nil
	case vec.JSON, vec.Bytes:
		if c.Data == nil {
			return appendValue(dst, c.Vals[row], loc)
		}
		text := c.Data[c.Spans[row].Off:c.Spans[row].End]
		switch {
		case c.Kind == vec.Bytes:
			return appendBytes(dst, text), nil
		case clean:
			return append(dst, text...), nil
		}
		return rawjson.AppendCompact(dst, text)
	case vec.Variant:
		return appendValue(dst, c.Vals[row], loc)
	}
	return append(dst, "null"...), nil
}

// appendValue appends one value of a column that holds values.
func appendValue(dst []byte, v vec.Value, loc *time.Location) ([]byte, error) {
	switch v.Kind {
	case vec.Float64:
		if v.I != 0 {
			return strconv.AppendInt(dst, v.I, 10), nil
		}
		return appendFloat(dst, v.F)
	case vec.Int64:
		return strconv.AppendInt(dst, v.I, 10), nil
	case vec.String:
		return appendText(dst, v.S), nil
	case vec.Bool:
		return strconv.AppendBool(dst, v.I != 0), nil
	case vec.Timestamp:
		return appendTime(dst, v.Instant(loc)), nil
	case vec.Bytes:
		return appendBytes(dst, v.S), nil
	case vec.JSON:
		if v.X != nil {
			return appendAny(dst, v.X)
		}
		return rawjson.AppendCompact(dst, []byte(v.S))
	}
	return append(dst, "null"...), nil
}
