package encode

import (
	"strings"
	"testing"
)

func TestRunawayTemplates(t *testing.T) {
	in := input{rows: []string{`{"a":1}`}, star: true}
	for tmpl, want := range map[string]string{
		`{{range 1000000000000}}{{end}}`:                                                "dataTemplate: ran longer than 1s",
		`{{range 1000000000000}}0123456789012345678901234567890123456789{{end}}`:        "dataTemplate: ", // whichever bound comes first
		`{{define \"x\"}}{{template \"x\"}}{{template \"x\"}}{{end}}{{template \"x\"}}`: "dataTemplate:",  /* too deep or too long */
		`{{repeat 100000000 \"x\"}}`:                                                    "dataTemplate:1:2: executing \"dataTemplate\" at <repeat 100000000 \"x\">: error calling repeat: repeat: at most 1048576 are allowed",
		`{{until 100000000}}`:                                                           "dataTemplate:1:2: executing \"dataTemplate\" at <until 100000000>: error calling until: until: at most 1048576 are allowed",
		`{{untilStep 0 100000000 1}}`:                                                   "dataTemplate:1:2: executing \"dataTemplate\" at <untilStep 0 100000000 1>: error calling untilStep: untilStep: at most 1048576 are allowed",
		`{{seq 100000000}}`:                                                             "dataTemplate:1:2: executing \"dataTemplate\" at <seq 100000000>: error calling seq: seq: at most 1048576 are allowed",
		`{{index . 3}}`:                                                                 "dataTemplate:1:2: executing \"dataTemplate\" at <index . 3>: error calling index: ",
	} {
		e := mustNew(t, `{"dataTemplate":"`+tmpl+`"}`)
		got := rows(t, e, in.projection(), 1)[0]
		if !strings.HasPrefix(got, "error: "+want) {
			t.Errorf("%s: got %s, want %s", tmpl, got, want)
		}
	}
}

func TestTemplateConstructs(t *testing.T) {
	in := input{rows: []string{`{"a":[1,2],"b":"x"}`}, star: true}
	for tmpl, want := range map[string]string{
		`{{range $i, $x := .a}}{{if $i}},{{end}}{{$x}}{{else}}none{{end}}`: "1,2",
		`{{with .zz}}{{.}}{{else}}{{upper .b}}{{end}}`:                     "X",
		`{{define \"f\"}}[{{.}}]{{end}}{{template \"f\" .b}}`:              "[x]",
		`{{range until 3}}{{.}}{{if eq . 1}}{{break}}{{end}}{{end}}`:       "01",
		`{{$s := list 3 1 | toJson}}{{$s}}`:                                "[3,1]",
		`{{(index .a 1)}}{{/* a remark */}}`:                               "2",
		`{{seq 1 3}}{{untilStep 0 4 2}}{{repeat 2 \"ab\"}}`:                "1 2 3[0 2]abab",
		`{{base64 .a}} {{base64 1.5}} {{base64 true}} {{base64 7}}`:        "WzEsMl0= MS41 dHJ1ZQ== Nw==",
		`{{.b | upper | printf \"%s!\"}}`:                                  "X!",
		`{{html \"<\"}} {{len .a}} {{and true .b}}`:                        "&lt; 2 x",
	} {
		e := mustNew(t, `{"sendSingle":true,"dataTemplate":"`+tmpl+`"}`)
		if got := rows(t, e, in.projection(), 1)[0]; got != want {
			t.Errorf("%s: got %s, want %s", tmpl, got, want)
		}
	}
}

func TestDynamic(t *testing.T) {
	if d, dynamic, err := CompileDynamic("a/b"); d != nil || dynamic || err != nil {
		t.Errorf("a plain text: got %v, %v, %v", d, dynamic, err)
	}
	if _, dynamic, err := CompileDynamic("a/{{.x"); dynamic || err == nil || err.Error() != "property:1: unclosed action" {
		t.Errorf("a faulty text: got %v, %v", dynamic, err)
	}
	star := input{rows: []string{`{"dev":"d1","n":5,"f":2.5,"big":1e6,"t":true,"z":null,"g":{"x":1},"l":[1]}`, `{}`}, star: true, except: []string{"l"}}.projection()
	cols := input{
		rows:  []string{`{"dev":"d1","n":5,"f":2.5,"big":1e6,"t":true,"z":null,"g":{"x":1}}`, `{}`},
		plain: []string{"dev", "n", "f", "big", "t", "z", "g"},
	}.projection()
	for text, want := range map[string][2]string{ // on a row, on an array
		"t/{{.dev}}/x":                     {"t/d1/x", "error"},
		"{{.dev}}{{.n}}{{.f}}{{.t}}":       {"d15" + "2.5true", "error"},
		"{{.big}} {{.z}} {{.nope}} {{.l}}": {"1000000 <no value> <no value> <no value>", "error"},
		"{{.g}} {{.g.x}}":                  {"map[x:1] 1", "error"},
		"t/{{(index . 0).dev}}":            {"error", "t/d1"},
		`t/{{index . 0 "dev"}}`:            {"error", "t/d1"},
		`{{len .}}`:                        {"", "1"},
		`{{if .nope}}x{{end}}`:             {"error", "error"}, // an empty text
		`{{upper "x"}}`:                    {"X", "X"},
	} {
		for name, p := range map[string]*struct{ star bool }{"star": {true}, "columns": {false}} {
			proj := cols
			if p.star {
				proj = star
			}
			d, dynamic, err := CompileDynamic(text)
			if err != nil || !dynamic {
				t.Fatalf("%s: got %v, %v", text, dynamic, err)
			}
			got, err := d.EvalRow(proj, 0)
			checkDynamic(t, name+" row "+text, got, err, want[0])
			got, err = d.Eval(proj, []int32{0})
			checkDynamic(t, name+" array "+text, got, err, want[1])
			// The short way gives what the template library gives.
			if parts := d.parts; parts != nil {
				for row := range 2 {
					d.parts = parts
					short, shortErr := d.EvalRow(proj, row)
					d.parts = nil
					long, longErr := d.EvalRow(proj, row)
					if short != long || (shortErr == nil) != (longErr == nil) {
						t.Errorf("%s %s: got %q the short way and %q the long way", name, text, short, long)
					}
				}
			}
		}
	}
	d, _, _ := CompileDynamic("t/{{(index . 0).dev}}")
	if got, err := d.Eval(star, nil); err == nil {
		t.Errorf("an empty array: got %q, want an error", got)
	}
}

func checkDynamic(t *testing.T, what, got string, err error, want string) {
	t.Helper()
	switch {
	case want == "": // differs between inputs
	case want == "error" && err == nil:
		t.Errorf("%s: got %q, want an error", what, got)
	case want != "error" && (err != nil || got != want):
		t.Errorf("%s: got %q, %v, want %q", what, got, err, want)
	}
}
