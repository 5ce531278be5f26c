package fn

import (
	"fmt"
	"time"

	"github.com/weir-engine/weir/vec"
	"github.com/weir-engine/weir/vec/timefmt"
)

// datePart makes a function of a time. Null is no time, so it is an error.
func datePart(signature, doc, example string, f func(time.Time) vec.Value) *Func {
	return scalar("datetime", signature, doc, example, func(c *Ctx, args []vec.Value) (vec.Value, error) {
		t, err := c.time(args[0])
		if err != nil {
			return vec.Value{}, err
		}
		return f(t), nil
	}).checked(literals(wantTime)).seesNulls()
}

// num makes a value of an int.
func num(i int) vec.Value { return vec.IntValue(int64(i)) }

const (
	dateTimeLayout = "2006-01-02 15:04:05"
	dateLayout     = "2006-01-02"
	clockLayout    = "15:04:05"
)

func dateFuncs() []*Func {
	const group = "datetime"
	return []*Func{
		scalar(group, "date_calc(t, duration)", "A time, as text, moved by a duration like 1h30m, -24h or 250ms.",
			`date_calc("2024-03-15 10:20:30", "1h30m")`, dateCalc).checked(literals(wantTime, wantText)).seesNulls(),
		scalar(group, "date_diff(a, b)", "The time from a to b in nanoseconds.", `date_diff("2024-03-15", "2024-03-16")`, dateDiff).
			checked(literals(wantTime)).seesNulls(),
		datePart("day(t)", "The same as day_of_month.", `day("2024-03-15")`, func(t time.Time) vec.Value { return num(t.Day()) }),
		datePart("day_name(t)", "The English name of the day of the week.", `day_name("2024-03-15")`,
			func(t time.Time) vec.Value { return vec.StringValue(t.Weekday().String()) }),
		datePart("day_of_month(t)", "The day of the month, from 1.", `day_of_month("2024-03-15")`, func(t time.Time) vec.Value { return num(t.Day()) }),
		datePart("day_of_week(t)", "The day of the week, from 0 for Sunday.", `day_of_week("2024-03-15")`, func(t time.Time) vec.Value { return num(int(t.Weekday())) }),
		datePart("day_of_year(t)", "The day of the year, from 1.", `day_of_year("2024-03-15")`, func(t time.Time) vec.Value { return num(t.YearDay()) }),
		scalar(group, "format_time(t, pattern)", "A time written as a pattern says: yyyy MM dd HH mm ss SSS, EEE, MMM, a, XXX ...",
			`format_time("2024-03-15 10:20:30", "yyyy-MM-dd HH:mm")`, formatTime).checked(literals(wantTime, wantText)).prepared(prepareFormatTime).kernels(formatTimeKernel),
		scalar(group, "parse_time(t, pattern)", "The time that a text of a pattern stands for; other times stay as they are.",
			`parse_time("15/03/2024", "dd/MM/yyyy")`, parseTime).checked(literals(wantTime, wantText)).internal(),
		scalar(group, "from_days(n)", "Day n as a date, of which 1 is 1970-01-01, up to 106752; null for 0.", `from_days(19798)`, fromDays).checked(literals(wantInt)),
		scalar(group, "from_unix_time(seconds)", "Seconds since 1970 as date and time; null for 0.", `from_unix_time(1700000000)`, fromUnixTime).
			checked(literals(wantInt)),
		datePart("hour(t)", "The hour, from 0 to 23.", `hour("2024-03-15 10:20:30")`, func(t time.Time) vec.Value { return num(t.Hour()) }),
		datePart("last_day(t)", "The date of the month's last day.", `last_day("2024-02-10")`, lastDay),
		datePart("microsecond(t)", "The microseconds of the second.", `microsecond("2024-03-15 10:20:30.25")`,
			func(t time.Time) vec.Value { return num(t.Nanosecond() / 1000) }),
		datePart("minute(t)", "The minute, from 0 to 59.", `minute("2024-03-15 10:20:30")`, func(t time.Time) vec.Value { return num(t.Minute()) }),
		datePart("month(t)", "The month, from 1.", `month("2024-03-15")`, func(t time.Time) vec.Value { return num(int(t.Month())) }),
		datePart("month_name(t)", "The English name of the month.", `month_name("2024-03-15")`, func(t time.Time) vec.Value { return vec.StringValue(t.Month().String()) }),
		datePart("second(t)", "The second, from 0 to 59.", `second("2024-03-15 10:20:30")`, func(t time.Time) vec.Value { return num(t.Second()) }),
	}
}

// clockFuncs are the functions that give the present.
func clockFuncs() []*Func {
	clock := func(signature, doc, layout string) *Func {
		return scalar("datetime", signature, doc, nameOf(signature)+"()", func(c *Ctx, args []vec.Value) (vec.Value, error) {
			layout := layout
			if len(args) == 1 {
				n, err := whole(args[0])
				if err == nil && (n < 0 || n > 6) {
					err = fmt.Errorf("want 0 to 6 decimals of a second, got %d", n)
				}
				if err != nil {
					return vec.Value{}, err
				}
				if n > 0 {
					layout += ".000000"[:n+1]
				}
			}
			return text(time.UnixMilli(c.now()).In(c.location()).Format(layout))
		}).checked(literals(wantInt)).volatile()
	}
	const full, day, daytime = "The present date and time, with so many decimals of the second (0).", "The present date.", "The present time of day, with so many decimals of the second (0)."
	return []*Func{
		clock("cur_date()", day, dateLayout),
		clock("cur_time([decimals])", daytime, clockLayout),
		clock("current_date()", day, dateLayout),
		clock("current_time([decimals])", daytime, clockLayout),
		clock("current_timestamp([decimals])", full, dateTimeLayout),
		clock("local_time([decimals])", full, dateTimeLayout),
		clock("local_timestamp([decimals])", full, dateTimeLayout),
		clock("now([decimals])", full, dateTimeLayout),
	}
}

func dateCalc(c *Ctx, args []vec.Value) (vec.Value, error) {
	t, err := c.time(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	d, err := time.ParseDuration(Text(args[1]))
	if err != nil {
		return vec.Value{}, Wrong("a duration", args[1])
	}
	return text(t.Add(d).Format(dateTimeLayout))
}

func dateDiff(c *Ctx, args []vec.Value) (vec.Value, error) {
	a, err := c.time(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	b, err := c.time(args[1])
	return vec.IntValue(int64(b.Sub(a))), err
}

func formatTime(c *Ctx, args []vec.Value) (vec.Value, error) {
	p, err := timefmt.Get(Text(args[1]))
	if err != nil {
		return vec.Value{}, err
	}
	t, err := c.time(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	return text(p.Format(t))
}

// parseTime gives the event time of streams with a TIMESTAMP_FORMAT.
func parseTime(c *Ctx, args []vec.Value) (vec.Value, error) {
	if args[0].Kind != vec.String {
		t, err := c.time(args[0])
		return vec.TimeValue(t.UnixMilli()), err
	}
	p, err := timefmt.Get(Text(args[1]))
	if err != nil {
		return vec.Value{}, err
	}
	t, err := p.Parse(args[0].S, c.location(), c.now())
	if err != nil {
		return vec.Value{}, err
	}
	return vec.TimeValue(t.UnixMilli()), nil
}

func prepareFormatTime(l Lits) Row {
	pattern, ok := l.text(1)
	if !ok {
		return nil
	}
	p, err := timefmt.Compile(pattern)
	if err != nil {
		return nil // every row says so
	}
	return func(c *Ctx, args []vec.Value) (vec.Value, error) {
		t, err := c.time(args[0])
		if err != nil {
			return vec.Value{}, err
		}
		return text(p.Format(t))
	}
}

// formatTimeKernel formats columns of numbers and instants.
func formatTimeKernel(l Lits) VecFunc {
	pattern, ok := l.text(1)
	if !ok || l[0] != nil {
		return nil
	}
	p, err := timefmt.Compile(pattern)
	if err != nil {
		return nil
	}
	return func(c *Ctx, dst, col *vec.Column) bool {
		if col.Kind != vec.Int64 && col.Kind != vec.Timestamp && col.Kind != vec.Float64 {
			return false
		}
		begin(dst, col, vec.String)
		var buf [64]byte
		col.Valid.Each(func(row int) {
			t, err := c.time(col.Value(row))
			if err != nil {
				dst.SetFault(row)
				return
			}
			dst.Codes[row] = dst.Dict.Add(p.Append(buf[:0], t))
		})
		return true
	}
}

func fromDays(_ *Ctx, args []vec.Value) (vec.Value, error) {
	n, err := whole(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	if n == 0 {
		return null()
	}
	// Days are counted in nanoseconds, which wrap after day 106752, as users of
	// eKuiper have it.
	return text(time.Unix(0, 0).UTC().Add(time.Duration(n-1) * 24 * time.Hour).Format(dateLayout))
}

// maxSeconds keeps years within five digits.
const maxSeconds = 1 << 40

func fromUnixTime(c *Ctx, args []vec.Value) (vec.Value, error) {
	n, err := whole(args[0])
	if err != nil {
		return vec.Value{}, err
	}
	if n == 0 {
		return null()
	}
	if n > maxSeconds || n < -maxSeconds {
		return vec.Value{}, fmt.Errorf("time %d is out of range", n)
	}
	return text(time.Unix(n, 0).In(c.location()).Format(dateTimeLayout))
}

func lastDay(t time.Time) vec.Value {
	y, m, _ := t.Date()
	return vec.StringValue(time.Date(y, m+1, 0, 0, 0, 0, 0, time.UTC).Format(dateLayout))
}
