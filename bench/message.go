package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
)

// Names on the wire.
const (
	streamName  = "bench"
	tableName   = "halls"
	topicIn     = "bench/in"
	topicOut    = "bench/out" // of the witness
	witness     = "witness"
	twinFilter  = "$hw/events/device/+/twin/update"
	stampDigits = 19
)

// firstStamp is what stands where the time of sending will be, as wide as that is.
const firstStamp int64 = 1_000_000_000_000_000_001

var stampKey = []byte(`"ts":`)

// top is the upper end of the values: they are uniform from 0, and Selectivity
// percent of them lie above Threshold.
func (c *Config) top() float64 { return c.Threshold / (1 - c.Selectivity/100) }

// message is one PUBLISH packet, ready to be written.
type message struct {
	packet  []byte
	topic   string
	stamp   int  // where the digits of ts are in packet; 0: nowhere
	passes  bool // the witness forwards it
	selects bool // above Threshold: a rule of the same threshold selects it
}

// payload makes the i-th message and returns its temperature.
func (c *Config) payload(r *rand.Rand, i int) ([]byte, float64) {
	t := float64(r.IntN(int(c.top()*1000))) / 1000
	if c.Shape == Twin {
		at := 1719999999000 + int64(i)
		return fmt.Appendf(nil, `{"event_id":"%08x-3d7f-4b9e","timestamp":%d,"twin":{"temperature":{"actual":{"value":"%.3f","metadata":{"timestamp":%d}},"metadata":{"type":"float"}},"humidity":{"actual":{"value":"%d","metadata":{"timestamp":%d}},"metadata":{"type":"int"}}}}`,
			i, at, t, at, r.IntN(100), at), t
	}
	if c.Shape == Mixed {
		h := r.IntN(100)
		humidity := []string{`"humidity":%d,`, `"humidity":%d.5,`, `"humidity":"%d",`, `"humidity":null,`, ``}[i%5]
		if i%5 < 3 {
			humidity = fmt.Sprintf(humidity, h)
		}
		return fmt.Appendf(nil, `{"temperature":%.3f,%s"deviceid":"dev-%04d","ts":%019d}`, t, humidity, r.IntN(c.Devices), firstStamp), t
	}
	return fmt.Appendf(nil, `{"temperature":%.3f,"humidity":%d,"deviceid":"dev-%04d","ts":%019d}`, t, r.IntN(100), r.IntN(c.Devices), firstStamp), t
}

// topic returns the topic of the i-th message.
func (c *Config) topic(i int) string {
	switch {
	case c.OwnTopics:
		return ownTopic(i % c.Rules)
	case c.Shape == Twin:
		return fmt.Sprintf("$hw/events/device/dev-%04d/twin/update", i%c.Devices)
	}
	return topicIn
}

func ownTopic(rule int) string { return "bench/own/" + strconv.Itoa(rule) }

// messages makes n messages as packets, of which a load sends one after the
// other, again and again.
func (c *Config) messages(n int, qos byte) []message {
	r := rand.New(rand.NewPCG(c.Seed, 1))
	out := make([]message, n)
	for i := range out {
		p, t := c.payload(r, i)
		m := message{topic: c.topic(i), passes: t >= c.Threshold, selects: t > c.Threshold}
		m.packet = appendPublish(nil, m.topic, p, qos, uint16(i%65535+1))
		if at := bytes.Index(m.packet, stampKey); at > 0 {
			m.stamp = at + len(stampKey)
		}
		out[i] = m
	}
	return out
}

// putStamp writes ns into the digits of ts of a packet.
func putStamp(digits []byte, ns int64) {
	for i := stampDigits - 1; i >= 0; i-- {
		digits[i] = byte('0' + ns%10)
		ns /= 10
	}
}

// stampOf reads ts from what the witness sent.
func stampOf(payload []byte) (ns int64, ok bool) {
	i := bytes.Index(payload, stampKey)
	if i < 0 {
		return 0, false
	}
	for _, d := range payload[i+len(stampKey):] {
		if d < '0' || d > '9' {
			break
		}
		ns = ns*10 + int64(d-'0')
	}
	return ns, ns > 0
}

// rule is what is submitted of a rule.
type rule struct {
	ID      string           `json:"id"`
	SQL     string           `json:"sql"`
	Actions []map[string]any `json:"actions"`
	Options map[string]any   `json:"options,omitempty"`
}

// temperature is the expression of the value in a message.
func (c *Config) temperature() string {
	if c.Shape == Twin {
		return `cast(twin->temperature->actual->value, "float")`
	}
	return "temperature"
}

// threshold returns the constant of rule i.
func (c *Config) threshold(i int) float64 {
	if !c.Distinct {
		return c.Threshold
	}
	return c.top() * (1 - c.Spread/100 + float64(i)/float64(c.Rules)*c.Spread/100)
}

// paneLengths are the lengths of the windows of Panes, in s.
var paneLengths = [...]int{1, 2, 3, 5, 10, 15, 30, 60}

// sql returns the text of rule i.
func (c *Config) sql(i int) string {
	stream, t, th := streamName, c.temperature(), c.threshold(i)
	if c.OwnTopics {
		stream = ownStream(i)
	}
	switch c.Kind {
	case Windows:
		return fmt.Sprintf("SELECT deviceid, avg(%s) AS t, count(*) AS c FROM %s GROUP BY deviceid, TUMBLINGWINDOW(ss, 1) HAVING avg(%s) > %g", t, stream, t, th-30)
	case Panes:
		return fmt.Sprintf("SELECT deviceid, avg(%s) AS t, max(%s) AS m, count(*) AS c FROM %s WHERE humidity < %d GROUP BY deviceid, TUMBLINGWINDOW(ss, %d) HAVING avg(%s) > %g",
			t, t, stream, 10*(1+i%10), paneLengths[i/10%len(paneLengths)], t, th-30)
	case Hopping:
		return fmt.Sprintf("SELECT deviceid, avg(%s) AS t, max(%s) AS m, count(*) AS c FROM %s GROUP BY deviceid, HOPPINGWINDOW(ss, 10, 1) HAVING avg(%s) > %g", t, t, stream, t, th-30)
	case Joins:
		return fmt.Sprintf("SELECT %[1]s.temperature AS t, %[2]s.hall FROM %[1]s INNER JOIN %[2]s ON %[1]s.deviceid = %[2]s.deviceid WHERE %[1]s.temperature > %[3]g", stream, tableName, th)
	case Types:
		return fmt.Sprintf("SELECT temperature, humidity * 2 AS h FROM %s WHERE humidity > %g", stream, th)
	case Calls:
		return fmt.Sprintf("SELECT round(%s) AS t, upper(deviceid) AS d, concat(deviceid, '-%d') AS k FROM %s WHERE substring(deviceid, 4, 8) = '%04d' AND floor(%s) > %g", t, i, stream, i%c.Devices, t, th)
	case Complex:
		return fmt.Sprintf(`SELECT %s AS t, humidity + %d AS h FROM %s WHERE %s > %g AND humidity < %d AND deviceid = "dev-%04d"`, t, i%50, stream, t, th-40, 20+i%80, i%c.Devices)
	}
	return fmt.Sprintf("SELECT %s FROM %s WHERE %s > %g", t, stream, t, th)
}

// tableSQL defines the table of Joins, and tableRule keeps it filled.
const tableSQL = `CREATE TABLE ` + tableName + ` () WITH (DATASOURCE="bench/halls", FORMAT="JSON", TYPE="memory", KIND="lookup", KEY="deviceid")`

func tableRule() rule {
	return rule{
		ID: tableName, SQL: "SELECT deviceid, concat('hall of ', deviceid) AS hall FROM " + streamName + " WHERE temperature > 99",
		Actions: []map[string]any{{"memory": map[string]any{"topic": "bench/halls", "keyField": "deviceid", "sendSingle": true}}},
	}
}

func ownStream(i int) string { return "own" + strconv.Itoa(i) }

// ruleAt returns rule i, which sends to broker if its sink is mqtt.
func (c *Config) ruleAt(i int, broker string) rule {
	props := map[string]any{}
	switch c.Sink {
	case "mqtt":
		props = map[string]any{"server": broker, "topic": fmt.Sprintf("bench/rule/%d", i%100), "sendSingle": true}
	case "memory":
		props = map[string]any{"topic": fmt.Sprintf("bench/rule/%d", i%100)}
	}
	return rule{ID: ruleID(i), SQL: c.sql(i), Actions: []map[string]any{{c.Sink: props}}}
}

func ruleID(i int) string { return "r" + strconv.Itoa(i) }

// witnessRule forwards what passes to broker.
func (c *Config) witnessRule(broker string) rule {
	fields := "temperature, ts"
	if c.Shape == Twin {
		fields = "twin->temperature->actual->value AS temperature"
	}
	return rule{
		ID: witness, SQL: fmt.Sprintf("SELECT %s FROM %s WHERE %s >= %g", fields, streamName, c.temperature(), c.Threshold),
		Actions: []map[string]any{{"mqtt": map[string]any{"server": broker, "topic": topicOut, "qos": c.QoS, "sendSingle": true}}},
		Options: map[string]any{"qos": c.QoS},
	}
}

// streamSQL defines a stream over a topic filter.
func streamSQL(name, filter string) string {
	return fmt.Sprintf(`CREATE STREAM %s () WITH (DATASOURCE="%s", FORMAT="JSON", TYPE="mqtt", CONF_KEY="bench", SHARED="true")`, name, filter)
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("bug: bench: " + err.Error())
	}
	return b
}
