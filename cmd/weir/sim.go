package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weir-engine/weir/ingest/sim"
	"github.com/weir-engine/weir/internal/mqttconn"
)

// simBatch is how many messages are written to the broker at once.
const simBatch = 256

// simSlow is the rate, in messages a second, up to which each message is written
// by itself: above it the next one comes at once, so that none is held back.
const simSlow = 5000

func newSim() *cobra.Command {
	c := &cobra.Command{
		Use: "sim", Short: "Publish the reports of simulated KubeEdge devices", Args: cobra.NoArgs,
		Long: "Publish the reports of simulated KubeEdge devices to an MQTT broker, until interrupted.",
	}
	var o sim.Options
	var conn mqttconn.Options
	f := c.Flags()
	server := f.String("server", "tcp://127.0.0.1:1883", "MQTT broker")
	f.StringVar(&conn.Username, "user", "", "user name for the broker")
	f.StringVar(&conn.Password, "password", "", "password for the broker")
	qos := f.Uint8("qos", 0, "quality of service, 0, 1 or 2")
	form := f.String("form", "update", "shape of the messages: update, document, data or flat")
	f.IntVar(&o.Devices, "devices", 100, "number of devices")
	f.StringVar(&o.Prefix, "prefix", "sensor", "begin of the devices' names")
	f.StringVar(&o.Namespace, "namespace", "", "namespace of the devices")
	f.StringVar(&o.Topic, "topic", "", "topic instead of that of the form; {device} stands for the device")
	rate := f.Float64("rate", 0, "messages a second over all devices; 0: one a device; -1: as fast as the broker takes them")
	f.Uint64Var(&o.Count, "count", 0, "end after so many messages; 0: never")
	f.Uint64Var(&o.Seed, "seed", 1, "picks the values; equal seeds give equal values")
	f.Float64Var(&o.Spikes, "spikes", 0, "share of values out of range, 0 to 1")
	c.RunE = func(c *cobra.Command, _ []string) error {
		var err error
		if o.Form, err = sim.ParseForm(*form); err != nil {
			return fmt.Errorf("sim: %w", err)
		}
		if *qos > 2 {
			return fmt.Errorf("sim: qos %d: want 0, 1 or 2", *qos)
		}
		o.Rate = *rate
		conn.Servers = strings.Split(*server, ",")
		conn.CleanSession, conn.Sending = true, true
		n, err := simulate(c.Context(), o, conn, *qos)
		fmt.Fprintf(c.OutOrStdout(), "published %d messages\n", n)
		if errors.Is(err, context.Canceled) { // how it is meant to end
			return nil
		}
		return err
	}
	return c
}

// simulate publishes until ctx ends or the simulation does, and returns how many
// messages were sent.
func simulate(ctx context.Context, o sim.Options, to mqttconn.Options, qos byte) (sent uint64, err error) {
	s, err := sim.New(o)
	if err != nil {
		return 0, fmt.Errorf("sim: %w", err)
	}
	conn, err := mqttconn.New(to)
	if err != nil {
		return 0, fmt.Errorf("sim: %w", err)
	}
	conn.Start()
	defer conn.Close()
	p := simPublisher{conn: conn, qos: qos, size: simBatch}
	if perSecond := max(o.Rate, float64(o.Devices)); o.Rate >= 0 && perSecond <= simSlow {
		p.size = 1
	}
	if err := p.connect(ctx); err != nil {
		return 0, err
	}
	err = s.Run(ctx, func(topic string, payload []byte) error { return p.add(ctx, topic, payload) })
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if ferr := p.flush(last); err == nil {
		err = ferr
	}
	return p.sent, err
}

// simPublisher gathers messages and writes them in bulk.
type simPublisher struct {
	conn  *mqttconn.Conn
	qos   byte
	size  int // of a batch
	batch []mqttconn.OutMessage
	spare [][]byte // payloads of batches that were sent
	since time.Time
	sent  uint64
}

// connect waits for the first connection. It gives up after the first attempt
// that failed: a wrong address should be said, not waited for.
func (p *simPublisher) connect(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil { // else a refused attempt would hide it
			return fmt.Errorf("sim: %w", err)
		}
		changed := p.conn.Changed()
		st := p.conn.State()
		if st.Connected {
			return nil
		}
		if st.Err != nil {
			return fmt.Errorf("sim: connect to %s: %w", strings.Join(p.conn.Options().Servers, ","), st.Err)
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// add sends a message with the next batch: when it is full, or at the first
// message a millisecond after its own first.
func (p *simPublisher) add(ctx context.Context, topic string, payload []byte) error {
	var own []byte
	if n := len(p.spare); n > 0 {
		own, p.spare = p.spare[n-1][:0], p.spare[:n-1]
	}
	now := time.Now()
	if len(p.batch) == 0 {
		p.since = now
	}
	p.batch = append(p.batch, mqttconn.OutMessage{Topic: topic, Payload: append(own, payload...), QoS: p.qos})
	if len(p.batch) < p.size && now.Sub(p.since) < time.Millisecond {
		return nil
	}
	return p.flush(ctx)
}

// flush sends what was gathered, over a new connection if it has to.
func (p *simPublisher) flush(ctx context.Context) error {
	for done := 0; done < len(p.batch); {
		n, err := p.conn.Publish(ctx, p.batch[done:])
		done += n
		p.sent += uint64(n)
		if err != nil {
			if !errors.Is(err, mqttconn.ErrNotConnected) {
				return fmt.Errorf("sim: publish: %w", err)
			}
			if err := p.conn.WaitConnected(ctx); err != nil {
				return err
			}
		}
	}
	for i := range p.batch {
		p.spare = append(p.spare, p.batch[i].Payload)
	}
	p.batch = p.batch[:0]
	return nil
}
