package fn

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/weir-engine/weir/vec"
)

var codecs = []string{"zlib", "gzip", "flate", "zstd"}

func transformFuncs() []*Func {
	const group = "transform"
	base64Only := mustBe(1, vec.String, "string", oneOf(1, "Only base64 is supported for the 2nd parameter", []string{"base64"}, literals(wantText)))
	known := oneOf(1, "Expect one of zlib, gzip, flate, zstd for the 2nd parameter", codecs, literals(wantText))
	return []*Func{
		scalar(group, "cast(x, type)", `The value as "bigint", "float", "string", "boolean", "datetime" or "bytea"; what cannot be converted is an error.`,
			`cast("0x10", "bigint")`, castRow).prepared(prepareCast).kernels(castKernel).
			checked(oneOf(1, "Expect one of following value for the 2nd parameter: "+strings.Join(castNames, ", "), castNames, literals(anyLiteral, wantText))),
		scalar(group, "chr(x)", "The code point of a character, or of a number that is one.", `chr("A")`, chr).checked(literals(wantChar)),
		scalar(group, "compress(x, codec)", "The bytes of a text compressed with zlib, gzip, flate or zstd.",
			`cast(decompress(compress("Hello", "zlib"), "zlib"), "string")`, compressRow).checked(known),
		scalar(group, "convert_tz(t, zone)", "The same instant with the offset of a time zone.", `convert_tz("2024-03-15T10:20:30Z", "Asia/Shanghai")`, convertTZ).
			checked(literals(wantTime, wantText)),
		scalar(group, "dec2hex(n)", "A whole number in hexadecimal, with 0x.", `dec2hex(31)`, dec2hex).checked(literals(wantInt)),
		scalar(group, "decode(s, encoding)", "The bytes that a base64 text stands for.", `cast(decode("SGVsbG8=", "base64"), "string")`, decodeRow).checked(base64Only),
		scalar(group, "decompress(x, codec)", "The bytes that compress made smaller.",
			`cast(decompress(compress("Hello", "gzip"), "gzip"), "string")`, decompressRow).checked(known),
		scalar(group, "encode(x, encoding)", "The text in base64.", `encode("Hello", "base64")`, encodeRow).checked(base64Only),
		scalar(group, "hex2dec(s)", "The whole number that a hexadecimal text, with or without 0x, stands for.", `hex2dec("0x1f")`, hex2dec).checked(literals(wantText)),
		scalar(group, "to_seconds(t)", "A time as seconds since 1970.", `to_seconds("2024-03-15T10:20:30Z")`, toSeconds).checked(literals(wantTime)),
		scalar(group, "trunc(x, digits)", "The number rounded to so many decimals.", `trunc(2.567, 2)`, truncRow).checked(literals(wantNumber, wantInt)),
	}
}

func chr(_ *Ctx, args []vec.Value) (vec.Value, error) {
	switch v := args[0]; v.Kind {
	case vec.Int64, vec.Float64:
		if i, ok := v.WholePart(); ok {
			return integer(int64(int32(i)))
		}
	case vec.String:
		if r, n := utf8.DecodeRuneInString(v.S); n > 0 && n == len(v.S) {
			return integer(int64(r))
		}
		return vec.Value{}, Wrong("one character", v)
	}
	return vec.Value{}, Wrong("a number or one character", args[0])
}

// zones holds time zones by name: loading one reads a file. It is bounded by the
// number of names that exist.
var zones struct {
	sync.Mutex
	byName map[string]*time.Location
}

func zone(name string) (*time.Location, error) {
	zones.Lock()
	defer zones.Unlock()
	if loc, ok := zones.byName[name]; ok {
		return loc, nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("unknown time zone %q", name)
	}
	if zones.byName == nil {
		zones.byName = make(map[string]*time.Location)
	}
	zones.byName[strings.Clone(name)] = loc
	return loc, nil
}

func convertTZ(c *Ctx, args []vec.Value) (vec.Value, error) {
	t, err := c.time(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	loc, err := zone(Text(args[1]))
	if err != nil {
		return vec.Value{}, err
	}
	return c.instant(t.In(loc)), nil
}

func dec2hex(_ *Ctx, args []vec.Value) (vec.Value, error) {
	n, err := whole(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	return text("0x" + strconv.FormatInt(n, 16)) // -1 is 0x-1, which hex2dec reads
}

func hex2dec(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if args[0].Kind != vec.String {
		return vec.Value{}, Wrong("a hexadecimal text", args[0])
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(args[0].S, "0x"), 16, 64)
	if err != nil {
		return vec.Value{}, Wrong("a hexadecimal text", args[0])
	}
	return integer(n)
}

func encodeRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if err := isBase64(args[1]); err != nil {
		return vec.Value{}, err
	}
	if args[0].Kind != vec.String && args[0].Kind != vec.Bytes {
		return vec.Value{}, Wrong("a text", args[0])
	}
	return text(base64.StdEncoding.EncodeToString([]byte(args[0].S)))
}

func decodeRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	if err := isBase64(args[1]); err != nil {
		return vec.Value{}, err
	}
	if args[0].Kind != vec.String {
		return vec.Value{}, Wrong("a text", args[0])
	}
	b, err := base64.StdEncoding.DecodeString(args[0].S)
	if err != nil {
		return vec.Value{}, Wrong("base64", args[0])
	}
	return vec.BytesValue(b), nil
}

func isBase64(v vec.Value) error {
	if v.Kind != vec.String || !strings.EqualFold(v.S, "base64") {
		return Wrong("the encoding base64", v)
	}
	return nil
}

func toSeconds(c *Ctx, args []vec.Value) (vec.Value, error) {
	t, err := c.time(args[0])
	return vec.IntValue(t.Unix()), err
}

func truncRow(_ *Ctx, args []vec.Value) (vec.Value, error) {
	x, err := number(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	d, err := whole(args[1])
	if err != nil {
		return vec.Value{}, err
	}
	scale := math.Pow(10, float64(min(max(d, -400), 400)))
	scaled := math.Trunc(x*scale + math.Copysign(0.5, x*scale))
	if math.IsInf(scaled, 0) || scale == 0 || math.IsInf(scale, 0) {
		return vec.FloatValue(roundBig(x, int(min(max(d, -400), 400)))), nil
	}
	return vec.FloatValue(scaled / scale), nil
}
