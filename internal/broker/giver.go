package broker

import (
	"sync"
	"sync/atomic"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// giver gives messages of QoS 1 and 2 to their subscribers before the publisher is told
// that the broker has them. The library does it the other way round, and loses what is
// acknowledged while a client takes over its session.
type giver struct {
	mqtt.HookBase
	server *mqtt.Server
	hands  sync.Pool // of clients without a connection, in whose name messages are given
}

func newGiver(s *mqtt.Server) *giver {
	g := &giver{server: s}
	g.hands.New = func() any { return s.NewClient(nil, "weir", "", true) }
	return g
}

// ID names the hook.
func (*giver) ID() string { return "weir-giver" }

// Provides says which questions it answers.
func (*giver) Provides(b byte) bool {
	return b == mqtt.OnPublish
}

// OnPublish gives a message to those that subscribe to it, and lets the library do the
// rest: the acknowledgement.
func (g *giver) OnPublish(cl *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Qos == 0 || cl.Net.Inline {
		return pk, nil
	}
	out := pk
	out.Properties.TopicAliasFlag = false // the topic is known by now
	hand := g.hands.Get().(*mqtt.Client)
	hand.ID, hand.Properties.ProtocolVersion = cl.ID, cl.Properties.ProtocolVersion
	err := g.server.InjectPacket(hand, out)
	g.hands.Put(hand)
	if err != nil {
		return pk, err
	}
	// It counts as one that came.
	atomic.AddInt64(&g.server.Info.PacketsReceived, -1)
	atomic.AddInt64(&g.server.Info.MessagesReceived, -1)
	return pk, packets.CodeSuccessIgnore
}
