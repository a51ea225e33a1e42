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
		Failed: func(phase, _, transaction, detail string) {
			log.Line(slog.LevelError, "["+transaction+"] "+phase+" script failed: "+detail)
		},
		Cancelled: func(phase, _, transaction string, cause error) {
			log.Line(slog.LevelInfo, "["+transaction+"] "+phase+" script ended early: "+cause.Error())
		},
		Echoed: func(_, _, transaction, text string) {
			if log.Keeps(slog.LevelDebug) {
				log.Line(slog.LevelDebug, "["+transaction+"] "+strings.TrimRight(text, "\n"))
			}
		},
	}
}
