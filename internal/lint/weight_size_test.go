//go:build !race

package lint

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// The largest binaries, in bytes.
const (
	maxFull = 50_000_000
	maxSlim = 38_000_000
)

// TestSizes links both binaries. The Makefile's other flags change what goes into
// the build cache, not the size.
func TestSizes(t *testing.T) {
	if testing.Short() {
		t.Skip("it links two binaries")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the bounds are for linux/amd64")
	}
	for _, b := range []struct {
		tags string
		most int64
	}{{"", maxFull}, {"slim", maxSlim}} {
		path := filepath.Join(t.TempDir(), "weir")
		cmd := exec.Command("go", "build", "-tags", b.tags, "-ldflags", "-s -w", "-o", path, "./cmd/weir")
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go build -tags %q: %v\n%s", b.tags, err, out)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() > b.most {
			t.Errorf("tags %q: %d bytes, want at most %d: go tool nm -size -sort size tells of what", b.tags, info.Size(), b.most)
		}
		t.Logf("tags %q: %d bytes", b.tags, info.Size())
	}
}
