// Package loss is the ledger of losses: it names every way in which a message or
// row can end without being sent although a rule was there to send it. Each way
// is one Reason, with a name for metrics and status, and with what it means and
// what to do about it for the documents.
//
// Whoever ends a message counts it in a Counts or a Ledger of the one that it
// belonged to: a rule, a stream, a connection, a destination or the process. A new
// way is a constant, its line in texts, and the place that counts it; metrics,
// status and the test of the documents follow by themselves.
//
// No loss is what a rule asks for: rows that WHERE, HAVING or a filter of rows
// leaves out, omitIfEmpty, nop sinks, and messages that come after their rule or
// stream was stopped. No loss is a bad value either, which is null in a row that
// goes on. The package imports nothing of ours and touches nothing outside.
package loss

import "sync/atomic"

// Reason is one way in which a message or row can end without being sent.
type Reason uint8

// The reasons, in the order of the way of a message.
const (
	Oversized Reason = iota
	Unrouted
	Handler
	Record
	Decode
	Redecode
	Untimed
	Future
	Late
	Capped
	Fault
	Lookup
	Pairs
	Parked
	Panic
	Encode
	Refused
	Dropped
	Stored
	Unsaved
	Discarded
	Deleted
	Broker

	count
)

// text is what is said of a reason.
type text struct{ name, counts, meaning, remedy string }

// texts has a line for each reason; docs/operation.md has the same table.
var texts = [count]text{
	Oversized: {"oversized", "messages of a connection and of its streams", "The MQTT packet was larger than `maxPacketBytes`. It was acknowledged, or the broker would send nothing else.", "Raise `maxPacketBytes` of the source, or send smaller messages."},
	Unrouted:  {"unrouted", "messages of a connection", "No stream wants the topic of the MQTT message: the broker kept a subscription of an earlier session, or the stream ended while it was on its way.", "Nothing, if it stays a few; else give the session another `clientid` or a clean session."},
	Handler:   {"handler", "messages of a connection", "Taking the messages of a read panicked. They were acknowledged.", "A fault of weir: the log has the stack, report it."},
	Record:    {"record", "lines of a stream", "A line or record of a file could not be cut out of it: too long, or with a quote that never ends.", "The stream's last error names file and line: mend it."},
	Decode:    {"decode", "messages of a stream", "The payload was not what format, schema and options of the stream say.", "The stream's last error has the reason and the beginning of the payload: mend the sender or the definition."},
	Redecode:  {"redecode", "rows of the process", "A batch that was under way could not be read for the columns of a rule that came meanwhile.", "The log has the reason; report it."},
	Untimed:   {"untimed", "rows of a rule and of its streams", "The row had no event time: nothing in the field of `TIMESTAMP`, or no time that weir can read.", "The rule's last exception has the value: mend the sender, `TIMESTAMP` or `TIMESTAMP_FORMAT` of the stream."},
	Future:    {"future", "rows of a rule and of its streams", "The row's event time was further ahead of the clock than `maxFutureDrift`, so the watermark did not follow it.", "Mend the clock of the sender, or of this machine, or raise `maxFutureDrift` of the rule."},
	Late:      {"late", "rows of a rule and of its streams", "The row's event time was before the watermark.", "Raise `lateTolerance` of the rule, or mend the clock of the sender."},
	Capped:    {"capped", "windows of a rule", "A jump in time passed over more empty windows than are made one by one, so the rest of them sent nothing.", "Look for a message with a time far in the future; nothing, if the rule sends nothing for empty windows."},
	Fault:     {"fault", "rows and windows of a rule", "A condition, a function or a column could not be evaluated for the row.", "The rule's last exception has the reason; `sendError` sends it on."},
	Lookup:    {"lookup", "rows and windows of a rule", "The store of a lookup table did not answer, or refused.", "The rule's last exception has the reason: look after the store, or raise its timeout."},
	Pairs:     {"pairs", "rows and windows of a rule", "A join had more pairs of rows than its bound.", "Give the join a narrower ON condition or a shorter window."},
	Parked:    {"parked", "windows of a rule", "More rows waited for a lookup table than its bound.", "Look after the store, or join fewer rows."},
	Panic:     {"panic", "rows and windows of a rule, or of the process", "Weir panicked. Where rules are known to be behind it they are stopped, and it is counted for them; else the batch is lost, and what it was about to send.", "A fault of weir: the log has the stack, report it."},
	Encode:    {"encode", "messages of a rule", "The output could not be written in its format, or its template, topic, URL or path could not be evaluated.", "The last exception of the rule or of its sink has the reason: mend the template or the SELECT list."},
	Refused:   {"refused", "messages of a rule and of a destination", "The destination refused the message for good.", "The sink's last exception has what it said: mend the output, or the destination."},
	Dropped:   {"dropped", "messages of a destination and of a rule", "What waited for the destination reached `sink.maxBytes`, and `sink.atLimit` is `dropOldest`.", "Look after the destination, raise `sink.maxBytes`, or let `sink.atLimit` be `block`."},
	Stored:    {"stored", "messages of a destination", "Messages that waited on disk could not be read again.", "The log has the reason: check the disk."},
	Unsaved:   {"unsaved", "messages of a destination", "At the end of the process messages were neither delivered nor could they be stored.", "The log has the reason: check the disk, or raise `basic.gracefulShutdownTimeout`."},
	Discarded: {"discarded", "messages of a destination", "A client gave up what waited for a destination that no rule used: `DELETE /outboxes/{id}`.", "Nothing: it was wanted."},
	Deleted:   {"deleted", "messages of a destination", "A client gave up what waited of a rule that it deleted: `DELETE /rules/{id}?outputs=drop`.", "Nothing: it was wanted."},
	Broker:    {"broker", "messages of the process", "The embedded broker dropped them for a client that did not keep up.", "Use QoS 1 and a client that reads faster."},
}

// String returns the name of r in metrics and status.
func (r Reason) String() string { return texts[r].name }

// All returns every reason, in the order of the way of a message.
func All() []Reason {
	all := make([]Reason, count)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// Counts is what one owner lost, by reason: c[loss.Late]++ counts a row.
type Counts [count]uint64

// Merge adds what another owner lost.
func (c *Counts) Merge(o *Counts) {
	for i := range c {
		c[i] += o[i]
	}
}

// Named returns the reasons that are not zero by their names; nil if none is.
func (c *Counts) Named() map[string]uint64 {
	var m map[string]uint64
	for i, n := range c {
		if n == 0 {
			continue
		}
		if m == nil {
			m = map[string]uint64{}
		}
		m[Reason(i).String()] = n
	}
	return m
}

// Ledger is a Counts that several goroutines write. The zero Ledger is empty.
type Ledger struct{ n [count]atomic.Uint64 }

// Add counts n losses.
func (l *Ledger) Add(r Reason, n uint64) { l.n[r].Add(n) }

// Merge adds what another owner lost, before it goes.
func (l *Ledger) Merge(o Counts) {
	for i, n := range o {
		l.n[i].Add(n)
	}
}

// Counts returns what was counted so far.
func (l *Ledger) Counts() (c Counts) {
	for i := range c {
		c[i] = l.n[i].Load()
	}
	return c
}
