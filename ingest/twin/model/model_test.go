package model

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, path string) *Models {
	t.Helper()
	m, err := Load(path, "testdata")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// parseModel reads the text of one model file; name is used in errors.
func parseModel(name string, data []byte) (*Models, error) {
	b := newBuilder()
	b.file(name, data)
	return b.build(name)
}

func typeOf(m *Models, namespace, device, property string) string {
	p := m.Device(namespace, device).Property(property)
	if p == nil {
		return "-"
	}
	return p.Type.String()
}

func TestLoad(t *testing.T) {
	for _, c := range []struct{ file, namespace, device, property, want string }{
		{"profile.json", "", "sensor-tag-instance-01", "temperature", "int"},
		{"profile.json", "", "sensor-tag", "temperature", "int"},
		{"profile.json", "default", "sensor-tag-instance-01", "io-data", "float"},
		{"profile.json", "", "SENSOR-TAG", "Temperature", "int"},
		{"profile.json", "", "sensor-tag", "raw", "bytes"},
		{"profile.json", "", "sensor-tag", "temperature-enable", "string"},
		{"profile.json", "", "sensor-tag", "humidity", "-"},
		{"profile.json", "", "lonely", "temperature", "-"},
		{"profile.json", "", "other", "temperature", "-"},
		{"short.json", "", "device1", "tag1", "int"},
		{"short.json", "", "Device1", "tag2", "float"},
		{"short.json", "ns", "device1", "tag3", "string"},
		{"v1alpha1.yaml", "default", "sensor-tag-01", "temperature", "int"},
		{"v1alpha1.yaml", "", "sensor-tag-01", "temperature-enable", "string"},
		{"v1beta1.yaml", "plant", "temperature-instance", "temperature", "float"},
		{"v1beta1.yaml", "plant", "temperature-instance", "temperature-switch", "int"},
		{"v1beta1.yaml", "plant", "temperature-instance", "camera", "bytes"},
		{"v1beta1.yaml", "plant", "temperature-instance", "door", "boolean"},
		{"v1beta1.yaml", "default", "temperature-instance", "temperature", "int"},
		{"v1beta1.yaml", "", "temperature-instance", "temperature", "float"},
		{".", "plant", "temperature-instance", "temperature", "float"},
		{".", "", "device1", "tag1", "int"},
	} {
		if got := typeOf(load(t, c.file), c.namespace, c.device, c.property); got != c.want {
			t.Errorf("%s: type of %s/%s %s: got %s, want %s", c.file, c.namespace, c.device, c.property, got, c.want)
		}
	}
	p := load(t, "v1beta1.yaml").Device("plant", "temperature-instance").Property("temperature")
	if p.Unit != "Celsius" || p.Min != "0" || p.Max != "100.0" {
		t.Errorf("got %+v, want unit, minimum and maximum", *p)
	}
	p = load(t, "v1alpha1.yaml").Device("", "sensor-tag-01").Property("temperature")
	if p.Unit != "degree celsius" || p.Max != "100" {
		t.Errorf("got %+v, want unit and maximum", *p)
	}
	w := load(t, "profile.json").Warnings
	if len(w) != 1 || !strings.Contains(w[0], `profile.json:6:3: device "lonely": model "gone"`) {
		t.Errorf("warnings: got %q", w)
	}
}

func TestLoadFaults(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"m.json", "", "m.json: file is empty"},
		{"m.json", " \n", "m.json: file is empty"},
		{"m.json", "{\"deviceModels\":[\n {\"name\":\"a\",}]}", "m.json:2:13: invalid character '}'"},
		{"m.json", `{"deviceModels":[`, "m.json:1:18: unexpected end of JSON"},
		{"m.json", `{"a":1}`, "m.json:1:1: want deviceModels, or a resource"},
		{"m.json", `{"deviceModels":[]}`, "has no device model"},
		{"m.json", `{"deviceModels":{}}`, "m.json:1:17: deviceModels: want a list, found an object"},
		{"m.json", `{"deviceModels":[1]}`, "m.json:1:18: deviceModels: want an object, found a value"},
		{"m.json", `{"deviceModels":[{"properties":[]}]}`, "m.json:1:18: deviceModels: want name"},
		{
			"m.json", "{\"deviceModels\":[{\"name\":\"a\",\"properties\":[{\"name\":\"x\",\"dataType\":\"complex\"},\n{\"dataType\":\"int\"}, 5]}]}",
			"m.json:1:67: model \"a\": property \"x\": unknown type \"complex\" (want int, float, double, string, boolean, bytes or stream)\nm.json:2:1: model \"a\": properties: want name\nm.json:2:21: model \"a\": properties: want an object, found a value",
		},
		{"m.yaml", "a: b: c: d", "m.yaml:1:"},
		{"m.yaml", "just text", "m.yaml:1:1: want an object, found a value"},
		{"m.yaml", "kind: DeviceModel\nmetadata: {name: x}\n", "m.yaml:1:1: DeviceModel: want spec"},
		{"m.yaml", "kind: DeviceModel\nmetadata: {}\nspec: {}\n", "metadata: want name"},
		{"m.yaml", "kind: DeviceModel\nmetadata: {name: x}\nspec:\n  properties:\n  - name: y\n    type: [int]\n", `m.yaml:6:11: model "x": property "y": want one type, found a list`},
		{"m.json", strings.Repeat("[", 100000), "nested more than 64 levels"},
		{"m.yaml", "a: " + strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "nested more than 64 levels"},
		{"m.yaml", "a: *x", `alias "x" has no anchor`},
	} {
		_, err := parseModel(c.name, []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

func TestLoadPaths(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load("gone.json", dir); err == nil || !strings.Contains(err.Error(), "gone.json") {
		t.Errorf("missing file: got %v", err)
	}
	if _, err := Load(dir, ""); err == nil || !strings.Contains(err.Error(), "has no .json") {
		t.Errorf("empty directory: got %v", err)
	}
	if _, err := Load("", dir); err == nil {
		t.Error("no path: got no error")
	}
	// A ConfigMap volume: the files are links through ..data.
	data := filepath.Join(dir, "..2026_07_25")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	text := `{"deviceModels":[{"name":"d","properties":[{"name":"p","dataType":"int"}]}]}`
	if err := os.WriteFile(filepath.Join(data, "m.json"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, l := range [][2]string{{"..2026_07_25", "..data"}, {"..data/m.json", "m.json"}} {
		if err := os.Symlink(l[0], filepath.Join(dir, l[1])); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Load(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := typeOf(m, "", "d", "p"); got != "int" {
		t.Errorf("through links: got %s, want int", got)
	}
}

func TestAgreement(t *testing.T) {
	of := func(types ...Type) []*Model {
		var out []*Model
		for _, typ := range types {
			out = append(out, &Model{Properties: []Property{{Name: "p", Type: typ}}, byName: map[string]int{"p": 0}})
		}
		return out
	}
	for _, c := range []struct {
		models []*Model
		want   Type
	}{
		{of(), Unknown},
		{of(Unknown), Unknown},
		{of(Int, Int), Int},
		{of(Int, Float), Unknown},
		{of(Unknown, Int), Int},
		{of(Int, Unknown), Int},
		{of(Int, Unknown, Float), Unknown},
	} {
		if got := agreement(c.models, "p"); got != c.want {
			t.Errorf("%d models: got %s, want %s", len(c.models), got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*")
	if err != nil || len(files) == 0 {
		f.Fatal("no models", err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseModel("m", data)
		if err == nil {
			m.Device("ns", "d").Property("p")
		}
	})
}
