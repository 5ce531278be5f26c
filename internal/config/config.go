// Package config reads the settings of the process: one YAML file, over it the
// environment, over that the flags of the command line. The keys are those of
// eKuiper's kuiper.yaml where weir has the same thing, so that such a file can be
// used as it is; the keys of things that weir does not have are accepted with a
// warning.
//
// It refuses what it does not understand. All faults are reported at once, each
// with the line or the variable it came from, and nothing is ever taken for a
// default because it was spelled wrong. It opens no file but the one it is given
// and starts nothing: whoever runs the process composes the options of the other
// packages from Config.
package config

import (
	"time"

	"github.com/weir-engine/weir/internal/props"
	"github.com/weir-engine/weir/planner/ruledef"
)

// Config is everything that can be set. Defaults returns it filled.
type Config struct {
	Basic  Basic  `key:"basic"`
	Data   Data   `key:"data"`
	MQTT   MQTT   `key:"mqtt"`
	Rule   Rule   `key:"rule"`
	Sink   Sink   `key:"sink"`
	Memory Memory `key:"memory"`

	// Sources, Sinks and Connections hold groups of settings by type and name:
	// what CONF_KEY, resourceId and connectionSelector name. They stand beside
	// those that are made over REST, which win. Values are string, bool, int64,
	// float64, list or map, as in JSON.
	Sources     Groups `key:"sources"`
	Sinks       Groups `key:"sinks"`
	Connections Groups `key:"connections"`

	// Dir is the directory of the file; relative paths in it start there. Empty
	// without a file.
	Dir string `key:"-"`

	// Warnings name keys that were accepted and have no effect.
	Warnings []string `key:"-"`

	origins map[string]string // where a key was set, by path
}

// Groups are settings by type, then by the name of the group, then by key. Types
// and names are lower case.
type Groups map[string]map[string]map[string]any

// Basic is the process and its REST interface.
type Basic struct {
	LogLevel  string `key:"logLevel"`  // debug, info, warn or error; default info
	LogFormat string `key:"logFormat"` // text or json; default text
	Debug     bool   `key:"debug"`     // log level debug, whatever logLevel says
	Timezone  string `key:"timezone"`  // IANA name; default: that of the machine

	RestIP         string `key:"restIp"`             // default 127.0.0.1: this machine only
	RestPort       int    `key:"restPort"`           // default 9081
	RestTLS        TLS    `key:"restTls"`            // with both files REST is HTTPS
	RestCORS       bool   `key:"restCors"`           // pages of other origins may call; default true
	RestBody       Bytes  `key:"restBodyLimit"`      // largest body of a call; default 8MB
	RestBulk       Bytes  `key:"restBulkLimit"`      // largest body of a bulk or an import; default 64MB
	Authentication bool   `key:"authentication"`     // calls need a token signed by a key in mgmtDir
	MgmtDir        string `key:"mgmtDir"`            // public keys of those who sign; default mgmt
	RestAudit      bool   `key:"enableRestAuditLog"` // logs every call that is not a GET

	Prometheus     bool   `key:"prometheus"`          // serves /metrics on a port of its own too; REST always has it
	PrometheusPort int    `key:"prometheusPort"`      // default 20499
	MetricsCompat  bool   `key:"metricsCompat"`       // series of eKuiper's dashboards for each source, operator and sink
	CompatSeries   int    `key:"metricsCompatSeries"` // bound of those; default 50000
	Pprof          bool   `key:"pprof"`               // serves profiles; default false
	PprofIP        string `key:"pprofIp"`             // default 127.0.0.1
	PprofPort      int    `key:"pprofPort"`           // default 6060; the REST port puts them there

	RulePatrolInterval      time.Duration `key:"rulePatrolInterval"`      // between attempts to start rules that stopped by error; default 10s
	GracefulShutdownTimeout time.Duration `key:"gracefulShutdownTimeout"` // for the end of calls, batches and deliveries; default 10s
	EnablePrivateNet        bool          `key:"enablePrivateNet"`        // imports may fetch from private addresses
	AllowExternalFileAccess bool          `key:"allowExternalFileAccess"` // imports may read files outside the data directory
}

// TLS names a certificate and its key, both in PEM.
type TLS struct {
	CertFile string `key:"certfile"`
	KeyFile  string `key:"keyfile"`
}

// Data is where the process keeps what must survive it.
type Data struct {
	Dir string `key:"dir"` // default data
}

// MQTT is the embedded broker.
type MQTT struct {
	Listen   string `key:"listen"` // host:port; a port alone is loopback; empty: no broker
	Username string `key:"username"`
	Password string `key:"password"`
	TLS      TLS    `key:"tls"`
}

// Rule holds the options of rules that leave them out.
type Rule struct {
	IsEventTime        bool            `key:"isEventTime"`
	LateTolerance      time.Duration   `key:"lateTolerance"`  // default 1s
	MaxFutureDrift     time.Duration   `key:"maxFutureDrift"` // default 24h; 0: none
	Concurrency        int             `key:"concurrency"`    // accepted; default 1
	BufferLength       int             `key:"bufferLength"`   // accepted; default 1024
	SendMetaToSink     bool            `key:"sendMetaToSink"`
	SendNilField       bool            `key:"sendNilField"`
	SendError          bool            `key:"sendError"`
	QoS                int             `key:"qos"`                // 0, 1 or 2
	CheckpointInterval time.Duration   `key:"checkpointInterval"` // default 5m
	RestartStrategy    RestartStrategy `key:"restartStrategy"`
}

// RestartStrategy says what becomes of a rule that failed.
type RestartStrategy struct {
	Attempts int `key:"attempts"`
}

// Options returns the defaults as ruledef.ParseFor takes them.
func (r Rule) Options() ruledef.Options {
	o := ruledef.DefaultOptions()
	o.IsEventTime, o.LateTolerance, o.MaxFutureDrift = r.IsEventTime, r.LateTolerance, r.MaxFutureDrift
	o.Concurrency, o.BufferLength = r.Concurrency, r.BufferLength
	o.SendMetaToSink, o.SendNilField, o.SendError = r.SendMetaToSink, r.SendNilField, r.SendError
	o.QoS, o.CheckpointInterval = r.QoS, r.CheckpointInterval
	o.RestartAttempts = r.RestartStrategy.Attempts
	return o
}

// warnings lists what the section says in vain.
func (r Rule) warnings() []string {
	list := props.Warnings("option", map[string]any{
		"concurrency": r.Concurrency, "bufferLength": r.BufferLength, "qos": r.QoS, "checkpointInterval": r.CheckpointInterval.String(),
		"restartStrategy": map[string]any{"attempts": r.RestartStrategy.Attempts},
	}, ruledef.OptionProperties())
	for i, text := range list {
		list[i] = "rule: " + text
	}
	return list
}

// Sink bounds what waits for a destination.
type Sink struct {
	MemoryBytes Bytes         `key:"memoryBytes"` // in memory, per destination, before it goes to disk; default 4MB
	MaxBytes    Bytes         `key:"maxBytes"`    // in memory and on disk, per destination; default 256MB
	AtLimit     string        `key:"atLimit"`     // at maxBytes: block lets the streams wait, dropOldest drops and counts; default block
	RetryMin    time.Duration `key:"retryMin"`    // first wait after a failed delivery; default 100ms
	RetryMax    time.Duration `key:"retryMax"`    // longest wait; default 5s
}

// Memory bounds the process.
type Memory struct {
	Limit     Bytes `key:"limit"`     // soft limit of the Go runtime; default 0: GOMEMLIMIT, or none
	GCPercent int   `key:"gcPercent"` // heap growth between collections; default 0: chosen by the engine
}

// Defaults returns the settings of a process that is told nothing.
func Defaults() *Config {
	return &Config{
		Basic: Basic{
			LogLevel: "info", LogFormat: "text",
			RestIP: "127.0.0.1", RestPort: 9081, RestCORS: true, RestBody: 8 << 20, RestBulk: 64 << 20, MgmtDir: "mgmt",
			PrometheusPort: 20499, CompatSeries: 50_000, PprofIP: "127.0.0.1", PprofPort: 6060,
			RulePatrolInterval: 10 * time.Second, GracefulShutdownTimeout: 10 * time.Second,
		},
		Data: Data{Dir: "data"},
		Rule: Rule{LateTolerance: time.Second, MaxFutureDrift: ruledef.DefaultDrift, Concurrency: 1, BufferLength: 1024, CheckpointInterval: 5 * time.Minute},
		Sink: Sink{MemoryBytes: 4 << 20, MaxBytes: 256 << 20, AtLimit: "block", RetryMin: 100 * time.Millisecond, RetryMax: 5 * time.Second},

		Sources: Groups{}, Sinks: Groups{}, Connections: Groups{},
	}
}

// ignored are keys of kuiper.yaml that weir accepts and has no use for. A name
// with a star at the end stands for all below it.
var ignored = []string{
	"basic.consoleLog", "basic.fileLog", "basic.logDisableTimestamp", "basic.syslog.*", "basic.syslog", "basic.rotateTime", "basic.maxAge",
	"basic.rotateSize", "basic.rotateCount", "basic.ip", "basic.port", "basic.pluginHosts", "basic.ignoreCase", "basic.sql.*",
	"basic.enableOpenZiti", "basic.aesKey", "basic.cfgStorageType", "basic.ResourceProfileConfig.*", "basic.metricsDumpConfig.*", "basic.sql", "basic.ResourceProfileConfig", "basic.metricsDumpConfig",
	"basic.connection.*", "basic.connection",
	"rule.restartStrategy.delay", "rule.restartStrategy.multiplier", "rule.restartStrategy.maxDelay", "rule.restartStrategy.jitterFactor",
	"sink.enableCache", "sink.memoryCacheThreshold", "sink.maxDiskCache", "sink.bufferPageSize", "sink.resendInterval", "sink.cleanCacheAtStop",
	"sink.resendAlterQueue", "sink.resendPriority", "sink.resendIndicatorField",
	"source", "source.*", "security", "security.*", "store", "store.*", "portable", "portable.*", "openTelemetry", "openTelemetry.*", "connection", "connection.*",
}
