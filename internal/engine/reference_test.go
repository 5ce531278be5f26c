package engine

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/ingest/lookup"
	"github.com/weir-engine/weir/ingest/twin"
	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/planner/ruledef"
	"github.com/weir-engine/weir/sinks/encode"
)

const referencePage = "../../docs/properties.md"

var rewrite = flag.Bool("rewrite", false, "write "+referencePage)

const referenceHead = `# Properties and options

This page is made of the tables that weir reads properties with ("make rewrite"). Names are found in any case of letters. A whole number is taken
as 5, 5.0, "5" or 1e3; a duration as text with its unit ("5s", "1h30m") or as a number of the unit that stands here; a size as "16MB" or as a
number of bytes; a flag as true or "true"; a list as a list, a JSON array as text, or one text. Everything that is wrong is told at once; what
does not exist or has no effect is warned of in the answer to the call.
`

// TestReference holds the reference page of properties to the tables.
func TestReference(t *testing.T) {
	typ := newTypes(typeEnv{})
	if typ.lookups["sql"].Check == nil {
		t.Skip("a slim build has not all types")
	}
	var b strings.Builder
	b.WriteString(referenceHead)
	section(&b, "Rules: options", ruledef.OptionProperties())
	section(&b, "Every sink", sinkTable())
	section(&b, "Every sink: messages", encode.Properties())
	for _, name := range slices.Sorted(maps.Keys(typ.sinks)) {
		section(&b, "Sink "+name, typ.sinks[name].Properties())
	}
	section(&b, "Every source", feedTable(new(bool)))
	section(&b, "Every source: device twins", twin.Properties())
	for _, name := range slices.Sorted(maps.Keys(typ.sources)) {
		section(&b, "Source "+name, propertiesOf(typ.sources[name].Properties))
	}
	section(&b, "Every lookup table", lookup.Properties())
	for _, name := range slices.Sorted(maps.Keys(typ.lookups)) {
		section(&b, "Lookup table "+name, propertiesOf(typ.lookups[name].Properties))
	}
	if *rewrite {
		if err := os.WriteFile(referencePage, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	page, err := os.ReadFile(referencePage)
	if err != nil || string(page) != b.String() {
		t.Errorf("docs/properties.md is not what the tables say, %v: run make rewrite", err)
	}
}

// section writes the table of a type; nothing if it is empty.
func section(b *strings.Builder, title string, table props.Table) {
	if len(table) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n| name | value | default | what it does |\n|---|---|---|---|\n", title)
	rows(b, "", table)
}

func rows(b *strings.Builder, path string, table props.Table) {
	for _, p := range table {
		names := "`" + path + p.Name + "`"
		for _, a := range p.Aliases {
			names += ", `" + path + a + "`"
		}
		def := p.Default()
		if def != "" && !strings.Contains(def, " ") {
			def = "`" + def + "`"
		}
		text := p.Doc
		if p.Must {
			text += "; required"
		}
		if p.Secret {
			text += "; secret"
		}
		if p.NoEffect != "" {
			text += ". No effect: " + p.NoEffect
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", names, valueOf(p), def, strings.ReplaceAll(text, "|", "\\|"))
		rows(b, path+p.Name+".", p.Fields)
	}
}

// valueOf describes what a property takes.
func valueOf(p props.Prop) string {
	switch {
	case p.NotYet != "":
		return "-"
	case p.Kind == props.KindOneOf:
		return "`" + strings.Join(p.Choices, "`, `") + "`"
	case p.Kind == props.KindGroup:
		return p.Kind.String()
	case p.Kind == props.KindWhole, p.Kind == props.KindNumber, p.Kind == props.KindBytes, p.Kind == props.KindOther:
		text := strings.TrimPrefix(p.Want(), "a ")
		if p.Unit != "" && p.Kind != props.KindBytes {
			text += ", in " + p.Unit
		}
		return text
	case p.Unit != "":
		return p.Kind.String() + ", in " + p.Unit
	}
	return p.Kind.String()
}
