package extra

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/clock"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func sleepLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("sleep_background(number seconds) number",
			"Waits that long, fractions included, and returns the seconds that went by.",
			`echo sleep_background(0.001) >= 0.001; // true`, clock.Sleep),
	})
}

func timeLibrary(Options) *value.Library {
	return library([]*value.Builtin{
		declare.Function("time_rfc2822([number unixtime], [string location]) string",
			"Returns a time, now unless it is given, as it stands in a Date field, in the time zone of the system or of a place such as "+
				"Europe/Stockholm. An unknown place throws.",
			`echo time_rfc2822(1645012689.5, "UTC"); // Wed, 16 Feb 2022 11:58:09 +0000`, fieldTime),
	})
}

// fieldTime writes a date-time of RFC 5322 §3.3.
func fieldTime(c *value.Call) (value.Value, error) {
	at, zone := time.Now(), time.Local
	if c.Has(0) {
		n := c.Num(0)
		if !(n > -1e11 && n < 2.5e11) { // years of four digits
			return value.None, declare.Unwanted(c, 0, "a time of this age")
		}
		at = time.UnixMicro(int64(n * 1e6))
	}
	if c.Has(1) {
		var err error
		if zone, err = time.LoadLocation(c.Str(1)); err != nil {
			return value.None, declare.Unwanted(c, 1, "a time zone")
		}
	}
	return declare.Text(c, at.In(zone).Format("Mon, 02 Jan 2006 15:04:05 -0700"))
}
