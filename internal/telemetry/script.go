package telemetry

import (
	"log/slog"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/script"
)

// ScriptEvents returns events that become log lines: an error with all that is
// known of it, and at debug level what scripts echo.
func ScriptEvents(log Log) script.Events {
	return script.Events{
		Failed: func(phase, id, transaction, detail string) {
			for i, line := range strings.Split(strings.TrimRight(detail, "\n"), "\n") {
				if i == 0 {
					line = phase + " script failed: " + line
				}
				log.Line(slog.LevelError, "["+transaction+"] "+line)
			}
		},
		Echoed: func(_, _, transaction, text string) {
			if log.Keeps(slog.LevelDebug) {
				log.Line(slog.LevelDebug, "["+transaction+"] "+strings.TrimRight(text, "\n"))
			}
		},
	}
}
