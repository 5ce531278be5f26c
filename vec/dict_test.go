package vec

import (
	"fmt"
	"testing"
)

func TestDict(t *testing.T) {
	var d Dict
	for round := range 3 {
		codes := map[string]uint32{}
		for i := range 3000 {
			s := fmt.Sprintf("%d", i*i%701)
			if i%50 == 0 {
				s = ""
			}
			code := d.AddString(s)
			if want, ok := codes[s]; ok && code != want {
				t.Fatalf("%q: got code %d, want %d", s, code, want)
			} else if !ok {
				if int(code) != len(codes) {
					t.Fatalf("%q is new: got code %d, want %d", s, code, len(codes))
				}
				codes[s] = code
			}
		}
		if d.Len() != len(codes) {
			t.Fatalf("round %d: got %d strings, want %d", round, d.Len(), len(codes))
		}
		for s, code := range codes {
			if got := string(d.Bytes(code)); got != s {
				t.Fatalf("code %d: got %q, want %q", code, got, s)
			}
		}
		d.Reset()
		if d.Len() != 0 {
			t.Fatal("not empty after Reset")
		}
	}
}

func TestDictAllocs(t *testing.T) {
	var d Dict
	words := make([][]byte, 200)
	for i := range words {
		words[i] = fmt.Appendf(nil, "word %d", i%70)
	}
	if n := testing.AllocsPerRun(10, func() {
		d.Reset()
		for _, w := range words {
			d.Add(w)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
