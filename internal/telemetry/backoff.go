package telemetry

import (
	"fmt"
	"log/slog"

	"github.com/posthaste-mta/posthaste/internal/backoff"
)

// BackoffEvents returns events that become log lines: one for each step down and
// up, such as
//
//	backoff 192.0.2.1 &big: step 2 (connections): 421 4.7.0 Too many connections
//	backoff 192.0.2.1 &big: suspended for 1h0m0s (blocked): 550 5.7.1 Blocked
//	backoff 192.0.2.1 &big: recovers to step 1
//	backoff 192.0.2.1 &big: has recovered
func BackoffEvents(log Log) backoff.Events {
	return backoff.Events{
		Changed: func(c backoff.Change) {
			level := slog.LevelWarn
			if c.Rule == "" {
				level = slog.LevelInfo
			}
			log.Line(level, c.ID+": "+backoffText(&c))
		},
		Failed: func(err error) { log.Line(slog.LevelError, "backoff: "+err.Error()) },
	}
}

func backoffText(c *backoff.Change) string {
	switch {
	case c.Suspend > 0:
		return fmt.Sprintf("suspended for %s (%s): %s", c.Suspend, c.Rule, c.Reply)
	case c.Rule != "":
		return fmt.Sprintf("step %d (%s): %s", c.Step, c.Rule, c.Reply)
	case c.Step > 0:
		return fmt.Sprintf("recovers to step %d", c.Step)
	}
	return "has recovered"
}
