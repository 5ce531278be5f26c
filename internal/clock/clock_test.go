package clock

import (
	"math/rand/v2"
	"testing"
	"time"
)

// machine is a machine whose clock somebody sets.
type machine struct {
	wall    int64
	elapsed time.Duration
	late    []time.Duration // what the next reads lose between the two clocks
}

func (m *machine) read() (int64, time.Duration) {
	wall := m.wall
	if len(m.late) > 0 {
		m.pass(m.late[0])
		m.late = m.late[1:]
	}
	return wall, m.elapsed
}

func (m *machine) pass(d time.Duration) {
	m.wall += int64(d)
	m.elapsed += d
}

// The clock goes on evenly but for jumps, and is never far from the wall clock: it goes
// back, stands still or runs ahead in no walk of settings, large and small.
func TestClockIsEven(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		m := &machine{wall: rnd.Int64N(1 << 60)}
		c := New(m.read)
		last, rest := m.wall/1e6, int64(0)
		for range 300 {
			d := time.Duration(rnd.Int64N(int64(3 * time.Second)))
			m.pass(d)
			switch rnd.IntN(10) {
			case 0: // a second of a leap, a small correction
				m.wall += rnd.Int64N(int64(time.Second)) - int64(time.Second)/2
			case 1:
				m.wall += rnd.Int64N(1<<45) - 1<<44
			case 2:
				m.wall += rnd.Int64N(4)*3_600_000_000_000 - 5_400_000_000_000
			}
			now, jump := c.Read()
			passed := now - jump - last
			if low, high := d.Milliseconds()*9/10-1, d.Milliseconds()*11/10+2; passed < low || passed > high {
				t.Fatalf("%v passed, the clock shows %d ms more", d, passed)
			}
			if off := now - m.wall/1e6; off > 1000 || off < -1000 {
				t.Fatalf("the clock is %d ms off", off)
			}
			if jump != 0 && jump <= 900 && jump >= -900 {
				t.Fatalf("a jump of %d ms", jump)
			}
			last = now
			rest += jump
		}
		if rest == 0 {
			t.Fatal("the clock was never set")
		}
	}
}

// A small difference is gone after ten times its length.
func TestClockFollows(t *testing.T) {
	m := &machine{wall: 1e18}
	c := New(m.read)
	m.wall -= int64(800 * time.Millisecond)
	for range 900 {
		m.pass(10 * time.Millisecond)
		if _, jump := c.Read(); jump != 0 {
			t.Fatal("a small difference is a jump")
		}
	}
	if now, _ := c.Read(); now != m.wall/1e6 {
		t.Errorf("the clock shows %d, want %d", now, m.wall/1e6)
	}
}

// A process that is put off while it reads the clocks does not see a jump.
func TestClockLooksTwice(t *testing.T) {
	m := &machine{wall: 1e18}
	c := New(m.read)
	m.pass(time.Second)
	m.late = []time.Duration{4 * time.Second, 3 * time.Second}
	if now, jump := c.Read(); jump != 0 || now != m.wall/1e6 {
		t.Errorf("the clock shows %d after a jump of %d, want %d", now, jump, m.wall/1e6)
	}
}
