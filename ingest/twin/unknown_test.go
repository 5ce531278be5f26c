package twin

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/twin/model"
)

// anyRoute accepts the notes of all routes.
func anyRoute(uint32) bool { return true }

// randomModels writes some models whose properties agree or not, and what a plain
// reading of them says: the type of a property for a device, "" for none.
func randomModels(r *rand.Rand) (text string, typeOf func(device, property string) string) {
	types := []string{"int", "float", "boolean", "string"}
	names := []string{"temperature", "Temperature", "TEMPERATURE", "mode", "speed", "on"}
	models := map[string]map[string]string{}
	var specs, devices []string
	for i := range 1 + r.IntN(4) {
		model := fmt.Sprintf("model-%d", i)
		models[model] = map[string]string{}
		var props []string
		for _, n := range r.Perm(len(names))[:1+r.IntN(4)] {
			// Few types, so that models often agree.
			typ := types[r.IntN(1+r.IntN(len(types)))]
			models[model][names[n]] = typ
			props = append(props, fmt.Sprintf(`{"name":%q,"dataType":%q}`, names[n], typ))
		}
		specs = append(specs, fmt.Sprintf(`{"name":%q,"properties":[%s]}`, model, strings.Join(props, ",")))
		if r.IntN(2) == 0 {
			devices = append(devices, fmt.Sprintf(`{"name":"known-%d","id":"known-%d","model":%q}`, i, i, model))
		}
	}
	devices = append(devices, `{"name":"lost","id":"lost","model":"nowhere"}`)
	text = fmt.Sprintf(`{"deviceModels":[%s],"deviceInstances":[%s]}`, strings.Join(specs, ","), strings.Join(devices, ","))
	// in says what one model calls a property: by its spelling, else by a spelling
	// in another case if that is without doubt.
	in := func(model, property string) (string, bool) {
		if t, ok := models[model][property]; ok {
			return t, true
		}
		if t, ok := models[model][strings.ToLower(property)]; ok {
			return t, true
		}
		found, n := "", 0
		for p, t := range models[model] {
			if strings.EqualFold(p, property) {
				found, n = t, n+1
			}
		}
		if n > 1 {
			found = "?" // the order of the file decides
		}
		return found, n > 0
	}
	return text, func(device, property string) string {
		if device == "lost" {
			return ""
		}
		if n, ok := strings.CutPrefix(device, "known-"); ok && strings.Contains(text, fmt.Sprintf(`"name":%q`, device)) {
			t, _ := in("model-"+n, property)
			return t
		}
		agreed, first := "", true
		for model := range models {
			t, ok := in(model, property)
			switch {
			case !ok:
			case t == "?":
				return "?"
			case first:
				agreed, first = t, false
			case agreed != t:
				agreed = ""
			}
		}
		return agreed
	}
}

// TestUnknownDevice compares random models with a plain reading of them: a device
// that stands in no file has the types on which all models agree, in flat columns and
// in flat rows, and what stays text is noted.
func TestUnknownDevice(t *testing.T) {
	shown := map[string]string{"int": `1i`, "float": `1`, "boolean": "true", "string": `"1"`, "": `"1"`}
	inRow := map[string]string{"int": `1`, "float": `1`, "boolean": "true", "string": `"1"`, "": `"1"`}
	names := []string{"temperature", "Temperature", "mode", "MODE", "speed", "on", "other"}
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 7))
		text, typeOf := randomModels(r)
		models := parse(t, text)
		var twins []string
		for _, n := range names {
			twins = append(twins, fmt.Sprintf(`%q:{"actual":{"value":"1"}}`, n))
		}
		payload := `{"twin":{` + strings.Join(twins, ",") + `}}`
		for _, device := range []string{"stranger", "known-0", "known-1", "lost"} {
			topic := "$hw/events/device/" + device + "/twin/update"
			notes := new(Notes)
			h := newHarness(t, Options{Models: models, Notes: notes}, ingest.Options{}, plan(names...))
			h.push(topic, payload, payload)
			flat := newHarness(t, Options{Models: models, Format: Flat}, ingest.Options{}, plan("*"))
			flat.push(topic, payload)
			row := flat.rows([]string{"*"})[0]
			var want, untyped []string
			for _, n := range names {
				typ := typeOf(device, n)
				if typ == "?" {
					typ = models.Common().Property(n).Type.String()
					if m := models.Device("", device); m != nil {
						typ = m.Property(n).Type.String()
					}
					if typ == "unknown" {
						typ = ""
					}
				}
				if typ == "" {
					untyped = append(untyped, n)
				}
				want = append(want, n+"="+shown[typ])
				if member := fmt.Sprintf(`%q:%s`, n, inRow[typ]); !strings.Contains(row, member+",") && !strings.HasSuffix(row, member+"}") {
					t.Fatalf("seed %d, device %s: got the row %s, want %s in it\n%s", seed, device, row, member, text)
				}
			}
			if got := h.rows(names); got[0] != strings.Join(want, " ") || got[1] != got[0] {
				t.Fatalf("seed %d, device %s:\n got %s\nwant %s\n%s", seed, device, got[0], want, text)
			}
			told := strings.Join(notes.Texts(anyRoute), "\n")
			for _, n := range names {
				noted := slices.Contains(strings.FieldsFunc(told, func(c rune) bool { return strings.ContainsRune(" ,:", c) }), n)
				if noted != slices.Contains(untyped, n) {
					t.Fatalf("seed %d, device %s: notes %q, want %v in them\n%s", seed, device, told, untyped, text)
				}
			}
		}
	}
}

func TestStrict(t *testing.T) {
	models := parse(t, `{"deviceModels":[{"name":"m","properties":[{"name":"temperature","dataType":"int"}]}]}`)
	for _, c := range []struct {
		strict bool
		want   string
		notes  string
	}{
		{false, "temperature=5i device=\"x\"", "[]"},
		{true, "temperature=\"5\" device=\"x\"", `[device "x": temperature stays text: the device is in none of the model files, and kubeedgeModelStrict is set]`},
	} {
		notes := new(Notes)
		h := newHarness(t, Options{Models: models, Strict: c.strict, Notes: notes}, ingest.Options{}, plan("temperature", "device", "model"))
		h.push("$hw/events/device/ns/x/twin/update", `{"twin":{"temperature":{"actual":{"value":"5"}}}}`)
		if got := h.rows([]string{"temperature", "device", "model"})[0]; got != c.want {
			t.Errorf("strict %v: got %s, want %s", c.strict, got, c.want)
		}
		if got := fmt.Sprint(notes.Texts(anyRoute)); got != c.notes {
			t.Errorf("strict %v: got notes %s, want %s", c.strict, got, c.notes)
		}
	}
}

// TestNotesAreBounded has many devices with many properties that nothing types.
func TestNotesAreBounded(t *testing.T) {
	models := parse(t, `{"deviceModels":[{"name":"m","properties":[{"name":"temperature","dataType":"int"}]}]}`)
	notes := new(Notes)
	h := newHarness(t, Options{Models: models, Format: Flat, Notes: notes}, ingest.Options{}, plan("*"))
	var twins []string
	for i := range 40 {
		twins = append(twins, fmt.Sprintf(`"p%d":{"actual":{"value":"a"}}`, i))
	}
	payload := `{"twin":{` + strings.Join(twins, ",") + `}}`
	for i := range 200 {
		h.push(fmt.Sprintf("$hw/events/device/d%d/twin/update", i), payload)
		h.rows([]string{"*"})
	}
	texts := notes.Texts(anyRoute)
	if len(texts) != maxNotes+1 || !strings.Contains(texts[maxNotes], "more devices") {
		t.Fatalf("got %d notes, the last %q", len(texts), texts[len(texts)-1])
	}
	if n := strings.Count(texts[0], ","); n != maxUntypedOfs {
		t.Errorf("got %d commas in %q, want %d", n, texts[0], maxUntypedOfs)
	}
}

// TestCommonCost holds that a device that stands in no file costs no more
// allocations than one that does.
func TestCommonCost(t *testing.T) {
	models := parse(t, `{"deviceModels":[{"name":"m","properties":[{"name":"temperature","dataType":"int"}]}],"deviceInstances":[{"id":"d","name":"d","model":"m"}]}`)
	var allocs [2]float64
	for i, device := range []string{"d", "stranger"} {
		h := newHarness(t, Options{Models: models, Notes: new(Notes)}, ingest.Options{}, plan("temperature", "other"))
		topic, route := "$hw/events/device/"+device+"/twin/update", h.feed.Route([]uint32{1})
		meta, payload := &ingest.Meta{Topic: topic}, []byte(`{"twin":{"temperature":{"actual":{"value":"5"}},"other":{"actual":{"value":"x"}}}}`)
		allocs[i] = testing.AllocsPerRun(200, func() {
			h.feed.Begin(1)
			if err := h.feed.Push(payload, route, meta, ingest.Ack{}); err != nil {
				t.Fatal(err)
			}
			h.feed.End()
			f, b := h.in.Take()
			f.Done(b)
		})
	}
	if allocs[0] != allocs[1] {
		t.Errorf("got %v allocations a message, want as many for both devices", allocs)
	}
}

func TestModelWarnings(t *testing.T) {
	w := Warnings(map[string]any{"kubeedgeModelFile": "profile.json"}, from(models))
	if len(w) != 1 || !strings.Contains(w[0], "lonely") {
		t.Errorf("got %q, want the warning about a device without its model", w)
	}
	if w := Warnings(map[string]any{"kubeedgeModelFile": "."}, from(models)); len(w) < 2 || !strings.Contains(strings.Join(w, "\n"), `property "temperature" is `) {
		t.Errorf("got %q, want the properties on which models disagree", w)
	}
	if w := Warnings(map[string]any{"kubeedgeModelFile": ".", "kubeedgeModelStrict": true}, from(models)); len(w) != 1 {
		t.Errorf("strict: got %q, want no word about types that are not used", w)
	}
	o, _, err := ParseProps(map[string]any{"kubeedgeModelFile": "short.json"}, from(models))
	if err != nil {
		t.Fatal(err)
	}
	if got := o.Columns()["Tag1"]; got != model.Int {
		t.Errorf("columns: got %v for Tag1, want int", got)
	}
}
