package memory

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/weir-engine/weir/internal/membus"
	"github.com/weir-engine/weir/sinks"
)

func TestMemory(t *testing.T) {
	bus := membus.New()
	sub, err := bus.Subscribe("plant/+/out", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	f := New(bus)
	target, err := f.Open(map[string]any{"topic": "plant/1/out"})
	if err != nil || target.Dynamic != "" || !target.Volatile {
		t.Fatalf("got %+v, %v", target, err)
	}
	d, err := target.Open(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	msg := func(topic, text string) sinks.Message {
		return sinks.Message{Route: target.Route, Target: topic, Payload: []byte(text)}
	}
	n, err := d.Write(context.Background(), []sinks.Message{
		msg("", "a"), msg("", "b"), msg("plant/2/out", "c"), msg("elsewhere", "d"), msg("", "e"), msg("with/+", "f"), msg("", "g"),
	})
	if n != 5 || !errors.Is(err, sinks.ErrRefused) {
		t.Errorf("got %d %v, want the sixth refused", n, err)
	}
	var got []string
	for len(got) < 4 {
		msgs, err := sub.Receive(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range msgs {
			got = append(got, m.Topic+"="+string(m.Payload))
		}
	}
	if want := "[plant/1/out=a plant/1/out=b plant/2/out=c plant/1/out=e]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func TestFullSubscriber(t *testing.T) {
	bus := membus.New()
	sub, err := bus.Subscribe("a", 10)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	target, err := New(bus).Open(map[string]any{"topic": "a"})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := target.Open(context.Background(), 0)
	m := []sinks.Message{{Route: target.Route, Payload: []byte("0123456789")}}
	if n, err := d.Write(context.Background(), m); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if n, err := d.Write(ctx, m); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %d %v, want canceled", n, err)
	}
}

func TestProperties(t *testing.T) {
	f := New(membus.New())
	for topic, want := range map[any]string{
		nil:   `property "topic" is required: the topic that rows are published on; may be a template`,
		"a/+": `property "topic": memory topic "a/+": must not contain a wildcard`,
		5:     `property "topic": want a text, got 5`,
	} {
		if _, err := f.Open(map[string]any{"topic": topic}); err == nil || err.Error() != want {
			t.Errorf("topic %v: got %v, want %s", topic, err, want)
		}
	}
	target, err := f.Open(map[string]any{"topic": "a/{{.id}}"})
	if err != nil || target.Dynamic != "a/{{.id}}" {
		t.Errorf("got %+v, %v", target, err)
	}
}

func TestRowKinds(t *testing.T) {
	bus := membus.New()
	sub, err := bus.Subscribe("t", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	f := New(bus)
	if _, err := f.Open(map[string]any{"topic": "t", "rowkindField": "op"}); err == nil || err.Error() != `property "keyField": is required with rowkindField` {
		t.Errorf("without keyField: got %v", err)
	}
	target, err := f.Open(map[string]any{"topic": "t", "rowkindField": "op", "keyField": "id"})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := target.Open(context.Background(), 0)
	for text, refused := range map[string]bool{`{"op":"drop"}`: true, `{"op":1}`: true, `{`: true, `[{"id":1},{"op":"delete","id":2}]`: false} {
		n, err := d.Write(context.Background(), []sinks.Message{{Route: target.Route, Payload: []byte(text)}})
		if errors.Is(err, sinks.ErrRefused) != refused || (n == 1) == refused {
			t.Errorf("%s: got %d, %v", text, n, err)
		}
	}
	msgs, err := sub.Receive(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range msgs {
		got = append(got, m.Kind+" "+string(m.Payload))
	}
	if want := `[insert {"id":1} delete {"op":"delete","id":2}]`; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
