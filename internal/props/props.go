// Package props reads what users set by name: the properties of sources, sinks,
// lookup tables and connections, of the encoding of outputs, and the options of
// rules. A Table says what there is: names, kinds, units, bounds, what each is for.
// One reader works from the tables, so that every form of a value ("5", 5, 5.0,
// "5s", "tRUE", 1e3, a key in another case of letters) means the same everywhere
// and every fault is worded in one way.
//
// A table is made for a struct of options, whose fields its entries fill, as flags
// are in package flag. The values that the fields have before are the defaults. A
// table of a fresh struct is the description of a type, without an instance:
//
//	func (o *options) table() props.Table {
//		return props.Table{
//			props.Text(&o.Topic, "topic", "where messages go").Required(),
//			props.Flag(&o.Retain, "retained", "has the broker keep the last message"),
//		}
//	}
//
//	o := options{}
//	faults := o.table().Read(given)
//	err := faults.Err()
//
// It knows no type, keeps nothing between two calls and logs nothing. Values that
// a user gives never make it panic.
package props

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Kind is what the value of a property is.
type Kind uint8

// The kinds of values, with the forms in which they are taken.
const (
	KindText     Kind = iota // a text
	KindScalar               // a text, which may be written as a number
	KindFlag                 // true or false, also as text in any case of letters
	KindWhole                // a whole number, also as text
	KindNumber               // a number, also as text
	KindDuration             // a text such as "5s", or a number of the property's unit
	KindBytes                // a number of bytes, or a text such as "16MB"
	KindList                 // texts: a list, a JSON array as text, or one text
	KindMap                  // texts by name: an object, or a JSON object as text
	KindOneOf                // one of some texts, in any case of letters
	KindGroup                // an object with properties of its own
	KindOther                // what the property itself reads
)

var kindNames = [...]string{
	"text", "text", "true or false", "whole number", "number", "duration", "size", "list of texts", "object of texts", "choice", "object", "any",
}

// String names the kind as reference pages do.
func (k Kind) String() string { return kindNames[k] }

// Header is one name and value of a KindMap.
type Header struct{ Name, Value string }

// Prop is one property. The functions of this package make it, each for its kind;
// its methods return a copy that says more.
type Prop struct {
	Name    string
	Aliases []string // other names, taken if Name is not there, the first first
	Kind    Kind
	Doc     string // one line: what it does
	// Unit is what a number counts: of durations, and of numbers that have one. ""
	// for those that have none.
	Unit string
	// Min and Max bound numbers; those of durations are in nanoseconds.
	Min, Max float64
	Choices  []string // of KindOneOf
	Fields   Table    // of KindGroup
	// Secret values are never shown, in faults neither.
	Secret bool
	// Must says that there has to be a value.
	Must bool
	// NoEffect is why the property is accepted and has no effect; "" if it has one.
	NoEffect string
	// NotYet is why the property is refused; "" if it is not.
	NotYet string

	want string // what KindOther takes
	def  string // the default, if it depends on others
	unit time.Duration
	to   any               // the field that is filled
	read func(v any) error // of KindOther
	// notice tells of values that are taken for something else; "" for the others.
	notice func(v any) string
}

// Table is the properties of a type.
type Table []Prop

// Text is a property that is a text.
func Text(to *string, name, doc string) Prop { return Prop{Name: name, Doc: doc, to: to} }

// Scalar is a text that may be written as a number, such as a version.
func Scalar(to *string, name, doc string) Prop {
	return Prop{Name: name, Doc: doc, Kind: KindScalar, to: to}
}

// Flag is a property that is true or false.
func Flag(to *bool, name, doc string) Prop {
	return Prop{Name: name, Doc: doc, Kind: KindFlag, to: to}
}

// Whole is a whole number from lo to hi.
func Whole[T ~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64](to *T, name string, lo, hi T, doc string) Prop {
	return Prop{Name: name, Doc: doc, Kind: KindWhole, Min: float64(lo), Max: float64(hi), to: to}
}

// Number is a number from lo to hi.
func Number(to *float64, name string, lo, hi float64, doc string) Prop {
	return Prop{Name: name, Doc: doc, Kind: KindNumber, Min: lo, Max: hi, to: to}
}

// Duration is a span of time that is not negative. A number is of milliseconds.
func Duration(to *time.Duration, name, doc string) Prop {
	return Prop{Name: name, Doc: doc, Kind: KindDuration, Unit: "ms", unit: time.Millisecond, Max: math.MaxInt64, to: to}
}

// Bytes is a size from lo to hi bytes.
func Bytes[T ~int | ~int64 | ~uint64](to *T, name string, lo, hi T, doc string) Prop {
	return Prop{Name: name, Doc: doc, Kind: KindBytes, Unit: "bytes", Min: float64(lo), Max: float64(hi), to: to}
}

// List is a list of texts.
func List(to *[]string, name, doc string) Prop {
	return Prop{Name: name, Doc: doc, Kind: KindList, to: to}
}

// Map is texts by name, in the order of the names.
func Map(to *[]Header, name, doc string) Prop {
	return Prop{Name: name, Doc: doc, Kind: KindMap, to: to}
}

// OneOf is one of choices; the field gets it as it is spelled there. An empty text
// leaves the default.
func OneOf[T ~string](to *T, name, doc string, choices ...string) Prop {
	return Prop{Name: name, Doc: doc, Kind: KindOneOf, Choices: choices, to: to}
}

// Group is an object with properties of its own.
func Group(name, doc string, fields Table) Prop {
	return Prop{Name: name, Doc: doc, Kind: KindGroup, Fields: fields}
}

// Other is a property whose value has a form of its own: read takes it and returns
// an error if it is not as want says.
func Other(name, want, doc string, read func(v any) error) Prop {
	return Prop{Name: name, Doc: doc, Kind: KindOther, want: want, read: read}
}

// Refused is a property that users of other engines know, and that is not taken:
// accepting it would let them wait for its effect.
func Refused(name, why string) Prop {
	return Prop{Name: name, Kind: KindOther, NotYet: why, Doc: "refused: " + why}
}

// Alias adds other names of p.
func (p Prop) Alias(names ...string) Prop {
	p.Aliases = append(p.Aliases[:len(p.Aliases):len(p.Aliases)], names...)
	return p
}

// Required says that there has to be a value, and no empty text.
func (p Prop) Required() Prop {
	p.Must = true
	return p
}

// Hidden says that the value is a secret.
func (p Prop) Hidden() Prop {
	p.Secret = true
	return p
}

// In says what a number counts: of a duration "s" or "ms", else any text.
func (p Prop) In(unit string) Prop {
	p.Unit = unit
	if d, err := time.ParseDuration("1" + unit); err == nil && p.Kind == KindDuration {
		p.unit = d
	}
	return p
}

// Between bounds a duration.
func (p Prop) Between(lo, hi time.Duration) Prop {
	p.Min, p.Max = float64(lo), float64(hi)
	return p
}

// Otherwise describes a default that depends on other properties.
func (p Prop) Otherwise(text string) Prop {
	p.def = text
	return p
}

// Ignored says that the property is accepted and has no effect, and why. Setting
// it to its default is no reason to warn: that is what happens.
func (p Prop) Ignored(why string) Prop {
	p.NoEffect = why
	return p
}

// Notice has some values warned of, which are taken and do something else: tell
// returns what, and "" for the others.
func (p Prop) Notice(tell func(v any) string) Prop {
	p.notice = tell
	return p
}

// And returns t with the properties of others that t does not have.
func (t Table) And(others ...Table) Table {
	out := t[:len(t):len(t)]
	for _, o := range others {
		for i := range o {
			if out.find(o[i].Name) == nil {
				out = append(out, o[i])
			}
		}
	}
	return out
}

// find returns the property with a name or alias, in any case of letters.
func (t Table) find(name string) *Prop {
	for i := range t {
		if t[i].named(name) {
			return &t[i]
		}
	}
	return nil
}

func (p *Prop) named(name string) bool {
	if same(p.Name, name) {
		return true
	}
	for _, a := range p.Aliases {
		if same(a, name) {
			return true
		}
	}
	return false
}

// same tells whether two names are the same in any case of letters.
func same(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// Default returns the default as a user would write it; "" if there is none. The
// table must be fresh: nothing was read into it.
func (p Prop) Default() string { // lint:allow unused: docs/properties.md is made with it, by a test of internal/engine
	if p.def != "" || p.to == nil {
		return p.def
	}
	v := reflect.ValueOf(p.to).Elem()
	if v.IsZero() && p.Kind != KindFlag && !(p.Kind == KindWhole && p.Min <= 0) {
		return ""
	}
	return p.show()
}

// show returns the value of the field as a user would write it.
func (p *Prop) show() string {
	if p.to == nil {
		return ""
	}
	v := reflect.ValueOf(p.to).Elem()
	switch p.Kind {
	case KindBytes:
		return SizeText(v.Convert(reflect.TypeFor[int64]()).Int())
	case KindList:
		return strings.Join(v.Interface().([]string), ",")
	case KindNumber:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	}
	return fmt.Sprint(v.Interface())
}

// Want says what a value must be, in the words of a fault.
func (p *Prop) Want() string {
	switch p.Kind {
	case KindText, KindScalar:
		return "a text"
	case KindFlag:
		return "true or false"
	case KindWhole:
		return "a whole number" + p.bounds(func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) })
	case KindNumber:
		return "a number" + p.bounds(func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) })
	case KindDuration:
		text := p.bounds(func(f float64) string { return time.Duration(f).String() })
		return `a duration such as "5s", or a number of ` + map[time.Duration]string{time.Second: "seconds", time.Millisecond: "milliseconds"}[p.unit] + text
	case KindBytes:
		return `a size such as "16MB", or a number of bytes` + p.bounds(func(f float64) string { return SizeText(int64(f)) })
	case KindList:
		return "a list of texts"
	case KindMap:
		return "an object of texts, or the text of a JSON object"
	case KindOneOf:
		return oneOf(p.Choices)
	case KindGroup:
		return "an object with " + oneOf(p.Fields.Names())
	}
	return p.want
}

// bounds describes Min and Max.
func (p *Prop) bounds(show func(float64) string) string {
	far := float64(1 << 53)
	if p.Kind == KindWhole {
		far = math.MaxInt32
	}
	switch {
	case p.Max < far:
		return " from " + show(p.Min) + " to " + show(p.Max)
	case p.Min != 0 || p.Kind == KindWhole:
		return ", at least " + show(p.Min)
	}
	return ""
}

// Names lists the names of the properties.
func (t Table) Names() []string {
	out := make([]string, len(t))
	for i := range t {
		out[i] = t[i].Name
	}
	return out
}

// oneOf joins words with commas and "or".
func oneOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
