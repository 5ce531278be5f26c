package twin

import (
	"fmt"
	"testing"

	"github.com/weir-engine/weir/ingest"
	"github.com/weir-engine/weir/ingest/sim"
	"github.com/weir-engine/weir/ingest/twin/model"
	"github.com/weir-engine/weir/vec"
)

// BenchmarkDecode is a feed's whole way from payload to batch, messages of many
// devices in turn.
func BenchmarkDecode(b *testing.B) {
	for _, form := range []sim.Form{sim.Update, sim.Document, sim.Data} {
		for _, c := range []struct {
			name string
			o    Options
			cols []string
		}{
			{"raw", Options{Format: Raw}, []string{"twin->temperature->actual->value"}},
			{"flat1", Options{}, []string{"temperature"}},
			{"flat1-model", Options{Models: sensors(b)}, []string{"temperature"}},
			{"flat4", Options{}, []string{"temperature", "humidity", "pressure", "door"}},
			{"flat4-envelope", Options{Models: sensors(b)}, []string{"temperature", "humidity", "pressure", "door", "device", "kind", "ts"}},
			{"row", Options{Format: Flat, Models: sensors(b)}, []string{"*"}},
		} {
			b.Run(fmt.Sprintf("form=%s/cols=%s", form, c.name), func(b *testing.B) { benchmark(b, form, c.o, plan(c.cols...)) })
		}
	}
}

func sensors(b *testing.B) *model.Models {
	b.Helper()
	return parse(b, `{"deviceModels":[{"name":"m","properties":[{"name":"temperature","dataType":"float"},{"name":"humidity","dataType":"float"},{"name":"pressure","dataType":"int"},{"name":"door","dataType":"boolean"}]}],
		"deviceInstances":[{"id":"sensor-0001","model":"m"},{"id":"sensor-0002","model":"m"},{"id":"sensor-0003","model":"m"},{"id":"sensor-0004","model":"m"}]}`)
}

func benchmark(b *testing.B, form sim.Form, o Options, p *vec.Plan) {
	s, err := sim.New(sim.Options{Form: form, Devices: 4})
	if err != nil {
		b.Fatal(err)
	}
	const messages = 4096
	payloads := make([][]byte, messages)
	metas := make([]ingest.Meta, messages)
	bytes := 0
	for i := range payloads {
		topic, payload := s.Next(1721900000123)
		payloads[i] = append([]byte(nil), payload...)
		metas[i].Topic = topic
		bytes += len(payload)
	}
	h := newHarness(b, o, ingest.Options{}, p)
	route := h.feed.Route([]uint32{1})
	const read = 512
	b.SetBytes(int64(bytes / messages))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i%read == 0 {
			h.feed.Begin(1)
		}
		if err := h.feed.Push(payloads[i%messages], route, &metas[i%messages], ingest.Ack{}); err != nil {
			b.Fatal(err)
		}
		if i++; i%read == 0 {
			h.feed.End()
			f, batch := h.in.Take()
			f.Done(batch)
		}
	}
	if i%read != 0 {
		h.feed.End()
	}
}
