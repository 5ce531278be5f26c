package mqttconn

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	firstBuf = 16 << 10  // of a new connection
	maxBuf   = 256 << 10 // of one that is busy; larger packets have room for a while
	// maxMessages is how many messages the handler gets in one call.
	maxMessages = 512
	// writeWait is how long one write may take before the broker counts as dead.
	writeWait = time.Minute
	// leaveWait is how long the end of a connection waits for a broker that is to close
	// it after the goodbye, and does not.
	leaveWait = 5 * time.Second
)

// tap is one network connection to the broker, and the net.Conn that the client
// library has of it. The library's reads get what is left when weir has taken
// what it understands itself.
//
// Its reader goroutine reads the socket, slices it into packets and calls the
// handler. Its writer goroutine sends acknowledgements, subscriptions and
// keep-alives, and watches whether the broker is alive. Everybody writes under
// wmu, whole packets only, and may take Conn.mu under it.
type tap struct {
	c   *Conn
	gen uint32
	nc  net.Conn
	raw syscall.RawConn // nil if the socket is not read directly (TLS, websocket)
	low syscall.RawConn // the socket, for its low-water mark; nil if there is none

	closed chan struct{}
	once   sync.Once
	err    error // why it is closed; set before closed is

	wmu       sync.Mutex
	deadline  time.Time // of writes, guarded by wmu
	gone      bool      // the goodbye is written, and nothing after it; guarded by wmu
	lastWrite atomic.Int64

	pmu   sync.Mutex // guards what the library reads
	pcond sync.Cond
	pbuf  []byte
	pseen int

	wake chan struct{} // to the writer

	// Of the reader.
	buf        []byte
	start, end int
	need       int // whole length of the packet that is incomplete
	skip       int // bytes to throw away
	pace       pacer
	lowered    bool // the low-water mark is raised
	msgs       []Message
	pub        publication
	tryOnce    trial
	reads      uint64       // not yet in the statistics
	lastRead   atomic.Int64 // ms
	waiting    atomic.Int64 // since when the reader waits for the broker, ms; 0: it does not

	// Guarded by Conn.mu.
	receipts receipts
	prompt   []byte // answers that wait for nobody
	lastID   uint16
	rounds   map[uint16][]*filter
	ends     map[uint16]bool // UNSUBSCRIBEs without an answer
	roundMs  int64           // when the oldest of rounds, or of ends, was sent
	pubs     map[uint16]flying
}

func newTap(c *Conn, nc net.Conn, gen uint32) *tap {
	t := &tap{
		c: c, gen: gen, nc: nc,
		closed: make(chan struct{}),
		wake:   make(chan struct{}, 1),
		rounds: make(map[uint16][]*filter),
		ends:   make(map[uint16]bool),
		pubs:   make(map[uint16]flying),
		pace:   pacer{linger: c.opt.Linger},
	}
	t.pcond.L = &t.pmu
	socket := nc
	if w, ok := nc.(interface{ NetConn() net.Conn }); ok {
		socket = w.NetConn()
	}
	if s, ok := socket.(syscall.Conn); ok {
		if rc, err := s.SyscallConn(); err == nil {
			t.low = rc
			if socket == nc {
				t.raw = rc
			}
		}
	}
	now := elapsedMs()
	t.lastWrite.Store(now)
	t.lastRead.Store(now)
	return t
}

// fail closes the tap for the first reason that is given.
func (t *tap) fail(err error) {
	t.once.Do(func() {
		t.pmu.Lock()
		t.err = err
		t.pmu.Unlock()
		close(t.closed)
		_ = t.nc.Close() // the reason is known already
		t.pcond.Broadcast()
	})
}

// leave says goodbye to the broker and closes the tap. A broker that keeps the session
// closes it first: the next client of the name may come before it has read the goodbye,
// and what it has not read by then, acknowledgements and ends of filters, is cut off.
func (t *tap) leave() {
	if t.goodbye() && !t.c.opt.CleanSession {
		select {
		case <-t.closed:
		case <-time.After(leaveWait):
		}
	}
	t.fail(ErrClosed)
}

// goodbye writes the last packets and tells whether they are on their way.
func (t *tap) goodbye() bool {
	t.hurry()
	t.wmu.Lock() // what the writer took to send goes before
	defer t.wmu.Unlock()
	b, live := t.farewell()
	if !live {
		return false
	}
	t.gone = true
	t.hurry()
	_, err := t.nc.Write(append(b, disconnect...))
	return err == nil
}

// hurry bounds what is written when nobody waits for it any more.
func (t *tap) hurry() { _ = t.nc.SetWriteDeadline(time.Now().Add(time.Second)) }

// farewell returns what is to be told before the end, if the broker has let us in.
func (t *tap) farewell() (b []byte, live bool) {
	c := t.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live != t {
		return nil, false
	}
	b = t.acks(nil)
	on, off := c.tab.farewell()
	return t.ask(b, on, off), true
}

// Read gives the client library what is its own. It returns as soon as the tap
// is closed, whatever the reader does.
func (t *tap) Read(p []byte) (int, error) {
	t.pmu.Lock()
	defer t.pmu.Unlock()
	for t.pseen == len(t.pbuf) {
		if t.err != nil {
			return 0, t.err
		}
		t.pcond.Wait()
	}
	n := copy(p, t.pbuf[t.pseen:])
	t.pseen += n
	if t.pseen == len(t.pbuf) {
		t.pbuf, t.pseen = t.pbuf[:0], 0
		if cap(t.pbuf) > maxBuf {
			t.pbuf = nil
		}
	}
	return n, nil
}

// pass hands a packet to the client library.
func (t *tap) pass(packet []byte) {
	t.pmu.Lock()
	t.pbuf = append(t.pbuf, packet...)
	t.pmu.Unlock()
	t.pcond.Signal()
}

// Write sends a packet of the client library: it writes each with one call. Its
// PINGREQs go nowhere, keep-alives are the writer's; so does what it has to say after
// the goodbye, or it would close the tap before the broker does.
func (t *tap) Write(p []byte) (int, error) {
	if len(p) == 0 || p[0] == pktPingreq {
		return len(p), nil
	}
	if err := t.send(p); err != nil && !errors.Is(err, ErrClosed) {
		return 0, err
	}
	return len(p), nil
}

// send writes whole packets. An error has closed the tap, or comes after the goodbye.
func (t *tap) send(b []byte) error {
	t.wmu.Lock()
	defer t.wmu.Unlock()
	return t.put(b)
}

// put is send for a caller that holds wmu.
func (t *tap) put(b []byte) error {
	if t.gone {
		return ErrClosed
	}
	now := time.Now()
	if t.deadline.Sub(now) < writeWait {
		t.deadline = now.Add(2 * writeWait)
		_ = t.nc.SetWriteDeadline(t.deadline) // fails on a closed socket, as does Write
	}
	if _, err := t.nc.Write(b); err != nil {
		t.fail(err)
		return t.why()
	}
	t.lastWrite.Store(elapsedMs())
	return nil
}

// why is the reason the tap was closed for.
func (t *tap) why() error {
	<-t.closed
	return t.err
}

var (
	errByLibrary = errors.New("connection closed by the MQTT client")
	errByBroker  = errors.New("connection closed by the broker")
)

// Close closes the tap; the library calls it.
func (t *tap) Close() error {
	t.fail(errByLibrary)
	return nil
}

// LocalAddr and the methods below make up a net.Conn.
func (t *tap) LocalAddr() net.Addr { return t.nc.LocalAddr() }

// RemoteAddr returns the broker's address.
func (t *tap) RemoteAddr() net.Addr { return t.nc.RemoteAddr() }

// SetDeadline bounds the handshake; it acts on the socket, whose reader fails
// then, and with it the library's Read.
func (t *tap) SetDeadline(d time.Time) error { return t.nc.SetReadDeadline(d) }

// SetReadDeadline acts on the socket.
func (t *tap) SetReadDeadline(d time.Time) error { return t.nc.SetReadDeadline(d) }

// SetWriteDeadline does nothing: every write has a deadline.
func (t *tap) SetWriteDeadline(time.Time) error { return nil }
