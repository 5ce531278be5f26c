package sim

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/weir-engine/weir/internal/props"
)

// Form is the shape of the messages.
type Form uint8

// The forms, each with the topic that KubeEdge has it on.
const (
	Update   Form = iota // $hw/events/device/<id>/twin/update
	Document             // $hw/events/device/<id>/twin/update/document
	Data                 // $ke/events/device/<id>/data/update
	Flat                 // devices/<id>: an object of plain values
)

var formNames = [...]string{"update", "document", "data", "flat"}

var formTopics = [...]string{
	"$hw/events/device/{device}/twin/update", "$hw/events/device/{device}/twin/update/document",
	"$ke/events/device/{device}/data/update", "devices/{device}",
}

// String returns the name of f.
func (f Form) String() string {
	if int(f) < len(formNames) {
		return formNames[f]
	}
	return "invalid"
}

// ParseForm returns the form called name, in any case.
func ParseForm(name string) (Form, error) {
	for i, n := range formNames {
		if strings.EqualFold(n, name) {
			return Form(i), nil
		}
	}
	return 0, fmt.Errorf("form %q: unknown, want %s", name, strings.Join(formNames[:], ", "))
}

// Property is one simulated property.
type Property struct {
	// Name is the property's name.
	Name string
	// Type is float (default), int, boolean or string.
	Type string
	// Min and Max bound the values of float and int; default 0 and 100.
	Min, Max float64
	// Decimals is the number of digits behind the point of float, 1 to 6; default 2.
	Decimals int
	// Values are what a string goes through; default on, off.
	Values []string
}

// Options configures a simulation. The zero value simulates 100 devices that
// report one property a message, one message a device and second.
type Options struct {
	// Devices is the number of devices; default 100.
	Devices int
	// Prefix begins their names, which are <prefix>-0001 and so on; default sensor.
	Prefix string
	// Namespace stands in topics before the device, with a slash, as KubeEdge does
	// since 1.16.2; default none, as before.
	Namespace string
	// Topic replaces the topic of the form; {device} stands for the device's id.
	Topic string
	// Form is the shape of the messages; default Update.
	Form Form
	// Properties are what each device has; default temperature and humidity as
	// float, pressure as int, and door as boolean.
	Properties []Property
	// PerMessage is how many properties a message reports, which take turns;
	// default one, as mappers do, or all in form Flat.
	PerMessage int
	// Rate is messages a second over all devices; 0 means one a device and second,
	// Unpaced as fast as they are taken.
	Rate float64
	// Count ends the simulation after so many messages; 0 means never.
	Count uint64
	// Seed picks the values; equal seeds give equal values.
	Seed uint64
	// Drift is the largest step of a value from message to message, as a share of
	// its range; default 0.02.
	Drift float64
	// Spikes is the share of numbers beyond the range, by up to a tenth of it;
	// default none.
	Spikes float64
	// Clock paces the messages and dates them; default the system's.
	Clock Clock
}

// Unpaced is the Rate of a simulation that waits for nothing but its receiver.
const Unpaced = -1

// EnsureDefaults fills in the fields that were left zero.
func (o *Options) EnsureDefaults() {
	if o.Devices == 0 {
		o.Devices = 100
	}
	if o.Prefix == "" {
		o.Prefix = "sensor"
	}
	if o.Topic == "" && int(o.Form) < len(formTopics) {
		o.Topic = formTopics[o.Form]
	}
	if len(o.Properties) == 0 {
		o.Properties = []Property{
			{Name: "temperature", Max: 100},
			{Name: "humidity", Min: 20, Max: 95, Decimals: 1},
			{Name: "pressure", Type: "int", Min: 900, Max: 1100},
			{Name: "door", Type: "boolean"},
		}
	}
	props := make([]Property, len(o.Properties))
	for i, p := range o.Properties {
		p.ensureDefaults()
		props[i] = p
	}
	o.Properties = props
	if o.PerMessage == 0 {
		if o.PerMessage = 1; o.Form == Flat {
			o.PerMessage = len(o.Properties)
		}
	}
	if o.Rate == 0 {
		o.Rate = float64(o.Devices)
	}
	if o.Drift == 0 {
		o.Drift = 0.02
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
}

func (p *Property) ensureDefaults() {
	if p.Type = strings.ToLower(p.Type); p.Type == "" {
		p.Type = "float"
	}
	if p.Min == 0 && p.Max == 0 {
		p.Max = 100
	}
	switch p.Type {
	case "float":
		if p.Decimals == 0 {
			p.Decimals = 2
		}
	case "string":
		if len(p.Values) == 0 {
			p.Values = []string{"on", "off"}
		}
	}
}

// Validate lists every fault of o.
func (o *Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("simulation: "+format, args...)) }
	if o.Devices < 1 || o.Devices > 10_000_000 {
		fault("devices %d: want 1 to 10000000", o.Devices)
	}
	if o.PerMessage < 1 || o.PerMessage > len(o.Properties) {
		fault("properties per message %d: want 1 to %d", o.PerMessage, len(o.Properties))
	}
	if int(o.Form) >= len(formNames) {
		fault("form %d: unknown", o.Form)
	}
	if o.Rate < 0 && o.Rate != Unpaced || math.IsNaN(o.Rate) || math.IsInf(o.Rate, 0) {
		fault("rate %g: want messages a second", o.Rate)
	}
	for _, s := range []struct {
		name string
		v    float64
	}{{"drift", o.Drift}, {"spikes", o.Spikes}} {
		if !(s.v >= 0 && s.v <= 1) {
			fault("%s %g: want 0 to 1", s.name, s.v)
		}
	}
	if strings.ContainsAny(o.Topic+o.Prefix+o.Namespace, "+#\x00") {
		fault("topic, prefix and namespace: must not contain + or #")
	}
	seen := map[string]bool{}
	for _, p := range o.Properties {
		if seen[p.Name] {
			fault("property %q: is there twice", p.Name)
		}
		seen[p.Name] = true
		if text := p.fault(); text != "" {
			fault("property %q: %s", p.Name, text)
		}
	}
	return errors.Join(faults...)
}

func (p *Property) fault() string {
	const limit = 1e9 // with 6 decimals well inside int64
	switch {
	case p.Name == "" || !plain(p.Name):
		return "want a name of plain characters"
	case p.Type != "float" && p.Type != "int" && p.Type != "boolean" && p.Type != "string":
		return fmt.Sprintf("type %q: unknown, want float, int, boolean or string", p.Type)
	case !(p.Min < p.Max) || p.Min < -limit || p.Max > limit:
		return fmt.Sprintf("range %g to %g: want the smaller first, within %g", p.Min, p.Max, limit)
	case p.Decimals < 0 || p.Decimals > 6 || p.Type != "float" && p.Decimals != 0:
		return fmt.Sprintf("decimals %d: want 1 to 6, of type float only", p.Decimals)
	case p.Type == "string" && !plain(strings.Join(p.Values, "")):
		return "values must be of plain characters"
	}
	return ""
}

// plain tells whether s stands in JSON text as it is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == '"' || s[i] == '\\' || s[i] > '~' {
			return false
		}
	}
	return true
}

func (o *Options) appendDevice(b []byte, i int) []byte {
	b = append(b, o.Prefix...)
	b = append(b, '-')
	for n := i + 1; n < 1000; n *= 10 {
		b = append(b, '0')
	}
	return strconv.AppendInt(b, int64(i+1), 10)
}

func (o *Options) topic(i int) string {
	id := string(o.appendDevice(nil, i))
	if o.Namespace != "" {
		id = o.Namespace + "/" + id
	}
	return strings.ReplaceAll(o.Topic, "{device}", id)
}

// table is the properties of a source of type sim.
func (o *Options) table() props.Table {
	return props.Table{
		props.Whole(&o.Devices, "devices", 1, 10_000_000, "the number of devices"),
		props.Text(&o.Prefix, "prefix", "how their names begin, before -0001 and so on"),
		props.Text(&o.Namespace, "namespace", "makes the ids in topics <namespace>/<device>"),
		props.Text(&o.Topic, "topic", "the topic; {device} stands for the device's id").Otherwise("that of the form"),
		props.Other("form", strings.Join(formNames[:], ", "), "the shape of the messages: "+strings.Join(formNames[:], ", "), o.readForm).Otherwise(formNames[0]),
		props.Other("properties", "a list of names or objects", "what each device has: names, or objects with name, type, min, max, decimals, values", o.readProperties).
			Otherwise("temperature, humidity, pressure and door"),
		props.Whole(&o.PerMessage, "perMessage", 1, 1000, "properties that a message reports, which take turns").Otherwise("1, or all in form flat"),
		props.Number(&o.Rate, "rate", Unpaced, 1e9, "messages over all devices; -1: as fast as they are taken").In("messages a second").Otherwise("one a device and second"),
		props.Whole(&o.Count, "count", 0, math.MaxInt64>>11, "messages after which the simulation ends; 0: never"),
		props.Whole(&o.Seed, "seed", 0, math.MaxInt64>>11, "picks the values: equal seeds give equal values"),
		props.Number(&o.Drift, "drift", 0, 1, "the largest step of a value, as a share of its range"),
		props.Number(&o.Spikes, "spikes", 0, 1, "the share of numbers that lie beyond the range"),
	}
}

// Properties describes what can be set of a source of type sim.
func Properties() props.Table {
	o := new(Options)
	o.EnsureDefaults()
	return o.table()
}

// ParseProps reads the properties of a source of type sim. The error lists every
// fault.
func ParseProps(given map[string]any) (Options, error) {
	var o Options
	if err := o.table().Read(given).Err(); err != nil {
		return o, err
	}
	o.EnsureDefaults()
	return o, o.Validate()
}

// readForm reads the name of a form.
func (o *Options) readForm(v any) (err error) {
	name, ok := v.(string)
	if !ok {
		return fmt.Errorf("want a text, got %s", props.Quote(v))
	}
	if name != "" {
		o.Form, err = ParseForm(name)
	}
	return err
}

// readProperties reads what each device has.
func (o *Options) readProperties(v any) error {
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("want a list, got %s", props.Quote(v))
	}
	var faults props.Faults
	for _, x := range list {
		var p Property
		switch x := x.(type) {
		case string:
			p.Name = x
		case map[string]any:
			faults.Join(p.table().Read(x).Err())
		default:
			faults.Join(fmt.Errorf("want names or objects, got %s", props.Quote(x)))
		}
		o.Properties = append(o.Properties, p)
	}
	return faults.Err()
}

func (p *Property) table() props.Table {
	return props.Table{
		props.Text(&p.Name, "name", "the property's name"),
		props.Text(&p.Type, "type", "float, int, boolean or string"),
		props.Number(&p.Min, "min", -1e9, 1e9, "the least value"),
		props.Number(&p.Max, "max", -1e9, 1e9, "the largest value"),
		props.Whole(&p.Decimals, "decimals", 0, 6, "digits behind the point of float"),
		props.List(&p.Values, "values", "what a string goes through"),
	}
}
