package timefmt

import (
	"strings"
	"testing"
	"time"
)

const nowMs = 1709209845123 // 2024-02-29T12:30:45.123Z

func TestParse(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		loc  *time.Location
		want string // RFC 3339, empty if it is no date
	}{
		{"2024-02-29T12:30:45Z", nil, "2024-02-29T12:30:45Z"},
		{"2024-02-29T12:30:45.123456789Z", nil, "2024-02-29T12:30:45.123456789Z"},
		{"2024-02-29T12:30:45.5+09:00", nil, "2024-02-29T12:30:45.5+09:00"},
		{"2024-02-29T12:30:45-00:30", nil, "2024-02-29T12:30:45-00:30"},
		{"2024-02-29T12:30:45+0900", nil, "2024-02-29T12:30:45+09:00"},
		{"2024-02-29T12:30:45+09", nil, "2024-02-29T12:30:45+09:00"},
		{"2024-02-29 12:30:45", nil, "2024-02-29T12:30:45Z"},
		{"2024-02-29 12:30:45", berlin, "2024-02-29T12:30:45+01:00"},
		{"2024-02-29T12:30:45", nil, "2024-02-29T12:30:45Z"},
		{"2024-2-9 1:3:4", nil, "2024-02-09T01:03:04Z"},
		{"2024-02-29 12:30", nil, "2024-02-29T12:30:00Z"},
		{"2024-02-29", berlin, "2024-02-29T00:00:00+01:00"},
		{"2024-02", nil, "2024-02-01T00:00:00Z"},
		{"2024", nil, "2024-01-01T00:00:00Z"},
		{"2024.2.9", nil, "2024-02-09T00:00:00Z"},
		{"2024/02/29 01:02:03", nil, "2024-02-29T01:02:03Z"},
		{"20240229", nil, "2024-02-29T00:00:00Z"},
		{"2/9/2024", nil, "2024-02-09T00:00:00Z"},
		{"Thu Feb 29 12:30:45 2024", nil, "2024-02-29T12:30:45Z"},
		{"Thu, 29 Feb 2024 12:30:45 +0100", nil, "2024-02-29T12:30:45+01:00"},
		{"10:20:30", nil, "2024-02-29T10:20:30Z"},
		{"10:20", nil, "2024-02-29T10:20:00Z"},
		{"3:04PM", nil, "2024-02-29T15:04:00Z"},
		{"3-5", nil, "2024-03-05T00:00:00Z"},
		{"Mar  5 01:02:03", nil, "2024-03-05T01:02:03Z"},
		{"", nil, ""},
		{"nonsense", nil, ""},
		{"2024-02-30", nil, ""},
		{"2023-02-29 00:00:00", nil, ""},
		{"2024-02-29T25:00:00Z", nil, ""},
		{"2024-02-29T12:30:45.Z", nil, ""},
		{"2024-02-29T12:30:45Zjunk", nil, ""},
		{"1700000000000", nil, ""},
		{"2024-13-01", nil, ""},
	} {
		got, ok := Parse(c.text, c.loc, nowMs)
		if ok != (c.want != "") || ok && got.Format(time.RFC3339Nano) != c.want {
			t.Errorf("Parse(%q): got %v %v, want %q", c.text, got.Format(time.RFC3339Nano), ok, c.want)
		}
	}
}

func TestFormat(t *testing.T) {
	at := time.Date(2024, 3, 5, 14, 7, 9, 123456789, time.FixedZone("CET", 3600))
	for _, c := range []struct{ pattern, want string }{
		{"yyyy-MM-dd HH:mm:ss", "2024-03-05 14:07:09"},
		{"YYYY/M/d h:m:s a", "2024/3/5 2:7:9 PM"},
		{"yy yyyy", "24 2024"},
		{"ssSSS", "09.123"},
		{"ss.SSS", "09.123"},
		{"ssSSSSSS", "09.123456"},
		{"EEE EEEE MMM MMMM", "Tue Tuesday Mar March"},
		{"hh z Z X XX XXX G", "02 CET +0100 +01 +0100 +01:00 AD"},
		{"yyyy'T'MM ''", "2024T03 '"},
		{`\yyy 2006 Jan`, "y24 2006 JPMn"},
		{"'open", "open"},
		{"", ""},
	} {
		got, err := format(at, c.pattern)
		if err != nil || got != c.want {
			t.Errorf("Format(%q): got %q %v, want %q", c.pattern, got, err, c.want)
		}
	}
	for _, bad := range []string{"yyy", "H:mm", "EE", `abc\`, "SSSSSSSSSS", "y"} {
		if got, err := format(at, bad); err == nil {
			t.Errorf("Format(%q): got %q, want an error", bad, got)
		}
	}
}

func TestPatternParse(t *testing.T) {
	for _, c := range []struct{ pattern, text, want string }{
		{"yyyy-MM-dd HH:mm:ssSSS", "2024-02-29 12:30:45.250", "2024-02-29T12:30:45.25Z"},
		{"dd.MM.yyyy", "29.02.2024", "2024-02-29T00:00:00Z"},
		{"HH:mm", "07:08", "2024-02-29T07:08:00Z"},
		{"yyyy-MM-dd'T'HH:mm:ssXXX", "2024-02-29T12:30:45+02:00", "2024-02-29T12:30:45+02:00"},
		{"yyyy", "24", ""},
	} {
		p, err := Compile(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Parse(c.text, nil, nowMs)
		if (err == nil) != (c.want != "") || err == nil && got.Format(time.RFC3339Nano) != c.want {
			t.Errorf("%q of %q: got %v %v, want %q", c.pattern, c.text, got, err, c.want)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	for i := range 3 * maxCached {
		if _, err := Get("yyyy '" + time.Duration(i).String() + "'"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(cache.byText); n > maxCached {
		t.Errorf("patterns in the cache: got %d, want at most %d", n, maxCached)
	}
}

func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"yyyy-MM-dd'T'HH:mm:ssSSS": "", "YYYY-MM-ddTHH:mm": "", "dd/MM/yy h 'Uhr'": "", "HH:mm": "", `yyyy\年`: "", "ss": "",
		"nonsense": "'n' means nothing", "YYYY-MM-DD": "'D' means nothing", "'only text'": "no part of a time", "": "no part of a time", "yyy": "cannot stand 3 times", `yyyy\`: "backslash",
	} {
		err := Check(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

func TestAllocs(t *testing.T) {
	p, err := Compile("yyyy-MM-dd HH:mm:ssSSS")
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(nowMs).UTC()
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { buf = p.Append(buf[:0], at) }); n != 0 {
		t.Errorf("Append: got %v allocations, want 0", n)
	}
	if n := testing.AllocsPerRun(100, func() { Parse("2024-02-29 12:30:45.123", nil, 0) }); n != 0 {
		t.Errorf("Parse: got %v allocations, want 0", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2024-02-29T12:30:45.5+09:00", "yyyy-MM-dd'T'HH:mm:ssSSS")
	f.Add("10:20", `\`)
	f.Fuzz(func(t *testing.T, text, pattern string) {
		Parse(text, nil, nowMs)
		if p, err := Compile(pattern); err == nil {
			_, _ = p.Parse(text, nil, nowMs)
			p.Format(time.UnixMilli(nowMs))
		}
	})
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Parse("2024-02-29 12:30:45.123", nil, 0)
	}
}

func BenchmarkAppend(b *testing.B) {
	p, err := Compile("yyyy-MM-dd HH:mm:ss")
	if err != nil {
		b.Fatal(err)
	}
	at := time.UnixMilli(nowMs).UTC()
	buf := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		buf = p.Append(buf[:0], at)
	}
}

func format(t time.Time, pattern string) (string, error) {
	p, err := Get(pattern)
	if err != nil {
		return "", err
	}
	return p.Format(t), nil
}
