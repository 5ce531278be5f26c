package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/vfs"

	"github.com/weir-engine/weir/internal/store"
)

// A payload chooses the name of a file, and tries those of the store: what it may
// have is in the folder of outputs, the rest is refused and counted at the sink, and
// the next process finds its store.
func TestPayloadChoosesFile(t *testing.T) {
	top := t.TempDir()
	o := Options{Store: store.Options{Dir: filepath.Join(top, "data"), FS: vfs.Default}}
	r := newRig(t, o)
	r.memoryStream("s", "in")
	r.must(r.CreateRule(r.def("a", "SELECT a, seq FROM s", `{"file":{"path":"{{.a}}","sendSingle":true,"fields":["seq"]}}`)))
	bad := []string{"../CURRENT", "../../escaped", "/etc/passwd", "a\nb", strings.Repeat("x", 256), ".."}
	empty := `{"a":"","seq":99}`
	r.publish("in", empty) // counted by the rule
	good := []string{"CURRENT", "OPTIONS-000003", "LOCK", "dev/ü"}
	for i, name := range append(append([]string{}, bad...), good...) {
		text, err := json.Marshal(map[string]any{"a": name, "seq": i})
		r.must(err)
		r.publish("in", string(text))
	}
	r.await("the last file is written", func() bool {
		st, err := os.Stat(filepath.Join(top, "data/files/dev/ü"))
		return err == nil && st.Size() > 0
	})
	r.await("refusals are counted", func() bool {
		return fmt.Sprint(r.status("a", "sink_file_0_0_exceptions_total")) == fmt.Sprint(len(bad))
	})
	if text := fmt.Sprint(r.status("a", "op_3_project_0_last_exception")); !strings.Contains(text, "empty text") {
		t.Errorf("the last exception of the rule is %q", text)
	}
	if text := fmt.Sprint(r.status("a", "sink_file_0_0_last_exception")); !strings.Contains(text, `path is refused: ".." is no name of a file`) {
		t.Errorf("the last exception is %q", text)
	}
	for i, name := range good {
		b, err := os.ReadFile(filepath.Join(top, "data/files", name))
		if want := fmt.Sprintf("{\"seq\":%d}\n", len(bad)+i); err != nil || string(b) != want {
			t.Errorf("%s: got %q, %v, want %q", name, b, err, want)
		}
	}
	for _, path := range []string{filepath.Join(top, "data/CURRENT"), "../x", filepath.Join(top, "data/{{.a}}")} {
		err := r.CreateRule(r.def("b", "SELECT * FROM s", fmt.Sprintf(`{"file":{"path":%q}}`, path)))
		if err == nil || !strings.Contains(err.Error(), "the data directory, whose files are the store's") {
			t.Errorf("a rule with path %q: got %v", path, err)
		}
	}
	r.close()
	if left, err := os.ReadDir(top); err != nil || len(left) != 1 {
		t.Errorf("beside the data directory there is %v, %v", left, err)
	}
	r = newRig(t, o)
	r.wantStatus("a", "status", "running")
}
