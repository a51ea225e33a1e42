package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceBoot reads the clock that starts with the system and knows no jumps.
func sinceBoot() time.Duration {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return 0
	}
	return time.Duration(now.Nano())
}
