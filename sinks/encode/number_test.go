package encode

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What a template writes of numbers: plain digits everywhere, the forms of printf, and
// comparisons of whole numbers with floats.
func TestTemplateNumbers(t *testing.T) {
	in := input{rows: []string{`{"ts":1700000040000,"small":0.00001,"f":23.5,"n":20240115,"id":9007199254740993,"big":1e300,"z":-0.0,"l":[1700000040000,[0.00001,"x",null]],"o":{"k":1e21,"id":9007199254740993}}`}, star: true}
	for tmpl, want := range map[string]string{
		`{{.ts}} {{.small}} {{.f}} {{.n}} {{.id}}`:               "1700000040000 0.00001 23.5 20240115 9007199254740993",
		`{{.z}} {{len (print .big)}} {{.big | print | trunc 3}}`: "-0 301 100",
		`{{.l}} {{.o}}`: "[1700000040000 [0.00001 x <nil>]] map[id:9007199254740993 k:1000000000000000000000]",
		`{{range .l}}{{.}};{{end}}{{.o.k}} {{index .l 0}}`:                                                                 "1700000040000;[0.00001 x <nil>];1000000000000000000000 1700000040000",
		`{{print .ts .small}} {{println .n}}`:                                                                              "1700000040000 0.00001 20240115\n",
		`{{printf \"%v %s %6v|%-6v|%+v\" .ts .small .f .f .f}}`:                                                            "1700000040000 0.00001   23.5|23.5  |+23.5",
		`{{printf \"%.2f %8.1f %e %g\" .ts .f .f .ts}}`:                                                                    "1700000040000.00     23.5 2.350000e+01 1.70000004e+12",
		`{{printf \"%d %05d %x\" .n 7 255}} {{printf \"%.1f\" 7}}`:                                                         "20240115 00007 ff 7.0",
		`{{printf \"%d\" .f}} {{printf \"%.1f %d\" .id .id}}`:                                                              "%!d(float64=23.5) 9007199254740992.0 9007199254740993",
		`{{.ts | toString}} {{quote .ts}} {{squote .small}} {{cat .ts .n}}`:                                                `1700000040000 "1700000040000" '0.00001' 1700000040000 20240115`,
		`{{join \"-\" .l}} {{sortAlpha (list 10.5 1700000040000.0)}}`:                                                      "1700000040000-[0.00001 x <nil>] [10.5 1700000040000]",
		`{{html .ts}} {{urlquery .ts}} {{js .ts}} {{base64 .ts}}`:                                                          "1700000040000 1700000040000 1700000040000 MTcwMDAwMDA0MDAwMA==",
		`{{toJson .l}} {{json .o}}`:                                                                                        `[1700000040000,[0.00001,"x",null]] {"id":9007199254740993,"k":1e+21}`,
		`{{add .n 1}} {{addf .f 0.25}} {{mul .n 2}} {{round .f 0}} {{int64 .ts}}`:                                          "20240116 23.75 40480230 24 1700000040000",
		`{{if gt .f 23}}a{{end}}{{if lt .f 23.6}}b{{end}}{{if ge .n 20240115.0}}c{{end}}`:                                  "abc",
		`{{if eq .n 20240115}}a{{end}}{{if eq .n 1 20240115}}b{{end}}{{if ne .id 9007199254740992}}c{{end}}`:               "abc",
		`{{if eq .id 9007199254740993}}a{{end}}{{if le 9007199254740993 .o.id}}b{{end}}`:                                   "ab",
		`{{if eq \"a\" \"a\"}}a{{end}}{{if lt \"a\" \"b\"}}b{{end}}{{if eq true true}}c{{end}}{{if eq .none nil}}d{{end}}`: "abcd",
		`{{if eq .f \"23.5\"}}{{end}}`:                                                                                     "error: dataTemplate:1:5: executing \"dataTemplate\" at <eq .f \"23.5\">: error calling eq: incompatible types for comparison",
		`{{if eq .f}}{{end}}`:                                                                                              "error: dataTemplate:1:5: executing \"dataTemplate\" at <eq .f>: error calling eq: missing argument for comparison",
		`{{if gt .l 5}}{{end}}`:                                                                                            "error: dataTemplate:1:5: executing \"dataTemplate\" at <gt .l 5>: error calling gt: incompatible types for comparison",
		`{{$x := .ts}}{{$x}}{{with .ts}}{{.}}{{end}} {{default 1 .ts}}`:                                                    "17000000400001700000040000 1700000040000",
		`{{define \"t\"}}<{{.}}>{{end}}{{template \"t\" .ts}}`:                                                             "<1700000040000>",
	} {
		e := mustNew(t, `{"sendSingle":true,"dataTemplate":"`+tmpl+`"}`)
		if got := rows(t, e, in.projection(), 1)[0]; got != want {
			t.Errorf("%s:\n got  %s\n want %s", tmpl, got, want)
		}
	}
}

var exponent = regexp.MustCompile(`[0-9]e[-+]?[0-9]`)

// Whatever way a number takes into a text, it is the same plain digits, and they are
// the number.
func TestNumberTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	templates := []string{
		`{{.a}}`, `x{{.a}}`, `{{print .a}}`, `{{.a | toString}}`, `{{printf "%v" .a}}`, `{{printf "%s" .a}}`, `{{range .l}}{{.}}{{end}}`, `{{index .l 0}}`,
		`{{.o.k}}`, `{{join "" .l}}`, `{{cat .a}}`, `{{with .a}}{{.}}{{else}}{{.a}}{{end}}`,
	}
	for range 3000 {
		text := anyNumber(r)
		row := fmt.Sprintf(`{"a":%s,"l":[%s],"o":{"k":%s}}`, text, text, text)
		for _, p := range []input{{rows: []string{row}, star: true}, {rows: []string{row}, plain: []string{"a", "l", "o"}}} {
			proj := p.projection()
			want := ""
			for _, tmpl := range templates {
				d, _, err := CompileDynamic(tmpl)
				if err != nil {
					t.Fatal(err)
				}
				got, err := d.EvalRow(proj, 0)
				if err != nil {
					t.Fatal(err)
				}
				got = strings.TrimPrefix(got, "x")
				if want == "" {
					want = got
				}
				if zero, _ := strconv.ParseFloat(text, 64); got != want && zero != 0 { // {{with 0}} is false
					t.Fatalf("%s of %s: got %s, and %s of %s", tmpl, text, got, want, templates[0])
				}
			}
			line := rows(t, mustNew(t, `{"format":"delimited","fields":["a"]}`), proj, 1)[0]
			if line != want || exponent.MatchString(want) || !sameNumber(text, want) {
				t.Fatalf("%s: got %s, and %s in delimited text", text, want, line)
			}
		}
	}
}

// anyNumber is a JSON number of any size.
func anyNumber(r *rand.Rand) string {
	switch r.IntN(4) {
	case 0:
		return strconv.FormatInt(int64(r.Uint64()), 10)
	case 1:
		return strconv.FormatInt(r.Int64N(1e6), 10)
	case 2:
		return strconv.FormatFloat(float64(r.IntN(100000))/1000, 'f', -1, 64)
	}
	return strconv.FormatFloat(r.NormFloat64()*[]float64{1e-300, 1e-9, 1, 1e9, 1e18, 1e300}[r.IntN(6)], 'g', -1, 64)
}

// sameNumber tells whether two texts are one number: exactly if it is a whole one of 64
// bits, else as float64.
func sameNumber(a, b string) bool {
	if i, err := strconv.ParseInt(a, 10, 64); err == nil {
		x, ok := new(big.Int).SetString(b, 10)
		return ok && x.Cmp(big.NewInt(i)) == 0
	}
	f, err := strconv.ParseFloat(a, 64)
	g, err2 := strconv.ParseFloat(b, 64)
	return err == nil && err2 == nil && f == g
}
