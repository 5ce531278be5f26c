package model

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestCache changes model files at random, and compares what the cache gives with what
// the files say.
func TestCache(t *testing.T) {
	dir := t.TempDir()
	c := &Cache{Dir: dir}
	r := rand.New(rand.NewPCG(1, 2))
	at := time.Now().Add(-time.Hour)
	write := func(name, typ string) {
		t.Helper()
		at = at.Add(time.Millisecond)
		when := at
		if r.IntN(4) == 0 {
			when = time.Now() // too young for its time to tell
		}
		text := fmt.Sprintf(`{"deviceModels":[{"name":%q,"properties":[{"name":"p","dataType":%q}]}]}`, name, typ)
		path := filepath.Join(dir, name+".json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	same := 0
	last := map[string]*Models{}
	for range 400 {
		name := fmt.Sprintf("m%d", r.IntN(10))
		switch r.IntN(4) {
		case 0:
			write(name, []string{"int", "string", "float"}[r.IntN(3)])
		case 1:
			if r.IntN(4) == 0 {
				_ = os.Remove(filepath.Join(dir, name+".json")) // it may be gone already
			}
		}
		path := name + ".json"
		if r.IntN(8) == 0 {
			path = "."
		}
		got, err := c.Load(path)
		want, wantErr := Load(path, dir)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("%s: got %v, want %v", path, err, wantErr)
		}
		if got == nil {
			continue
		}
		if g, w := fmt.Sprint(got.Names(), typeOf(got, "", name, "p")), fmt.Sprint(want.Names(), typeOf(want, "", name, "p")); g != w || len(got.Models) != len(want.Models) {
			t.Fatalf("%s: got %s, want %s", path, g, w)
		}
		if last[path] == got {
			same++
		}
		last[path] = got
		if len(c.list) > maxLoaded {
			t.Fatalf("the cache keeps %d", len(c.list))
		}
	}
	if same == 0 {
		t.Error("nothing was ever in the cache")
	}
}
