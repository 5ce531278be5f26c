package props

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Fault is what is wrong with one property.
type Fault struct {
	Name string // as the user wrote it
	Err  error  // what is wanted, and what was typed
}

// Error words the fault of a property.
func (f *Fault) Error() string {
	if m, ok := f.Err.(missing); ok {
		return fmt.Sprintf("property %q %s", f.Name, string(m))
	}
	return fmt.Sprintf("property %q: %v", f.Name, f.Err)
}

// Unwrap returns what is wrong.
func (f *Fault) Unwrap() error { return f.Err }

// missing is the fault of a property that is not there.
type missing string

// Error says what the property is.
func (m missing) Error() string { return string(m) }

// Faults is what is wrong with a set of properties.
type Faults []error

// Add notes what is wrong with a property; format begins with what is wanted.
func (f *Faults) Add(name, format string, args ...any) {
	*f = append(*f, &Fault{name, fmt.Errorf(format, args...)})
}

// Missing notes that a property has no value and has to have one; doc is what it is.
func (f *Faults) Missing(name, doc string) {
	*f = append(*f, &Fault{name, missing("is required: " + doc)})
}

// Join notes faults that were found elsewhere; err may be nil.
func (f *Faults) Join(err error) {
	if err != nil {
		*f = append(*f, err)
	}
}

// Err returns all faults as one error, one a line; nil if there are none.
func (f Faults) Err() error { return errors.Join(f...) }

// given is one property as a user gave it.
type given struct {
	low  string // the name in lower case
	name string
	v    any
}

// set is what a user gave, by name in lower case.
type set []given

// fold sorts m by name in lower case. Names that differ in case only are a fault:
// either could be meant. A value of null is none.
func fold(m map[string]any, f *Faults) set {
	s := make(set, 0, len(m))
	for name, v := range m {
		if v != nil {
			s = append(s, given{strings.ToLower(name), name, v})
		}
	}
	slices.SortFunc(s, func(a, b given) int {
		if a.low != b.low {
			return strings.Compare(a.low, b.low)
		}
		return strings.Compare(a.name, b.name)
	})
	for i := 1; i < len(s); i++ {
		if s[i].low == s[i-1].low {
			f.Add(s[i].name, "is there as %q, too: names are the same in any case of letters", s[i-1].name)
		}
	}
	return s
}

// get finds what stands for p: its name before its aliases.
func (s set) get(p *Prop) (given, bool) {
	if g, ok := s.named(p.Name); ok {
		return g, true
	}
	for _, a := range p.Aliases {
		if g, ok := s.named(a); ok {
			return g, true
		}
	}
	return given{}, false
}

func (s set) named(name string) (given, bool) {
	for i := range s {
		if same(s[i].low, name) {
			return s[i], true
		}
	}
	return given{}, false
}

// Read fills the fields of the table from m and returns everything that is wrong.
// What m leaves out keeps its default, and so does what is wrong. Names of m that
// the table does not have are left alone, see Warnings.
func (t Table) Read(m map[string]any) Faults {
	var f Faults
	s := fold(m, &f)
	for i := range t {
		p := &t[i]
		g, ok := s.get(p)
		if !ok {
			if p.Must && p.empty() {
				f.Missing(p.Name, p.Doc)
			}
			continue
		}
		p.take(g, &f)
	}
	return f
}

// take reads one value into the field of p.
func (p *Prop) take(g given, f *Faults) {
	switch {
	case p.NotYet != "":
		if g.v != "" && g.v != false {
			f.Add(g.name, "%s", p.NotYet)
		}
	case p.Kind == KindGroup:
		m, ok := object(g.v)
		if !ok {
			f.Add(g.name, "want %s, got %s", p.Want(), p.quote(g.v))
			return
		}
		for _, err := range p.Fields.Read(m) {
			var inner *Fault
			if errors.As(err, &inner) {
				err = &Fault{g.name + "." + inner.Name, inner.Err}
			}
			f.Join(err)
		}
	case p.Kind == KindOther:
		if err := p.read(g.v); err != nil {
			f.Add(g.name, "%w", err)
		}
	default:
		switch ok := p.store(g.v); {
		case !ok && p.negative(g.v):
			f.Add(g.name, "must not be negative, got %s", p.quote(g.v))
		case !ok:
			f.Add(g.name, "want %s, got %s", p.Want(), p.quote(g.v))
		case p.Must && p.empty():
			f.Missing(p.Name, p.Doc)
		}
	}
}

// negative tells whether v is a time below zero, which no fault of form says.
func (p *Prop) negative(v any) bool {
	if p.Kind != KindDuration || p.Min != 0 {
		return false
	}
	n, ok := duration(v, p.unit)
	return ok && n < 0
}

// empty tells whether the field of p has no value.
func (p *Prop) empty() bool { return p.to == nil || reflect.ValueOf(p.to).Elem().IsZero() }

// store sets the field of p; false if v is not what p takes.
func (p *Prop) store(v any) bool {
	switch p.Kind {
	case KindText, KindScalar:
		s, ok := v.(string)
		if !ok && p.Kind == KindScalar {
			s, ok = scalar(v)
		}
		if ok {
			*p.to.(*string) = s
		}
		return ok
	case KindFlag:
		b, ok := flag(v)
		if ok {
			*p.to.(*bool) = b
		}
		return ok
	case KindNumber:
		n, ok := number(v)
		ok = ok && n >= p.Min && n <= p.Max
		if ok {
			*p.to.(*float64) = n
		}
		return ok
	case KindWhole, KindDuration, KindBytes:
		return p.storeWhole(v)
	case KindList:
		l, ok := list(v)
		if ok {
			*p.to.(*[]string) = l
		}
		return ok
	case KindMap:
		l, ok := headers(v)
		if ok {
			*p.to.(*[]Header) = l
		}
		return ok
	}
	return p.storeChoice(v)
}

// storeWhole sets a field that is a whole number, a duration or a size.
func (p *Prop) storeWhole(v any) bool {
	var n int64
	var ok bool
	switch p.Kind {
	case KindDuration:
		n, ok = duration(v, p.unit)
	case KindBytes:
		n, ok = Size(v)
	default:
		n, ok = whole(v)
	}
	if !ok || float64(n) < p.Min || float64(n) > p.Max {
		return false
	}
	field := reflect.ValueOf(p.to).Elem()
	if field.CanUint() {
		if n < 0 || field.OverflowUint(uint64(n)) {
			return false
		}
		field.SetUint(uint64(n))
		return true
	}
	if field.OverflowInt(n) {
		return false
	}
	field.SetInt(n)
	return true
}

// storeChoice sets a field that is one of some texts.
func (p *Prop) storeChoice(v any) bool {
	s, ok := v.(string)
	if !ok {
		return false
	}
	if s == "" {
		return true
	}
	for _, c := range p.Choices {
		if same(c, s) {
			reflect.ValueOf(p.to).Elem().SetString(c)
			return true
		}
	}
	return false
}

// quote shows v as the user wrote it, cut short. Secrets are not shown.
func (p *Prop) quote(v any) string {
	if p.Secret {
		return "a value that is not shown"
	}
	return Quote(v)
}

// Quote shows a value as JSON, cut short, as faults have it.
func Quote(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		text = fmt.Appendf(nil, "%v", v)
	}
	const most = 100
	if len(text) > most {
		text = append([]byte(strings.ToValidUTF8(string(text[:most-3]), "")), "..."...)
	}
	return string(text)
}

// Merge returns over with those properties of under that over does not have, in
// any case of letters. It changes neither.
func Merge(under, over map[string]any) map[string]any {
	out := make(map[string]any, len(under)+len(over))
	for name, v := range over {
		out[name] = v
	}
	for name, v := range under {
		if _, ok := out[name]; ok {
			continue
		}
		if _, ok := Get(over, name); !ok {
			out[name] = v
		}
	}
	return out
}

// Get returns the value of a property, in any case of letters, and whether it is
// there. For what a table does not describe.
func Get(m map[string]any, name string) (any, bool) {
	if v, ok := m[name]; ok {
		return v, true
	}
	for k, v := range m {
		if same(k, name) {
			return v, true
		}
	}
	return nil, false
}

// Span reads a duration as all properties have it, a number as milliseconds; for
// properties that take something else besides.
func Span(v any) (time.Duration, bool) {
	n, ok := duration(v, time.Millisecond)
	return time.Duration(n), ok
}
