package telemetry

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/script"
)

// severities are the levels of syslog's severities, by number: notice lies between
// info and warning, and nothing of a script is worse than critical.
var severities = [8]slog.Level{
	slog.LevelError + 4, slog.LevelError + 4, slog.LevelError + 4, slog.LevelError,
	slog.LevelWarn, slog.LevelInfo + 2, slog.LevelInfo, slog.LevelDebug,
}

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
		Logged: func(severity int, message string) {
			for line := range strings.Lines(message) {
				log.Line(severities[severity&7], strings.TrimRight(line, "\r\n"))
			}
		},
		Echoed: func(_, _, transaction, text string) {
			if log.Keeps(slog.LevelDebug) {
				log.Line(slog.LevelDebug, "["+transaction+"] "+strings.TrimRight(text, "\n"))
			}
		},
	}
}

// ScriptQueued writes the line of a message that a script has queued by itself,
// such as
//
//	[8b1…] queued by a script from <a@example.org> for <b@example.net>, 1024 bytes
func ScriptQueued(log Log, m *envelope.Message) {
	if !log.Keeps(slog.LevelInfo) {
		return
	}
	for _, r := range m.Recipients {
		log.Line(slog.LevelInfo, fmt.Sprintf("[%s] queued by a script from %s for %s, %d bytes", m.ID, r.Sender.Path(), r.Address.Path(), m.Size))
	}
}
