package keyed

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/vfs"
	"go.uber.org/goleak"

	"github.com/weir-engine/weir/internal/store"
	"github.com/weir-engine/weir/vec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a state on a file system; end closes its store.
func open(t *testing.T, fs vfs.FS) (s *State, end func()) {
	t.Helper()
	st, err := store.Open(store.Options{Dir: "d", FS: fs, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s, err = Open(st.Keyed(), func(key string, err error) { t.Errorf("%q: %v", key, err) })
	if err != nil {
		t.Fatal(err)
	}
	return s, func() {
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestValues(t *testing.T) {
	s, end := open(t, vfs.NewMem())
	defer end()
	for text, want := range map[string]vec.Value{
		"5": vec.IntValue(5), "9007199254740993": vec.IntValue(9007199254740993), "-0.5": vec.FloatValue(-0.5), "1e3": vec.FloatValue(1000),
		"18446744073709551616": vec.FloatValue(18446744073709551616), `"5"`: vec.StringValue("5"), ` "ü" `: vec.StringValue("ü"), "true": vec.BoolValue(true),
	} {
		if err := s.Put("k", []byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if got, ok := s.Get("k"); !ok || got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"": "no JSON", "x": "no JSON", "5 6": "no JSON", "null": "want a number", "[1]": "want a number", "{}": "want a number", "1e400": "number 1e400",
		`"` + strings.Repeat("x", maxValue) + `"`: "want at most 65536",
	} {
		if err := s.Put("k", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20s: got %v, want %s", text, err, want)
		}
	}
	if got, _ := s.Text("k"); len(got) == 0 {
		t.Error("a fault removed the value")
	}
	for _, key := range []string{"", strings.Repeat("k", maxKey+1)} {
		if err := s.Put(key, []byte("1")); err == nil {
			t.Errorf("a key of %d bytes was taken", len(key))
		}
	}
}

// TestModel compares random use, with restarts, with a map.
func TestModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 7))
	fs := vfs.NewMem()
	s, end := open(t, fs)
	defer func() { end() }()
	want := map[string]string{}
	name := func() string {
		return string([]byte{"\x00a\x7f\x80\xff"[rnd.IntN(5)], "\x00ab\xff"[rnd.IntN(4)]}[:1+rnd.IntN(2)])
	}
	for i := range 2000 {
		switch p := rnd.IntN(100); {
		case p < 60:
			k := name()
			want[k] = fmt.Sprint(i)
			if err := s.Put(k, []byte(want[k])); err != nil {
				t.Fatal(err)
			}
		case p < 99:
			k := name()
			_, had := want[k]
			delete(want, k)
			if ok, err := s.Delete(k); ok != had || err != nil {
				t.Fatalf("delete of %q: %v, %v, want %v", k, ok, err, had)
			}
		default:
			end()
			s, end = open(t, fs)
		}
		size := 0
		for k, v := range want {
			size += len(k) + len(v)
		}
		if s.bytes != size {
			t.Fatalf("counts %d bytes, want %d", s.bytes, size)
		}
	}
	got := map[string]string{}
	for k, v := range s.All() {
		got[k] = string(v)
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// What is kept is bounded by keys and by bytes.
func TestBounds(t *testing.T) {
	s, end := open(t, vfs.NewMem())
	defer end()
	for i := range maxKeys { // as if they had been put: each Put is a sync
		s.m[fmt.Sprint("k", i)] = entry{text: "1"}
	}
	if err := s.Put("more", []byte("1")); !errors.Is(err, ErrFull) {
		t.Errorf("beyond %d keys: got %v", maxKeys, err)
	}
	if err := s.Put("k1", []byte("2")); err != nil {
		t.Errorf("a key that is there: %v", err)
	}
	clear(s.m)
	s.bytes = maxBytes - 4
	if err := s.Put("abc", []byte("12")); !errors.Is(err, ErrFull) {
		t.Errorf("beyond %d bytes: got %v", maxBytes, err)
	}
	if err := s.Put("abc", []byte("1")); err != nil {
		t.Error(err)
	}
}

// A read waits for no write and allocates nothing.
func TestGet(t *testing.T) {
	s, end := open(t, vfs.NewMem())
	defer end()
	if err := s.Put("limit", []byte(`"high"`)); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { s.Get("limit") }); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
	s.writing.Lock() // a write that waits for the disk
	if v, ok := s.Get("limit"); !ok || v.S != "high" {
		t.Errorf("got %v", v)
	}
	s.writing.Unlock()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 50 {
				if err := s.Put("n", fmt.Append(nil, n)); err != nil {
					t.Error(err)
				}
				if _, err := s.Delete(fmt.Sprint("k", i)); err != nil {
					t.Error(err)
				}
				s.Get("n")
				s.All()
			}
		})
	}
	wg.Wait()
}
