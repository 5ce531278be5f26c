package encode

// maxBatchBytes is the size at which a batch is sent whatever its bounds say, so
// that an action with a long lingerInterval holds a bounded amount of memory.
const maxBatchBytes = 1 << 20

// Batching tells whether messages of this encoder are collected in a Batcher
// (batchSize or lingerInterval is set).
func (e *Encoder) Batching() bool { return e.batchSize > 0 || e.linger > 0 }

// Batcher collects the messages of one action until batchSize of them are there,
// or lingerInterval has passed since the first. As JSON a batch is the array of
// its messages: [[{..}],[{..}]], and with sendSingle [{..},{..}]; as delimited
// text it is their lines, and query strings become one.
//
// The zero Batcher is empty and ready; the caller looks at Deadline and calls
// Flush in time, and once at the end. It copies what it is given. It is not safe
// for concurrent use.
type Batcher struct {
	buf      []byte
	n        int
	deadline int64
}

// Add takes a message of e at the time nowMs and tells whether the batch is full,
// so that the caller flushes it at once.
func (b *Batcher) Add(e *Encoder, msg []byte, nowMs int64) (full bool) {
	if b.n == 0 && e.linger > 0 {
		b.deadline = nowMs + max(e.linger.Milliseconds(), 1)
	}
	switch {
	case e.format == Delimited && b.n > 0:
		b.buf = append(b.buf, '\n')
	case e.format == JSON && b.n > 0:
		b.buf = append(b.buf, ',')
	case e.format == URLEncoded && b.n > 0:
		b.buf = append(b.buf, '&')
	case e.format == JSON:
		b.buf = append(b.buf, '[')
	}
	b.buf = append(b.buf, msg...)
	b.n++
	return e.batchSize > 0 && b.n >= e.batchSize || len(b.buf) >= maxBatchBytes
}

// Len returns the number of messages collected.
func (b *Batcher) Len() int { return b.n }

// Deadline returns when the batch is to be flushed at the latest; ok is false if
// nothing waits for a time.
func (b *Batcher) Deadline() (ms int64, ok bool) { return b.deadline, b.deadline != 0 }

// Jump says that the clock was set by so many ms: the batch waits as long as it would
// have waited.
func (b *Batcher) Jump(by int64) {
	if b.deadline != 0 {
		b.deadline += by
	}
}

// Flush appends the batch to dst as one message and empties it. sent is false if
// there was nothing.
func (b *Batcher) Flush(e *Encoder, dst []byte) (out []byte, sent bool, err error) {
	if b.n == 0 {
		return dst, false, nil
	}
	n := len(dst)
	out = append(dst, b.buf...)
	if e.format == JSON {
		out = append(out, ']')
	}
	// The memory goes too: an action that batches once an hour holds none between.
	*b = Batcher{}
	if e.compression != "" {
		if out, err = e.compress(out, n); err != nil {
			return out[:n], false, err
		}
	}
	return out, true, nil
}
