package sql

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// option is one key of WITH (...): set stores the value and says what it should
// have been if it is not right.
type option struct {
	name string
	set  func(o *StreamOptions, v string) (want string)
}

// text makes an option that is kept as it is written.
func text(field func(o *StreamOptions) *string) func(*StreamOptions, string) string {
	return func(o *StreamOptions, v string) string {
		*field(o) = v
		return ""
	}
}

// lower makes an option that is kept in lower case.
func lower(field func(o *StreamOptions) *string) func(*StreamOptions, string) string {
	return func(o *StreamOptions, v string) string {
		*field(o) = strings.ToLower(v)
		return ""
	}
}

// boolean makes an option that is "true" or "false" in any case.
func boolean(field func(o *StreamOptions) *bool) func(*StreamOptions, string) string {
	return func(o *StreamOptions, v string) string {
		if !fold(v, "TRUE") && !fold(v, "FALSE") {
			return "TRUE or FALSE"
		}
		*field(o) = fold(v, "TRUE")
		return ""
	}
}

// streamOptions are the keys of WITH (...).
var streamOptions = [...]option{
	{"DATASOURCE", text(func(o *StreamOptions) *string { return &o.DataSource })},
	{"TYPE", text(func(o *StreamOptions) *string { return &o.Type })},
	{"FORMAT", lower(func(o *StreamOptions) *string { return &o.Format })},
	{"CONF_KEY", text(func(o *StreamOptions) *string { return &o.ConfKey })},
	{"KEY", text(func(o *StreamOptions) *string { return &o.Key })},
	{"SCHEMAID", text(func(o *StreamOptions) *string { return &o.SchemaID })},
	{"STRICT_VALIDATION", boolean(func(o *StreamOptions) *bool { return &o.StrictValidation })},
	{"TIMESTAMP", text(func(o *StreamOptions) *string { return &o.Timestamp })},
	{"TIMESTAMP_FORMAT", text(func(o *StreamOptions) *string { return &o.TimestampFormat })},
	{"SHARED", boolean(func(o *StreamOptions) *bool { return &o.Shared })},
	{"KIND", func(o *StreamOptions, v string) string {
		o.Kind = strings.ToLower(v)
		if o.Kind != "scan" && o.Kind != "lookup" {
			return `"scan" or "lookup"`
		}
		return ""
	}},
	{"RETAIN_SIZE", func(o *StreamOptions, v string) string {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n <= 0 {
			return `a whole number greater than 0 in quotes`
		}
		o.RetainSize = n
		return ""
	}},
	{"DELIMITER", text(func(o *StreamOptions) *string { return &o.Delimiter })},
	{"VERSION", lower(func(o *StreamOptions) *string { return &o.Version })},
	{"TEMP", boolean(func(o *StreamOptions) *bool { return &o.Temp })},
	{"EXTRA", func(o *StreamOptions, v string) string {
		o.Extra = nil
		if err := json.Unmarshal([]byte(v), &o.Extra); err != nil || o.Extra == nil {
			return "the text of a JSON object"
		}
		return ""
	}},
}

// options reads the options in parentheses. A fault in one leaves the others.
func (p *parser) options(c *Create) bool {
	if !p.want(tLParen, `"(" and the options`) {
		return false
	}
	seen := map[string]bool{}
	for p.skipCommas(); p.kind() != tRParen && p.kind() != tEOF; p.skipCommas() {
		t := p.tok()
		key := p.word()
		var set func(*StreamOptions, string) string
		for _, o := range streamOptions {
			if o.name == key {
				set = o.set
			}
		}
		switch {
		case set == nil:
			p.expected("an option: " + optionNames())
			return false
		case seen[key]:
			p.faults.add(t.pos(), "found %s a second time", clip(p.src(t)))
		}
		seen[key] = true
		p.next()
		if !p.want(tEq, `"="`) || !p.optionValue(t, c, set) {
			return false
		}
	}
	return p.want(tRParen, `"," or ")"`)
}

// skipCommas passes the commas between options. There may be several, or none.
func (p *parser) skipCommas() {
	for p.accept(tComma) {
	}
}

// optionValue reads the value of the option whose key is t.
func (p *parser) optionValue(t token, c *Create, set func(*StreamOptions, string) string) bool {
	v := p.tok()
	s := ""
	switch {
	case v.kind == tString && p.text[v.off] == '"':
		p.next()
		var ok bool
		if s, ok = p.unquote(v); !ok {
			return true
		}
	case v.kw == kTrue || v.kw == kFalse:
		s = p.src(p.next())
	default:
		p.expected(fmt.Sprintf("a value of %s in double quotes, TRUE or FALSE", strings.ToUpper(p.src(t))))
		return false
	}
	if want := set(&c.Options, s); want != "" {
		p.expectedAt(v, fmt.Sprintf("%s as the value of %s", want, strings.ToUpper(p.src(t))))
	}
	c.Given = append(c.Given, GivenOption{strings.ToUpper(p.src(t)), s})
	return true
}

func optionNames() string {
	names := make([]string, len(streamOptions))
	for i, o := range streamOptions {
		names[i] = o.name
	}
	return strings.Join(names, ", ")
}
