package loss

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The table of the documents and the reasons in code are the same, line by line.
func TestDocuments(t *testing.T) {
	text, err := os.ReadFile("../../docs/operation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "| reason | counts | meaning | what to do |\n|---|---|---|---|\n")
	if !ok {
		t.Fatal("docs/operation.md has no table of reasons")
	}
	table, _, _ := strings.Cut(rest, "\n\n")
	var want []string
	for _, r := range All() {
		x := texts[r]
		want = append(want, "| `"+x.name+"` | "+x.counts+" | "+x.meaning+" | "+x.remedy+" |")
	}
	if got := strings.Split(table, "\n"); !slices.Equal(got, want) {
		t.Errorf("the table of docs/operation.md is not that of the code; write:\n%s", strings.Join(want, "\n"))
	}
}

func TestTexts(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range All() {
		x := texts[r]
		if x.name == "" || x.counts == "" || x.meaning == "" || x.remedy == "" {
			t.Errorf("reason %d: a text is missing: %+v", r, x)
		}
		if seen[x.name] {
			t.Errorf("two reasons are called %s", x.name)
		}
		seen[x.name] = true
	}
}

func TestCounts(t *testing.T) {
	var l Ledger
	l.Add(Late, 2)
	l.Merge(Counts{Late: 1})
	a := l.Counts()
	a[Broker]++
	b := Counts{Decode: 4}
	b.Merge(&a)
	if got, want := b.Named(), map[string]uint64{"late": 3, "decode": 4, "broker": 1}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if (&Counts{}).Named() != nil {
		t.Error("nothing lost has names")
	}
}
