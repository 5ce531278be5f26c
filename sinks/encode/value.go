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

// maxExact bounds the decimals that appendFloat finds by itself: up to 15 digits,
// no two decimals are the same float64, so the first that gives f is the shortest.
const maxExact = 1e15

// appendFloat appends f byte for byte as encoding/json does. Whole numbers and
// those of up to three decimals, which is what devices report, are written without
// strconv's search for the shortest text: a third of its time.
func appendFloat(dst []byte, f float64) ([]byte, error) {
	a := math.Abs(f)
	if a < maxExact {
		if i := int64(f); float64(i) == f && (i != 0 || !math.Signbit(f)) {
			return strconv.AppendInt(dst, i, 10), nil
		}
		if a >= 1e-3 && a < maxExact/1000 {
			if d := int64(a*10 + 0.5); float64(d)/10 == a {
				return appendDecimal(dst, f, d, 10), nil
			}
			if d := int64(a*100 + 0.5); float64(d)/100 == a {
				return appendDecimal(dst, f, d, 100), nil
			}
			if d := int64(a*1000 + 0.5); float64(d)/1000 == a {
				return appendDecimal(dst, f, d, 1000), nil
			}
		}
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return dst, fmt.Errorf("json: unsupported value: %s", strconv.FormatFloat(f, 'g', -1, 64))
	}
	if a != 0 && (a < 1e-6 || a >= 1e21) {
		dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
		// e-09 is written e-9.
		if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-3] == '-' && dst[n-2] == '0' {
			dst[n-2] = dst[n-1]
			dst = dst[:n-1]
		}
		return dst, nil
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64), nil
}

// appendDecimal appends d/unit with the sign of f; unit is 10, 100 or 1000.
func appendDecimal(dst []byte, f float64, d, unit int64) []byte {
	if f < 0 {
		dst = append(dst, '-')
	}
	dst = strconv.AppendInt(dst, d/unit, 10)
	dst = append(dst, '.')
	rest := d % unit
	for unit > 1 {
		unit /= 10
		dst = append(dst, byte('0'+rest/unit%10))
	}
	return dst
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
