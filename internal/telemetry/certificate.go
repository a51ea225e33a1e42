package telemetry

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/posthaste-mta/posthaste/internal/pki/acme"
)

// CertificateEvents returns events that become log lines: what was obtained at
// info, what a person should look at as warnings, and what hooks print at info
// under the name that they run for.
func CertificateEvents(log Log) acme.Events {
	return acme.Events{
		Obtained: func(name string, notAfter time.Time, renewed bool) {
			verb := "obtained"
			if renewed {
				verb = "renewed"
			}
			log.Line(slog.LevelInfo, fmt.Sprintf("certificate of %s %s, valid until %s", name, verb, stamp(notAfter)))
		},
		Failed: func(name, code, message string, next time.Time) {
			log.Line(slog.LevelWarn, fmt.Sprintf("certificate of %s: %s (%s); next attempt at %s", name, message, code, stamp(next)))
		},
		Expiring: func(name string, notAfter time.Time) {
			log.Line(slog.LevelWarn, fmt.Sprintf("certificate of %s ends at %s and is not renewed; see 'posthaste certs show %s'", name, stamp(notAfter), name))
		},
		Moved: func(name string, at time.Time, url string) {
			line := fmt.Sprintf("certificate of %s: the authority wants it renewed earlier, at %s", name, stamp(at))
			if url != "" {
				line += "; it explains why at " + url
			}
			log.Line(slog.LevelWarn, line)
		},
		Warned: func(text string) { log.Line(slog.LevelWarn, text) },
		HookLine: func(name, hook, line string) {
			log.Line(slog.LevelInfo, fmt.Sprintf("certificate of %s: %s: %s", name, hook, line))
		},
		HookFailed: func(_ string, err error, retry time.Duration) {
			line := err.Error()
			if retry > 0 {
				line += "; it runs again in " + retry.String()
			}
			log.Line(slog.LevelWarn, line)
		},
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
