// Package clock holds the builtins for time: the clocks, texts of dates by the
// formats of strftime(3), durations, and sleep.
//
// Times are Unix times: seconds since 1970 in UTC, with decimals. Texts are in
// the time zone of the system unless an option says otherwise.
package clock

import (
	"math"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Builtins returns the functions of the theme.
func Builtins() []*value.Builtin {
	local := declare.Option("boolean local = true", "The text is in the time zone of the system; in UTC otherwise.")
	return []*value.Builtin{
		declare.Function("time() number",
			"Returns the Unix time with decimals.",
			`echo time() > 1700000000; // true`,
			func(*value.Call) (value.Value, error) { return seconds(time.Now()), nil }),
		declare.Function("timelocal() number",
			"Returns the Unix time shifted by the offset of the time zone of the system.",
			`echo abs(timelocal() - time()) < 86400; // true`, timeLocal),
		declare.Function("uptime() number",
			"Returns the seconds since the system started, with decimals. They never go back.",
			`$before = uptime(); echo uptime() >= $before; // true`, upTime),
		declare.Function("executiontime() number",
			"Returns the seconds since this execution of the script began, with decimals.",
			`echo executiontime() < 60; // true`,
			func(c *value.Call) (value.Value, error) {
				return value.Number(time.Since(c.Started()).Seconds()), nil
			}),
		declare.Function("sleep(number seconds) number",
			"Waits that long, fractions included, and returns the seconds that went by.",
			`echo sleep(0.001) >= 0.001; // true`, Sleep),
		declare.Function("strftime(string format, [number time], [array options]) string",
			"Returns a time, now unless it is given, by a format as of strftime(3). The result is cut at 100 bytes.",
			`echo strftime("%Y-%m-%dT%H:%M:%SZ", 86400, ["local" => false]); // 1970-01-02T00:00:00Z`, timeText, local),
		declare.Function("strptime(string datestring, string format, [array options]) number or none",
			"Returns the Unix time that a text spells by a format as of strptime(3). What the format lacks of a date comes from today, "+
				"what it lacks of a time is 0. Returns none if the text does not fit.",
			`echo strptime("1970-01-02", "%Y-%m-%d", ["local" => false]); // 86400`, textTime, local),
		declare.Function("strpduration(string during) number or none",
			"Returns the seconds of a duration of days, hours, minutes and seconds, such as 1d2h30m5s. Digits alone are seconds. Returns none if the text is no duration.",
			`echo strpduration("1h30m"); // 5400`, durationOf),
	}
}

// seconds returns t as a Unix time with the decimals that a double can hold.
func seconds(t time.Time) value.Value {
	return value.Number(float64(t.Unix()) + float64(t.Nanosecond()/1000)/1e6)
}

func timeLocal(*value.Call) (value.Value, error) {
	now := time.Now()
	_, offset := now.Zone()
	return seconds(now.Add(time.Duration(offset) * time.Second)), nil
}

func upTime(*value.Call) (value.Value, error) { return value.Number(sinceBoot().Seconds()), nil }

// longestSleep is about a century: longer ones do not fit into a Duration.
const longestSleep = 3e9

// Sleep is the function sleep, for modules that have it by another name.
func Sleep(c *value.Call) (value.Value, error) {
	want := c.Num(0)
	if want != want || want < 0 {
		return value.None, declare.Unwanted(c, 0, "a number of seconds that is not below 0")
	}
	began := time.Now()
	timer := time.NewTimer(time.Duration(min(want, longestSleep) * float64(time.Second)))
	defer timer.Stop()
	ctx := c.Context()
	select {
	case <-timer.C:
		return value.Number(time.Since(began).Seconds()), nil
	case <-ctx.Done():
		return value.None, c.Interrupted(ctx.Err())
	}
}

func zone(local bool) *time.Location {
	if local {
		return time.Local
	}
	return time.UTC
}

// longestText is what the buffer of the original holds.
const longestText = 100

func timeText(c *value.Call) (value.Value, error) {
	at := time.Now()
	if c.Has(1) {
		at = fromUnix(c.Num(1))
	}
	text := appendTime(nil, c.Str(0), at.In(zone(c.Options(2).Bool("local"))))
	return value.String(string(text[:min(len(text), longestText)])), nil
}

// fromUnix converts a Unix time. Years beyond those that Go can print are held.
func fromUnix(f float64) time.Time {
	const most = 253402300799 // the end of the year 9999
	if f != f {
		f = 0
	}
	whole, fraction := math.Modf(max(min(f, most), -62135596800))
	return time.Unix(int64(whole), int64(fraction*1e9))
}

func textTime(c *value.Call) (value.Value, error) {
	where := zone(c.Options(2).Bool("local"))
	t, ok := parseTime(c.Str(0), c.Str(1), time.Now().In(where))
	if !ok {
		return value.None, nil
	}
	return value.Number(float64(t.Unix())), nil
}

func durationOf(c *value.Call) (value.Value, error) {
	total, n, digits := 0.0, 0.0, 0
	for _, b := range []byte(c.Str(0)) {
		if b-'0' <= 9 {
			n, digits = n*10+float64(b-'0'), digits+1
			continue
		}
		if b == ' ' && digits == 0 {
			continue
		}
		unit, ok := units[b]
		if !ok || digits == 0 {
			return value.None, nil
		}
		total, n, digits = total+n*unit, 0, 0
	}
	if c.Str(0) == "" {
		return value.None, nil
	}
	return value.Number(total + n), nil
}

// units are the seconds of the letters of a duration.
var units = map[byte]float64{'d': 86400, 'h': 3600, 'm': 60, 's': 1}
