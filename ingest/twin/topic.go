package twin

import "strings"

// Kind says what a KubeEdge message is about.
type Kind uint8

// The kinds of messages.
const (
	KindNone       Kind = iota // not a KubeEdge topic
	KindUpdate                 // a mapper reports, or the cloud has changed, a twin
	KindResult                 // edgecore accepted an update: the touched twins
	KindDocument               // twins before and after an update
	KindDelta                  // twins whose expected value is not reached
	KindGet                    // all twins of a device, on request
	KindData                   // a mapper's data message for third parties
	KindState                  // a device went online or offline
	KindMembership             // devices of a node
	KindAttributes             // a device's attributes changed
	KindError                  // edgecore refused an update or a request
)

var kindNames = [...]string{"", "update", "result", "document", "delta", "get", "data", "state", "membership", "attributes", "error"}

// String returns the name of k as the column kind holds it; "" for KindNone.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return ""
}

// Topic is what a KubeEdge topic says. Its strings are parts of the topic.
type Topic struct {
	Kind      Kind
	DeviceID  string // "device" until KubeEdge 1.16.1, "namespace/device" since; "" if it has none
	Namespace string // "" if the topic has none
	Device    string
	Node      string // membership topics only
}

// suffixes are tried in order, the frequent ones first; none ends in another.
var suffixes = [...]struct {
	text string
	kind Kind
}{
	{"/twin/update", KindUpdate},
	{"/twin/update/document", KindDocument},
	{"/twin/update/result", KindResult},
	{"/twin/update/delta", KindDelta},
	{"/data/update", KindData},
	{"/customized/update", KindData},
	{"/twin/get/result", KindGet},
	{"/twin/get", KindGet},
	{"/twin/cloud_updated", KindUpdate},
	{"/state/update/result", KindState},
	{"/state/update", KindState},
	{"/updated", KindAttributes},
}

// ParseTopic reads a topic from the right: what is left between the prefix and
// a known suffix is the device's id, of one or two levels, so a device may be
// called "twin". The prefix need not stand at the start, since bridges put a
// site's name in front. A topic that is not KubeEdge's has KindNone.
func ParseTopic(topic string) Topic {
	rest, ok := afterPrefix(topic)
	if !ok {
		return Topic{}
	}
	switch {
	case strings.HasPrefix(rest, "device/"):
		rest = rest[len("device"):] // keeps the slash, for an empty id
		for _, s := range suffixes {
			if id, ok := strings.CutSuffix(rest, s.text); ok && id != "" {
				return withID(s.kind, id[1:])
			}
		}
	case strings.HasPrefix(rest, "node/"):
		rest = rest[len("node/"):]
		if i := strings.Index(rest, "/membership/"); i >= 0 {
			return Topic{Kind: KindMembership, Node: rest[:i]}
		}
	default:
		// Samples have $ke/events/<device>/device/customized/update too.
		for _, tail := range [...]string{"/device/data/update", "/device/customized/update"} {
			if id, ok := strings.CutSuffix(rest, tail); ok && id != "" {
				return withID(KindData, id)
			}
		}
	}
	return Topic{}
}

func withID(k Kind, id string) Topic {
	t := Topic{Kind: k, DeviceID: id, Device: id}
	if i := strings.LastIndexByte(id, '/'); i >= 0 {
		t.Namespace, t.Device = id[:i], id[i+1:]
	}
	return t
}

// afterPrefix cuts topic behind "$hw/events/" or "$ke/events/", which stand at
// its start or at the start of a level.
func afterPrefix(topic string) (string, bool) {
	for at := 0; ; {
		i := strings.IndexByte(topic[at:], '$')
		if i < 0 {
			return "", false
		}
		at += i
		rest := topic[at:]
		if at == 0 || topic[at-1] == '/' {
			for _, p := range [...]string{"$hw/events/", "$ke/events/"} {
				if strings.HasPrefix(rest, p) {
					return rest[len(p):], true
				}
			}
		}
		at++
	}
}
