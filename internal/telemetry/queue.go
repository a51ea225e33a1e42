package telemetry

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// Log takes finished lines. Keeps tells beforehand whether a line would be
// written, to save the work of making it.
type Log interface {
	Keeps(slog.Level) bool
	Line(slog.Level, string)
}

// QueueEvents returns events that become log lines: one per attempt.
func QueueEvents(log Log) queue.Events {
	return queue.Events{
		Attempted: func(v *queue.View, out *delivery.Outcome, c queue.Conclusion) {
			if log.Keeps(slog.LevelInfo) {
				log.Line(slog.LevelInfo, attemptLine(v, out, c))
			}
		},
		Recovered: func(n int, took time.Duration, err error) {
			if err != nil {
				log.Line(slog.LevelError, fmt.Sprintf("Recovery of the spool ended after %d messages: %v", n, err))
			} else if n > 0 {
				log.Line(slog.LevelInfo, fmt.Sprintf("Recovered %d messages in %s", n, took.Round(time.Millisecond)))
			}
		},
		Failed: func(err error) { log.Line(slog.LevelError, err.Error()) },
	}
}

// attemptLine is the line of one attempt, such as
//
//	[8b1…] delivered <joe@example.net> by mx.example.net [192.0.2.1]:25 in 31ms: 250 2.0.0 Ok
//	[8b1…] delivered <ann@example.net> from [192.0.2.9] by [192.0.2.1]:25 via [192.0.2.8]:2525 in 31ms: 250 2.0.0 Ok
//	[8b1…] deferred <joe@example.net> until 15:04:05 (retry 2): 451 4.7.1 Try later (in reply to MAIL)
func attemptLine(v *queue.View, out *delivery.Outcome, c queue.Conclusion) string {
	b := make([]byte, 0, 256)
	b = append(b, '[')
	b = append(b, v.ID.String()...)
	b = append(b, "] "...)
	b = append(b, c.Action...)
	b = append(b, ' ')
	b = append(b, v.Recipient.Path()...)
	if !c.Next.IsZero() {
		b = append(b, " until "...)
		b = c.Next.AppendFormat(b, time.DateTime)
		b = append(b, " (retry "...)
		b = strconv.AppendUint(b, uint64(v.Retry)+1, 10)
		b = append(b, ')')
	}
	if out == nil {
		return string(b)
	}
	b = appendPeer(b, &out.Connection)
	if out.Duration > 0 {
		b = append(b, " in "...)
		b = append(b, out.Duration.Round(time.Microsecond*10).String()...)
	}
	return string(appendReply(b, out))
}

func appendPeer(b []byte, c *delivery.Connection) []byte {
	if !c.RemoteIP.IsValid() {
		return b
	}
	// The source is worth saying where there is a choice of them.
	if c.LocalIP.IsValid() && (c.LocalID != "" || c.Proxy.IsValid()) {
		b = append(b, " from ["...)
		b = c.LocalIP.AppendTo(b)
		b = append(b, ']')
	}
	b = append(b, " by "...)
	if c.RemoteMX != "" {
		b = append(b, c.RemoteMX...)
		b = append(b, ' ')
	}
	b = append(b, '[')
	b = c.RemoteIP.AppendTo(b)
	b = append(b, "]:"...)
	b = strconv.AppendUint(b, uint64(c.RemotePort), 10)
	if c.Proxy.IsValid() {
		b = append(b, " via ["...)
		b = c.Proxy.Addr().AppendTo(b)
		b = append(b, "]:"...)
		b = strconv.AppendUint(b, uint64(c.Proxy.Port()), 10)
	}
	if c.TLS.Started {
		b = append(b, " ("...)
		b = append(b, c.TLS.Protocol...)
		b = append(b, ')')
	}
	return b
}

func appendReply(b []byte, out *delivery.Outcome) []byte {
	text := strings.Join(strings.Fields(out.Reply.String()), " ")
	if text == "" && out.Err != nil {
		text = out.Err.Error()
	}
	if text == "" {
		return b
	}
	b = append(b, ": "...)
	b = append(b, text...)
	if out.FromPeer && out.Status != delivery.Delivered {
		b = append(b, " (in reply to "...)
		b = append(b, out.Stage.String()...)
		b = append(b, ')')
	}
	// What is wrong on our side is for the operator; the reply, which the sender
	// may see, does not say it.
	if out.Kind == delivery.KindConfig && out.Err != nil {
		if cause := out.Err.Error(); !strings.HasSuffix(text, strings.TrimPrefix(cause, "delivery: ")) {
			b = append(b, " ("...)
			b = append(b, cause...)
			b = append(b, ')')
		}
	}
	return b
}
