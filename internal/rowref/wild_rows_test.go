package rowref

import (
	"strconv"
	"strings"
)

// payload makes a message of everything that a device may send.
func (g *wild) payload(ts int64) string {
	var parts []string
	tame := g.chance(50)
	add := func(name, value string) {
		switch n := g.n(12); {
		case tame && n > 0:
		case n == 0:
			return
		case n == 1:
			value = "null"
		case n == 2:
			value = g.hostile()
		}
		parts = append(parts, g.f("%q:%s", name, value))
	}
	parts = append(parts, g.f(`"ts":%d`, ts))
	add("id", strconv.Itoa(g.n(3)))
	add("a", g.jsonNumber(true))
	add("b", g.jsonNumber(false))
	add("c", strconv.Itoa(g.n(5)-1))
	add("s", strconv.Quote(g.one(texts...)))
	add("t", g.hostileText())
	add("p", g.one("true", "false"))
	add("o", g.one(`{"x":1,"y":"a"}`, `{"y":"a","x":1.0}`, `{ "x" : 1e0,"y":"\u0061"}`, `{"x":2}`, `{}`, `{"x":{"y":[1]},"y":""}`))
	add("l", g.one("[1,2,3]", "[]", "[3]", "[2,null,3]", `["a",{"b":1}]`))
	add("d", g.one(`"2024-03-15 10:20:30"`, "1710498030000", `"2024-03-15T10:20:30.5+08:00"`, `"no"`))
	add("z", g.one(`"SGVsbG8="`, `"?"`))
	g.r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return "{" + strings.Join(parts, ",") + "}"
}

func (g *wild) jsonNumber(whole bool) string {
	if g.huge && g.chance(8) {
		return g.one("9007199254740993", "9223372036854775807", "-9223372036854775808", "1e308", "-0.0", "5e-324", "18446744073709551616", "1E+2")
	}
	if whole || g.chance(40) {
		return strconv.Itoa(g.n(8) - 2)
	}
	return strconv.FormatFloat(float64(g.n(17)-8)/4, 'f', -1, 64)
}

func (g *wild) hostileText() string {
	return g.one(`""`, `"a"`, `"日本"`, `"\u0000"`, `"\ud83d\ude00"`, `"a\nb"`, `"1e3"`, `" 5 "`, `"true"`, `"null"`, `"`+strings.Repeat("x", 70)+`"`)
}

func (g *wild) hostile() string {
	return g.one("[]", "{}", "[[]]", `{"":null}`, `[{"a":[1,{"b":null}]}]`, "true", "-1", "0", "1.5", `""`, `"x"`, "[null]", `{"x":{"x":{"x":1}}}`, g.jsonNumber(false), g.hostileText())
}
