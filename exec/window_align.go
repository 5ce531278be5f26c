package exec

import (
	"time"

	"github.com/weir-engine/weir/planner"
	"github.com/weir-engine/weir/planner/sql"
)

// alignedEnd returns the end of the window that ms is in, in ms. Windows are
// aligned within the next larger unit of local time: windows of ten seconds end
// at :00, :10 and so on, windows of days at midnight.
func alignedEnd(ms int64, s planner.WindowSpec, loc *time.Location) int64 {
	t := time.UnixMilli(ms).In(loc)
	length := s.Length
	if s.Kind == sql.HoppingWindow {
		length = s.Interval
	}
	y, mo, d := t.Date()
	var base time.Time // start of the next larger unit
	var unit int64
	switch s.Unit {
	case "dd":
		return time.Date(y, mo, d+int(length/86400000), 0, 0, 0, 0, loc).UnixMilli()
	case "hh":
		base, unit = time.Date(y, mo, d, 0, 0, 0, 0, loc), 3600000
	case "mi":
		base, unit = time.Date(y, mo, d, t.Hour(), 0, 0, 0, loc), 60000
	case "ss":
		base, unit = t.Truncate(time.Minute), 1000
	default:
		base, unit = t.Truncate(time.Second), 1
	}
	n := length / unit
	at := (ms - base.UnixMilli()) / unit
	return base.UnixMilli() + (at/n+1)*n*unit
}

// nextEnd returns the end of the window after the one that ends at ms. Days keep
// to midnight over changes of the clock.
func nextEnd(ms int64, s planner.WindowSpec, loc *time.Location) int64 {
	if s.Unit == "dd" {
		return alignedEnd(ms, s, loc)
	}
	if s.Kind == sql.HoppingWindow {
		return ms + s.Interval
	}
	return ms + s.Length
}
