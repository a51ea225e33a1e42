package clock

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/stdlibtest"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

var library = value.NewLibrary(nil, value.Declarations{Builtins: Builtins()})

func TestFunctions(t *testing.T) {
	const utc = `["local" => false]`
	stdlibtest.New(t, library, value.Setup{}).Check(t, []stdlibtest.Case{
		{`strftime("%Y-%m-%d %H:%M:%S", 0, ` + utc + `)`, `"1970-01-01 00:00:00"`},
		{`strftime("%a %A %b %B %h", 1e9, ` + utc + `)`, `"Sun Sunday Sep September Sep"`},
		{`strftime("%d|%e|%j|%k|%l|%I|%p|%P", 1e9, ` + utc + `)`, `"09| 9|252| 1| 1|01|AM|am"`},
		{`strftime("%F %T %R %r %D %x %X", 1e9, ` + utc + `)`, `"2001-09-09 01:46:40 01:46 01:46:40 AM 09/09/01 09/09/01 01:46:40"`},
		{`strftime("%c", 1e9, ` + utc + `)`, `"Sun Sep  9 01:46:40 2001"`},
		{`strftime("%u %w %U %W %V %G %g %C %y", 1e9, ` + utc + `)`, `"7 0 36 36 36 2001 01 20 01"`},
		{`strftime("%s %z %Z %%%n%t", 1e9, ` + utc + `)`, "''1000000000 +0000 UTC %\n\t''"},
		{`strftime("%-d|%_d|%-I|%^a|%_m|%0e|%Ey|%Od|%-Y", 1e9, ` + utc + `)`, `"9| 9|1|SUN| 9|09|01|09|2001"`},
		{`strftime("%", 0, ` + utc + `)`, `"%"`},
		{`strftime("%Q %-", 0, ` + utc + `)`, `"%Q %-"`},
		{`strftime("", 0)`, `""`},
		{`strftime("%Y", 1e300, ` + utc + `)`, `"9999"`},
		{`strftime("%Y", -1e300, ` + utc + `)`, `"1"`},
		{`strptime("2001-09-09 01:46:40", "%Y-%m-%d %H:%M:%S", ` + utc + `)`, `1000000000`},
		{`strptime("Sun, 09 Sep 2001 03:46:40 +0200", "%a, %d %b %Y %H:%M:%S %z", ` + utc + `)`, `1000000000`},
		{`strptime("sunday  september 9 2001 1:46:40 am", "%A %B %e %Y %I:%M:%S %p", ` + utc + `)`, `1000000000`},
		{`strptime("2001-09-09T01:46:40Z", "%FT%T%z")`, `1000000000`},
		{`strptime("1000000000", "%s")`, `1000000000`},
		{`strptime("252 01", "%j %y", ` + utc + `)`, `999993600`},
		{`strptime("12:30 PM 09/09/01", "%I:%M %p %D", ` + utc + `)`, `1000038600`},
		{`strptime("12 AM 2001-09-09", "%I %p %F", ` + utc + `)`, `999993600`},
		{`strptime("2001-02-30", "%F", ` + utc + `)`, `none`},
		{`strptime("2001-13-01", "%F", ` + utc + `)`, `none`},
		{`strptime("x", "%Y", ` + utc + `)`, `none`},
		{`strptime("", "%Y", ` + utc + `)`, `none`},
		{`strpduration("1h30m")`, `5400`},
		{`strpduration("1d 2h 3m 4s")`, `93784`},
		{`strpduration("90")`, `90`},
		{`strpduration("")`, `none`},
		{`strpduration("h")`, `none`},
		{`strpduration("1w")`, `none`},
		{`strpduration("-1s")`, `none`},
		{`sleep(-1)`, `!sleep: argument 1 (seconds): want a number of seconds that is not below 0, got -1`},
	})
}

// TestToday: what a text lacks of a date comes from today.
func TestToday(t *testing.T) {
	now := time.Date(2020, 2, 29, 13, 14, 15, 0, time.UTC)
	for _, c := range []struct {
		text, format string
		want         time.Time
	}{
		{"10:20", "%H:%M", time.Date(2020, 2, 29, 10, 20, 0, 0, time.UTC)},
		{"20%", "%d%%", time.Date(2020, 2, 20, 0, 0, 0, 0, time.UTC)},
		{"Mar 3", "%b %d", time.Date(2020, 3, 3, 0, 0, 0, 0, time.UTC)},
		{"1", "%m", time.Date(2020, 1, 29, 0, 0, 0, 0, time.UTC)},
		{"19", "%C", time.Date(1900, 3, 1, 0, 0, 0, 0, time.UTC)}, // no leap year
		{"68", "%y", time.Date(2068, 2, 29, 0, 0, 0, 0, time.UTC)},
		{"69", "%y", time.Date(1969, 3, 1, 0, 0, 0, 0, time.UTC)},
	} {
		got, ok := parseTime(c.text, c.format, now)
		if !ok || !got.Equal(c.want) {
			t.Errorf("parseTime(%q, %q) = %v, %v, want %v", c.text, c.format, got, ok, c.want)
		}
	}
}

func TestLength(t *testing.T) {
	m := stdlibtest.New(t, library, value.Setup{})
	v, err := m.Call(value.FromFunction(library.Function("strftime")), value.String(strings.Repeat("%Y", 1<<20)))
	if err != nil || v.StrLen() != 100 {
		t.Errorf("got %d bytes, %v", v.StrLen(), err)
	}
}

// TestRoundTrip: a time reads back from its text.
func TestRoundTrip(t *testing.T) {
	formats := []string{"%Y-%m-%d %H:%M:%S %z", "%c %z", "%a, %e %b %Y %T %z", "%j %Y %H.%M.%S %z", "%s", "%D %r %z"}
	rapid.Check(t, func(r *rapid.T) {
		format := rapid.SampledFrom(formats).Draw(r, "format")
		at := time.Unix(rapid.Int64Range(0, 2e9).Draw(r, "time"), 0).In(time.FixedZone("", 60*rapid.IntRange(-12*60, 14*60).Draw(r, "zone")))
		text := string(appendTime(nil, format, at))
		got, ok := parseTime(text, format, time.Now())
		if !ok || !got.Equal(at) {
			r.Fatalf("%s as %s came back as %s", at, text, got)
		}
	})
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		m := stdlibtest.New(t, library, value.Setup{})
		if got := m.Show("sleep(2.5)"); got != "2.5" || time.Since(began) != 2500*time.Millisecond {
			t.Errorf("slept %s in %v", got, time.Since(began))
		}
		m = stdlibtest.New(t, library, value.Setup{Limits: value.Limits{Time: time.Second}})
		if got := m.Show("sleep(1e300)"); got != "!script exceeded its time limit of 1s" {
			t.Error(got)
		}
		ctx, cancel := context.WithCancel(t.Context())
		m = stdlibtest.NewContext(t, ctx, library, value.Setup{})
		time.AfterFunc(time.Second, cancel)
		if got := m.Show("sleep(60)"); got != "!script was cancelled: context canceled" {
			t.Error(got)
		}
		time.Sleep(time.Second)
		if got := m.Show("executiontime()"); got != "2" {
			t.Errorf("executiontime: %s", got)
		}
	})
}

func FuzzParseTime(f *testing.F) {
	f.Add("Sun, 09 Sep 2001 03:46:40 +0200", "%a, %d %b %Y %H:%M:%S %z")
	f.Fuzz(func(t *testing.T, text, format string) {
		if at, ok := parseTime(text, format, time.Unix(1e9, 0)); ok {
			appendTime(nil, format, at)
		}
	})
}
