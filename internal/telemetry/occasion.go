package telemetry

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Occasionally returns what logs errors as warnings, at most one in each period:
// what fails for one message fails for thousands. The line after others were left
// out says how many. It is safe for concurrent use.
func Occasionally(log Log, period time.Duration) func(error) {
	var mu sync.Mutex
	var last time.Time
	left := 0
	return func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if !last.IsZero() && time.Since(last) < period {
			left++
			return
		}
		text := err.Error()
		if left > 0 {
			text += fmt.Sprintf(" (%d complaints before it were not logged)", left)
		}
		last, left = time.Now(), 0
		log.Line(slog.LevelWarn, text)
	}
}
