package smtpd

import (
	"fmt"
	"log/slog"

	"github.com/posthaste-mta/posthaste/internal/daemon"
)

// levels are the names of log levels that operators use.
var levels = []struct {
	name  string
	level slog.Level
}{
	{"debug", slog.LevelDebug}, {"info", slog.LevelInfo}, {"notice", daemon.LevelNotice},
	{"warning", slog.LevelWarn}, {"error", slog.LevelError},
}

func parseLevel(name string) (slog.Level, error) {
	for _, l := range levels {
		if l.name == name {
			return l.level, nil
		}
	}
	return 0, fmt.Errorf("unknown level %q: want debug, info, notice, warning or error", name)
}

// levelName is the name of the level in force, which is always one of levels.
func levelName(level slog.Level) string {
	for _, l := range levels {
		if l.level >= level {
			return l.name
		}
	}
	return level.String()
}
