//go:build !linux

package clock

import "time"

var started = time.Now()

// sinceBoot counts from the start of the process, where the start of the system
// is not known.
func sinceBoot() time.Duration { return time.Since(started) }
