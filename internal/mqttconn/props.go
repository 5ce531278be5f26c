package mqttconn

import (
	"fmt"
	"strings"
	"time"

	"github.com/weir-engine/weir/internal/props"
)

// settings is what users set of a connection, before it is checked.
type settings struct {
	Options
	session bool // enableClientSession, the contrary of CleanSession
}

// newSettings returns the settings of a user who set nothing.
func newSettings() *settings {
	s := &settings{}
	s.EnsureDefaults()
	s.Servers = nil // so that a list that says nothing can be told from none
	s.Linger = LingerAuto
	return s
}

// table is the properties as eKuiper's MQTT sources, sinks and configuration groups
// have them, and weir's own: linger, keepAlive, maxPacketBytes.
func (s *settings) table() props.Table {
	tls := &s.TLS
	return props.Table{
		props.List(&s.Servers, "server", "the broker, such as tcp://host:1883; several, in a list or with commas, are tried in turn").
			Alias("servers").Otherwise("tcp://127.0.0.1:1883"),
		props.Text(&s.ClientID, "clientid", "the name by which the broker knows the client").Otherwise("a random name"),
		props.Text(&s.Username, "username", "the user's name, if the broker asks for one"),
		props.Text(&s.Password, "password", "the user's password").Hidden(),
		props.Scalar(&s.ProtocolVersion, "protocolVersion", "the version of MQTT: 3.1 or 3.1.1; 5 connects as 3.1.1").
			Notice(func(v any) string {
				if text := fmt.Sprint(v); !strings.HasPrefix(text, "5") {
					return ""
				}
				return "5 is not supported, connecting as 3.1.1"
			}),
		props.Flag(&s.session, "enableClientSession", "has the broker keep subscriptions and messages while the client is away; needs clientid"),
		props.Duration(&s.KeepAlive, "keepAlive", "how long the connection may be silent before the broker is asked for a sign of life").Between(0, 65535*time.Second),
		props.Bytes(&s.MaxPacket, "maxPacketBytes", 1024, maxRemaining, "the size from which packets are left out and counted"),
		props.Other("linger", `"auto", 0 or a duration up to 1m`, "how long messages may wait for others to be read with them, as a duration; 0: not at all", func(v any) (err error) {
			s.Linger, err = ParseLinger(v)
			return err
		}).In("ms").Otherwise("auto"),
		props.Text(&tls.CertPath, "certificationPath", "PEM file with the client's certificate"),
		props.Text(&tls.KeyPath, "privateKeyPath", "PEM file with the key of the client's certificate"),
		props.Text(&tls.CAPath, "rootCaPath", "PEM file with the authorities that the broker's certificate may be from"),
		props.Text(&tls.CertRaw, "certificationRaw", "the client's certificate: PEM, in base64").Alias("certficationRaw"), // as eKuiper's documentation spells it
		props.Text(&tls.KeyRaw, "privateKeyRaw", "the key of the client's certificate: PEM, in base64").Hidden(),
		props.Text(&tls.CARaw, "rootCARaw", "the authorities: PEM, in base64"),
		props.Flag(&tls.InsecureSkipVerify, "insecureSkipVerify", "takes any certificate of the broker"),
		props.Text(&tls.MinVersion, "tlsMinVersion", "the oldest version of TLS: tls1.0 to tls1.3").Otherwise("tls1.2"),
		props.Text(&tls.Renegotiation, "renegotiationSupport", "whether the broker may negotiate TLS again: never, once or freely").Otherwise("never"),
	}
}

// Properties describes what can be set of a connection.
func Properties() props.Table { return newSettings().table() }

// ParseProps reads the properties of a connection, and with them those that its
// user has of its own; others are left alone. An error lists every fault.
func ParseProps(m map[string]any, own ...props.Prop) (Options, error) {
	s := newSettings()
	faults := append(props.Table(own), s.table()...).Read(m)
	s.splitServers(m, &faults)
	o := s.Options
	o.CleanSession = !s.session
	if strings.HasPrefix(o.ProtocolVersion, "5") {
		o.Warnings = append(o.Warnings, `protocolVersion "5" is not supported, connecting as 3.1.1`)
	}
	if !o.CleanSession && o.ClientID == "" {
		o.CleanSession = true
		o.Warnings = append(o.Warnings, "enableClientSession without clientid: the broker could not find the session again, connecting without")
	}
	o.EnsureDefaults()
	faults.Join(o.Validate())
	if err := faults.Err(); err != nil {
		return Options{}, err
	}
	return o, nil
}

// splitServers takes texts that name several servers apart.
func (s *settings) splitServers(m map[string]any, faults *props.Faults) {
	var list []string
	for _, text := range s.Servers {
		for one := range strings.SplitSeq(text, ",") {
			list = append(list, strings.TrimSpace(one))
		}
	}
	s.Servers = list
	for _, name := range []string{"server", "servers"} {
		if v, _ := props.Get(m, name); v == "" {
			faults.Add(name, "want a text such as tcp://host:1883, got an empty one")
		}
	}
}

// QoS is the property qos of a source or sink of MQTT.
func QoS(to *byte) props.Prop {
	return props.Whole(to, "qos", 0, 2, "how messages are acknowledged: 0 not at all, 1 at least once, 2 exactly once")
}

// ParseLinger reads the property linger: "auto", or a duration as text ("20ms")
// or as a number of milliseconds. 0 reads whenever there is something.
func ParseLinger(v any) (time.Duration, error) {
	if s, ok := v.(string); ok && strings.EqualFold(strings.TrimSpace(s), "auto") {
		return LingerAuto, nil
	}
	d, ok := props.Span(v)
	if !ok || d < 0 || d > time.Minute {
		return 0, fmt.Errorf(`want "auto", 0 or a duration up to 1m, got %s`, props.Quote(v))
	}
	return d, nil
}
