package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/valyala/fastjson"

	"github.com/weir-engine/weir/vec"
)

const (
	flatMessage = `{"temperature":81.234,"humidity":17,"deviceid":"dev-0042","ts":1000000000000000001}`
	twinMessage = `{"event_id":"0f2c1bb2-9d6c-4a0c-9a53-2a86ad1d4c11","timestamp":1721900000123,"twin":{"temperature":{"actual":{"value":"25.31","metadata":{"timestamp":1721900000120}},"optional":true,"metadata":{"type":"double"}},"humidity":{"actual":{"value":"41"}}}}`
)

func paths(keys ...string) *vec.Plan {
	var cols []vec.ColumnSpec
	for _, k := range keys {
		var path []string
		if k != "" {
			path = strings.Split(k, "/")
		}
		cols = append(cols, vec.ColumnSpec{Path: path})
	}
	return vec.NewPlan(1, cols)
}

// variants are messages that differ in their values, so that no branch can learn
// them by heart.
func variants(message string) [][]byte {
	var all [][]byte
	for i := range 512 {
		m := strings.NewReplacer("81.234", fmt.Sprintf("%d.%d", i%90+10, i*7%1000), "17,", fmt.Sprintf("%d,", i%100),
			"dev-0042", fmt.Sprintf("dev-%04d", i%97), "25.31", fmt.Sprintf("%.2f", float64(i)/7)).Replace(message)
		all = append(all, []byte(m))
	}
	return all
}

var decodeCases = []struct {
	name, message string
	cols          []string
}{
	{"message=flat/cols=1", flatMessage, []string{"temperature"}},
	{"message=flat/cols=2", flatMessage, []string{"temperature", "deviceid"}},
	{"message=flat/cols=4", flatMessage, []string{"temperature", "humidity", "deviceid", "ts"}},
	{"message=flat/cols=star", flatMessage, []string{""}},
	{"message=spaced/cols=2", strings.NewReplacer(":", ": ", ",", ", ").Replace(flatMessage), []string{"temperature", "deviceid"}},
	{"message=twin/cols=1", twinMessage, []string{"twin/temperature/actual/value"}},
	{"message=twin/cols=3", twinMessage, []string{"timestamp", "twin/temperature/actual/value", "twin/humidity/actual/value"}},
	{"message=twin/cols=star", twinMessage, []string{""}},
}

// BenchmarkDecode is a message through Push, Take and Done.
func BenchmarkDecode(b *testing.B) {
	for _, c := range decodeCases {
		b.Run(c.name, func(b *testing.B) {
			in := NewInbox()
			f, err := NewFeed(in, Options{})
			if err != nil {
				b.Fatal(err)
			}
			f.SetPlan(paths(c.cols...))
			route := f.Route([]uint32{1})
			msgs := variants(c.message)
			m := &Meta{Topic: "plant/line1", MQTT: true}
			b.SetBytes(int64(len(c.message)))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if n&255 == 0 {
					f.Begin(int64(n))
				}
				if err := f.Push(msgs[n&511], route, m, Ack{}); err != nil {
					b.Fatal(err)
				}
				if n++; n&255 == 0 {
					f.End()
					if g, t := in.Take(); t != nil {
						g.Done(t)
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/msg")
		})
	}
}

// BenchmarkFastjson is what the decoder is measured against: fastjson into the
// same columns, without acknowledgements, metadata and the rest of a feed.
func BenchmarkFastjson(b *testing.B) {
	for _, c := range decodeCases {
		if c.cols[0] == "" {
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			var keys [][]string
			for _, k := range c.cols {
				keys = append(keys, strings.Split(k, "/"))
			}
			msgs := variants(c.message)
			cols := make([]vec.Column, len(keys))
			var p fastjson.Parser
			b.SetBytes(int64(len(c.message)))
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				row := n & 255
				if row == 0 {
					for i := range cols {
						cols[i].Reset(256)
					}
				}
				v, err := p.ParseBytes(msgs[n&511])
				if err != nil {
					b.Fatal(err)
				}
				for i, k := range keys {
					switch x := v.Get(k...); x.Type() {
					case fastjson.TypeNumber:
						f, _ := x.Float64()
						cols[i].SetFloat(row, f)
					case fastjson.TypeString:
						s, _ := x.StringBytes()
						cols[i].SetString(row, s)
					}
				}
				n++
			}
		})
	}
}
