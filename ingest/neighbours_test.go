package ingest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/weir-engine/weir/vec"
)

// A message is the same in any company: decoded in one batch with others, by a
// decoder that has seen them, it gives the rows, the texts and the faults that it
// gives alone, under every option.
func TestNeighbours(t *testing.T) {
	for name, c := range neighbourCases() {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(11, uint64(len(name))))
			for round := range 300 {
				var messages []string
				for range 2 + r.IntN(5) {
					messages = append(messages, c.message(r))
				}
				together := decoded(t, c, messages...)
				alone := ""
				for _, m := range messages {
					alone += decoded(t, c, m)
				}
				if together != alone {
					t.Fatalf("round %d: %q:\n together\n%s alone\n%s", round, messages, together, alone)
				}
			}
		})
	}
}

type neighbourCase struct {
	o       Options
	plan    func() *vec.Plan
	message func(r *rand.Rand) string
}

func neighbourCases() map[string]neighbourCase {
	schema := []vec.Field{
		of("a", vec.Int64), withDefault(of("b", vec.Float64), vec.FloatValue(7)), of("s", vec.String), of("t", vec.Timestamp), of("y", vec.Bytes),
		array("l", vec.Type{Kind: vec.Int64}), array("f", vec.Type{Kind: vec.Float64}), object("o", of("x", vec.Int64), of("z", vec.String)),
	}
	loose := func() *vec.Plan {
		cols := []vec.ColumnSpec{{}, {Meta: true}}
		for _, p := range []string{"a", "b", "s", "t", "y", "l", "f", "o", "o/x", "o/z", "o/z/k"} {
			cols = append(cols, vec.ColumnSpec{Path: strings.Split(p, "/")})
		}
		return vec.NewPlan(1, cols)
	}
	typed := func() *vec.Plan {
		return typedPlan(schema, vec.ColumnSpec{}, vec.ColumnSpec{Path: []string{"o", "x"}}, vec.ColumnSpec{Meta: true})
	}
	cases := map[string]neighbourCase{}
	for _, ints := range []bool{false, true} {
		cases[fmt.Sprintf("schemaless/ints=%v", ints)] = neighbourCase{Options{UseInt64: ints}, loose, jsonMessage}
		for _, strict := range []bool{false, true} {
			o := Options{UseInt64: ints, Schema: schema, Strict: strict}
			cases[fmt.Sprintf("typed/ints=%v/strict=%v", ints, strict)] = neighbourCase{o, typed, jsonMessage}
		}
	}
	cases["delimited"] = neighbourCase{Options{Format: "delimited", Columns: []string{"a", "b", "s", "l"}}, loose, lineMessage}
	cases["delimited/typed"] = neighbourCase{Options{Format: "delimited", Schema: schema}, typed, lineMessage}
	cases["urlencoded"] = neighbourCase{Options{Format: "urlencoded"}, loose, formMessage}
	cases["urlencoded/typed"] = neighbourCase{Options{Format: "urlencoded", Schema: schema}, typed, formMessage}
	return cases
}

// someValues are values of every kind, of which some are refused.
var someValues = []string{
	"5", "-2.5", "1e2", "9007199254740993", "-9223372036854775808", "18446744073709551615", "1e400", `"x"`, `"12"`, `"QUI="`, `"\u00e4\n"`, "true", "null",
	"[5]", "[2.5,9007199254740993]", `["x",{"k":1}]`, "[]", `{"x":1}`, `{"x":2.5,"z":{"k":9007199254740993}}`, `{ "z" : "q" }`, "{}", `"{\"x\":1}"`,
}

func jsonMessage(r *rand.Rand) string {
	object := func() string {
		var parts []string
		for range r.IntN(7) {
			key := []string{"a", "b", "s", "t", "y", "l", "f", "o", "none"}[r.IntN(9)]
			parts = append(parts, `"`+key+`":`+someValues[r.IntN(len(someValues))])
		}
		return "{" + strings.Join(parts, []string{",", " , "}[r.IntN(2)]) + "}"
	}
	switch r.IntN(8) {
	case 0:
		return "[" + object() + "," + object() + "]"
	case 1:
		return "  " + object()
	}
	return object()
}

var someTexts = []string{"5", "-2.5", "9007199254740993", "1e400", "inf", "NaN", "0x10", "", "x", "true", "[5]", "[2.5", `{"x":1}`, "QUI=", "2024-02-29"}

func lineMessage(r *rand.Rand) string {
	var parts []string
	for range 1 + r.IntN(8) {
		parts = append(parts, someTexts[r.IntN(len(someTexts))])
	}
	return strings.Join(parts, ",")
}

func formMessage(r *rand.Rand) string {
	var parts []string
	for range 1 + r.IntN(8) {
		key := []string{"a", "b", "s", "t", "y", "l", "f", "o", "none"}[r.IntN(9)]
		parts = append(parts, key+"="+someTexts[r.IntN(len(someTexts))])
	}
	return strings.Join(parts, "&")
}

// decoded is what becomes of messages: their rows, whether their text may be sent on,
// and what was refused.
func decoded(t *testing.T, c neighbourCase, messages ...string) string {
	t.Helper()
	in, f := mustFeed(t, c.o, c.plan())
	out := ""
	f.Begin(1700000000000)
	refused := make([]string, len(messages))
	for i, m := range messages {
		before := f.cur.Rows
		mustPush(t, f, m, uint32(i), Ack{}) // a route of its own, so that its faults are told apart
		refused[i] = fmt.Sprintf("%d rows", f.cur.Rows-before)
		if bad := f.counters(uint32(i)).bad; bad != nil {
			refused[i] += fmt.Sprintf(", %d errors, %d values: %s in %s", bad.errors, bad.values, bad.err, bad.payload)
		}
		refused[i] += "\n"
	}
	f.End()
	g, b := in.Take()
	row := 0
	var rows []string
	if b != nil {
		rows = printRows(t, b)
		defer g.Done(b)
	}
	for i := range messages {
		out += refused[i]
		var n int
		if _, err := fmt.Sscan(refused[i], &n); err != nil {
			t.Fatal(err)
		}
		for range n {
			out += fmt.Sprintf("  %s clean=%v text=%s\n", rows[row], b.Clean.Has(row), b.Raw[b.Row[row].Off:b.Row[row].End])
			row++
		}
	}
	return out
}

// The offset of a fault is that in the message, wherever the text lies in the message
// and the message in its batch.
func TestFaultOffsets(t *testing.T) {
	bad := []string{"tru", "01", "1e400", `"\q"`, "[1,]", "-", `{"x" 1}`}
	around := []string{
		`{"n":1,"a":%s}`, `  {"a":%s}`, "\n[{\"a\":%s}]", `[{"n":[1,2]}, {"n":2,"a":%s}]`, `{"o":{"x":1,"z":{"k":[1, %s]}}}`, `{"none":[{"a":%s}]}`,
	}
	schema := []vec.Field{of("n", vec.Int64), of("a", vec.Float64), object("o", of("x", vec.Int64))}
	for _, o := range []Options{{}, {UseInt64: true}, {Schema: schema}, {Schema: schema, Strict: true}} {
		p := paths("a", "o/z", "n")
		if o.Schema != nil {
			p = typedPlan(schema)
		}
		in, f := mustFeed(t, o, p)
		f.Begin(1)
		mustPush(t, f, `{"n":1,"a":2,"o":{"x":3}}`, 0, Ack{})
		for _, form := range around {
			for _, b := range bad {
				text := fmt.Sprintf(form, b)
				before := f.counters(0)
				errors := uint64(0)
				if before.bad != nil {
					errors = before.bad.errors
				}
				mustPush(t, f, text, 0, Ack{})
				c := f.counters(0).bad
				var at int
				at0 := strings.Index(c.err, "offset ")
				if c.errors != errors+1 || at0 < 0 {
					t.Fatalf("%q: not refused with an offset: %q", text, c.err)
				}
				if _, err := fmt.Sscanf(c.err[at0:], "offset %d:", &at); err != nil {
					t.Fatal(err)
				}
				if from := strings.Index(text, b); at < from || at > from+len(b) {
					t.Errorf("%q: offset %d, but the fault is at %d: %s", text, at, from, c.err)
				}
			}
		}
		f.End()
		g, b := in.Take()
		g.Done(b)
	}
}
