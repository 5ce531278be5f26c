package exec

import (
	"time"

	"github.com/weir-engine/weir/planner"
)

const dayMs = 86_400_000

// firstEnd returns the end of the window that ms is in, in ms, if it begins no
// later than ms and is the first: at the next time that its hop divides the next
// larger unit of local time at. Windows of ten seconds end at :00, :10 and so on,
// those of days at midnight.
func firstEnd(ms int64, s *planner.WindowSpec, loc *time.Location) int64 {
	hop := s.Hop()
	switch {
	case s.Unit == "dd":
		return midnight(ms, hop, loc)
	case !s.Drifts():
		return roundTime(ms, hop, loc)
	}
	at := floorMod(wallTime(ms, loc), s.Within())
	return ms - at + (at/hop+1)*hop
}

// nextEnd returns the end of the window after the one that ends at ms. Where the
// hop does not divide the next larger unit it is the same from end to end, or in
// days; else ends are round times whatever was before.
func nextEnd(ms int64, s *planner.WindowSpec, loc *time.Location) int64 {
	if s.Unit != "dd" && s.Drifts() {
		return ms + s.Hop()
	}
	return firstEnd(ms, s, loc)
}

// roundTime returns the first time after ms at which a clock in loc shows a multiple
// of hop, which divides a day, or is set forward over one. Where the clock is set
// back it shows some times twice.
func roundTime(ms, hop int64, loc *time.Location) int64 {
	for {
		wall := wallTime(ms, loc)
		end := ms + hop - floorMod(wall, hop)
		_, change := time.UnixMilli(ms).In(loc).ZoneBounds()
		if change.IsZero() || end < change.UnixMilli() {
			return end
		}
		at := change.UnixMilli()
		from, to := at+wall-ms, wallTime(at, loc) // what the clock shows before and after
		if floorMod(to, hop) == 0 || from <= to && floorDiv(to, hop) > floorDiv(from-1, hop) {
			return at
		}
		ms = at
	}
}

// midnight returns the time at which the date in loc first is days, given in ms,
// after that of ms. It is later than ms.
func midnight(ms, days int64, loc *time.Location) int64 {
	wall := wallTime(ms, loc)
	date := wall - floorMod(wall, dayMs) + days
	for {
		if at := firstTime(date, loc); at > ms {
			return at
		}
		date += dayMs // the date was there already, before the clock was set back over midnight
	}
}

// firstTime returns the time at which a clock in loc first shows wall, in ms, or
// later.
func firstTime(wall int64, loc *time.Location) int64 {
	ms := wall - 16*3_600_000 // no clock is so far ahead of UTC
	for {
		at := wall - (wallTime(ms, loc) - ms)
		_, change := time.UnixMilli(ms).In(loc).ZoneBounds()
		switch {
		case at < ms: // the clock was set forward over it
			return ms
		case change.IsZero() || at < change.UnixMilli():
			return at
		}
		ms = change.UnixMilli()
	}
}

// wallTime returns what a clock in loc shows at ms, as if it were UTC.
func wallTime(ms int64, loc *time.Location) int64 {
	_, off := time.UnixMilli(ms).In(loc).Zone()
	return ms + int64(off)*1000
}

func floorDiv(a, b int64) int64 { return (a - floorMod(a, b)) / b }

func floorMod(a, b int64) int64 {
	if m := a % b; m < 0 {
		return m + b
	} else {
		return m
	}
}
