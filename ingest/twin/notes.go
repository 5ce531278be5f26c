package twin

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/weir-engine/weir/ingest"
)

// Bounds of the notes of a feed: devices, and properties of one.
const (
	maxNotes      = 64
	maxUntypedOfs = 16
)

// Notes collects which properties of which devices stay text although there are
// models, each once. Its methods may be called from any goroutine; it is bounded.
type Notes struct {
	mu   sync.Mutex
	list []note
	more bool
}

// note is what stays text of a device for one reason.
type note struct {
	route       uint32
	device, why string
	props       []string
}

func (n *Notes) add(route uint32, device, property, why string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.IndexFunc(n.list, func(x note) bool { return x.route == route && x.device == device && x.why == why })
	if i < 0 {
		if len(n.list) == maxNotes {
			n.more = true
			return
		}
		i = len(n.list)
		n.list = append(n.list, note{route: route, device: strings.Clone(device), why: why})
	}
	if x := &n.list[i]; len(x.props) < maxUntypedOfs && !slices.Contains(x.props, property) {
		x.props = append(x.props, property)
	}
}

// Texts words the notes about messages of the routes that of accepts.
func (n *Notes) Texts(of func(route uint32) bool) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := []string{}
	for _, x := range n.list {
		if !of(x.route) {
			continue
		}
		verb := "stays"
		if len(x.props) > 1 {
			verb = "stay"
		}
		out = append(out, fmt.Sprintf("device %q: %s %s text: %s", x.device, strings.Join(x.props, ", "), verb, x.why))
	}
	if n.more {
		out = append(out, "there are more devices with properties that stay text")
	}
	return out
}

// untyped notes that a property of the row's device is text since nothing says
// what it is. Each property of a topic is noted once.
func (d *decoder) untyped(w *ingest.Writer, t *topicInfo, property string) {
	if d.notes == nil || len(t.told) == maxUntypedOfs || slices.Contains(t.told, property) {
		return
	}
	t.told = append(t.told, property)
	d.notes.add(w.Route(), t.name, property, d.why(t, property))
}

// why says why a property of the device of t has no type.
func (d *decoder) why(t *topicInfo, property string) string {
	const unknown = "the device is in none of the model files"
	switch {
	case t.model != nil && t.model.Missing:
		return fmt.Sprintf("its model %q is in none of the model files", t.model.Name)
	case t.model != nil:
		return fmt.Sprintf("its model %q has no such property", t.model.Name)
	case t.name == "":
		return "the topic names no device"
	case d.strict:
		return unknown + ", and kubeedgeModelStrict is set"
	case d.models.HasProperty(property):
		return unknown + ", and the models disagree about the type"
	}
	return unknown + ", and no model has such a property"
}
