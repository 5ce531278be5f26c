package twin

import "testing"

func TestParseTopic(t *testing.T) {
	for _, c := range []struct {
		topic string
		want  Topic
	}{
		{"$hw/events/device/d1/twin/update", Topic{KindUpdate, "d1", "", "d1", ""}},
		{"$hw/events/device/ns/d1/twin/update", Topic{KindUpdate, "ns/d1", "ns", "d1", ""}},
		{"$hw/events/device/d1/twin/update/result", Topic{KindResult, "d1", "", "d1", ""}},
		{"$hw/events/device/ns/d1/twin/update/document", Topic{KindDocument, "ns/d1", "ns", "d1", ""}},
		{"$hw/events/device/ns/d1/twin/update/delta", Topic{KindDelta, "ns/d1", "ns", "d1", ""}},
		{"$hw/events/device/d1/twin/get", Topic{KindGet, "d1", "", "d1", ""}},
		{"$hw/events/device/d1/twin/get/result", Topic{KindGet, "d1", "", "d1", ""}},
		{"$hw/events/device/d1/twin/cloud_updated", Topic{KindUpdate, "d1", "", "d1", ""}},
		{"$hw/events/device/d1/state/update", Topic{KindState, "d1", "", "d1", ""}},
		{"$hw/events/device/d1/state/update/result", Topic{KindState, "d1", "", "d1", ""}},
		{"$hw/events/device/d1/updated", Topic{KindAttributes, "d1", "", "d1", ""}},
		{"$hw/events/device//twin/update/result", Topic{Kind: KindResult}},
		{"$hw/events/device/twin/twin/update", Topic{KindUpdate, "twin", "", "twin", ""}},
		{"$hw/events/device/twin/update/twin/update/result", Topic{KindResult, "twin/update", "twin", "update", ""}},
		{"$hw/events/node/edge-1/membership/updated", Topic{Kind: KindMembership, Node: "edge-1"}},
		{"$hw/events/node/edge-1/membership/get/result", Topic{Kind: KindMembership, Node: "edge-1"}},
		{"$ke/events/device/d1/data/update", Topic{KindData, "d1", "", "d1", ""}},
		{"$ke/events/device/ns/d1/data/update", Topic{KindData, "ns/d1", "ns", "d1", ""}},
		{"$ke/events/device/d1/customized/update", Topic{KindData, "d1", "", "d1", ""}},
		{"$ke/events/d1/device/customized/update", Topic{KindData, "d1", "", "d1", ""}},
		{"$ke/events/d1/device/data/update", Topic{KindData, "d1", "", "d1", ""}},
		{"site/7/$hw/events/device/d1/twin/update", Topic{KindUpdate, "d1", "", "d1", ""}},
		{"$SYS/$hw/events/device/d1/twin/update", Topic{KindUpdate, "d1", "", "d1", ""}},
		{"x$hw/events/device/d1/twin/update", Topic{}},
		{"$hw/events/device/twin/update", Topic{}},
		{"$hw/events/device/d1/twin/other", Topic{}},
		{"$hw/events/device/", Topic{}},
		{"$hw/events/", Topic{}},
		{"$ke/events/device/data/update", Topic{}},
		{"factory/line1", Topic{}},
		{"", Topic{}},
	} {
		if got := ParseTopic(c.topic); got != c.want {
			t.Errorf("ParseTopic(%q): got %+v, want %+v", c.topic, got, c.want)
		}
	}
}
