package main

import (
	"fmt"

	"github.com/weir-engine/weir/ingest/sim"
)

// demoModelFile is the name of the device model of the demonstration.
const demoModelFile = "devicemodel.json"

// demoModel is what the devices report, in the form that KubeEdge hands to
// mappers: with it the properties are columns with types.
const demoModel = `{
  "deviceModels": [
    {"name": "sensor", "properties": [
      {"name": "temperature", "dataType": "float", "unit": "degree celsius"},
      {"name": "humidity", "dataType": "float", "unit": "percent"},
      {"name": "pressure", "dataType": "int", "unit": "hPa"},
      {"name": "door", "dataType": "boolean"}
    ]}
  ]
}
`

// demoProperties are the same for the simulation. Spikes are a share of values
// beyond the range, by up to a tenth of it.
var demoProperties = []sim.Property{
	{Name: "temperature", Min: 15, Max: 85},
	{Name: "humidity", Min: 20, Max: 90, Decimals: 1},
	{Name: "pressure", Type: "int", Min: 900, Max: 1100},
	{Name: "door", Type: "boolean"},
}

const demoSpikes = 0.004

const demoStream = `CREATE STREAM twins (temperature FLOAT, humidity FLOAT, pressure BIGINT, door BOOLEAN) ` +
	`WITH (DATASOURCE="$hw/events/device/+/twin/update", FORMAT="JSON", TYPE="mqtt", CONF_KEY="demo")`

// demoRule is the body of a rule.
type demoRule struct {
	ID      string           `json:"id"`
	SQL     string           `json:"sql"`
	Actions []map[string]any `json:"actions"`
}

// demoRules returns n rules of the kinds that plants have. Those of a kind differ
// in their limits: the engine still evaluates each kind once.
func demoRules(n, devices int, broker string) []demoRule {
	mqtt := func(topic string) []map[string]any {
		return []map[string]any{{"mqtt": map[string]any{"server": broker, "topic": topic, "sendSingle": true, "omitIfEmpty": true}}}
	}
	nop := []map[string]any{{"nop": map[string]any{}}}
	rules := []demoRule{
		{
			"plant", "SELECT count(*) AS reports, round(avg(temperature)) AS mean, max(temperature) AS highest FROM twins GROUP BY TUMBLINGWINDOW(ss, 10)",
			[]map[string]any{{"log": map[string]any{}}},
		},
		{"pressure", "SELECT meta(device) AS device, pressure, round(pressure * 0.75006) AS mmhg FROM twins WHERE pressure > 1115", mqtt("alarms/pressure")},
	}
	add := func(id, sql string, actions []map[string]any) { rules = append(rules, demoRule{id, sql, actions}) }
	for i := 0; len(rules) < max(n, 10); i++ {
		switch i % 5 {
		case 0, 1: // the limit of one device
			device := i/5*2 + i%5
			add(fmt.Sprintf("hot_%04d", device+1),
				fmt.Sprintf(`SELECT meta(device) AS device, temperature FROM twins WHERE meta(device) = "sensor-%04d" AND temperature > %.1f`, device%devices+1, 85.5+float64(device%50)/10),
				mqtt("alarms/hot"))
		case 2: // limits over all devices, each another
			add(fmt.Sprintf("above_%04d", i/5+1), fmt.Sprintf("SELECT temperature, meta(device) AS device FROM twins WHERE temperature > %.2f", 20+float64(i%6500)/100), nop)
		case 3: // conversions
			add(fmt.Sprintf("convert_%04d", i/5+1),
				fmt.Sprintf(`SELECT upper(meta(device)) AS name, temperature * 1.8 + 32 AS fahrenheit FROM twins WHERE temperature BETWEEN %d AND %d`, i%80, i%80+2), nop)
		case 4: // windows of each device
			add(fmt.Sprintf("mean_%04d", i/5+1),
				fmt.Sprintf("SELECT meta(device) AS device, round(avg(temperature)) AS mean, count(*) AS reports FROM twins "+
					"GROUP BY meta(device), TUMBLINGWINDOW(ss, 10) HAVING avg(temperature) > %.2f", 84+float64(i/5%400)/100), mqtt("alarms/mean"))
		}
	}
	return rules[:max(n, 10)]
}
