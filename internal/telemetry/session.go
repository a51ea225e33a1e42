package telemetry

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/session"
)

// SessionEvents returns events that become log lines: one per message taken,
// one per refusal, and one at the end of a connection that went wrong or, at
// debug level, of any.
func SessionEvents(log Log) session.Events {
	return session.Events{
		Connected: func(c *session.Connection) {
			if log.Keeps(slog.LevelDebug) {
				log.Line(slog.LevelDebug, fmt.Sprintf("[%s] connect from %s to %s", c.ID, client(c), c.Local))
			}
		},
		Line: func(c *session.Connection, fromClient bool, line string) {
			direction := "S: "
			if fromClient {
				direction = "C: "
			}
			log.Line(slog.LevelInfo, "["+c.ID.String()+"] "+direction+line)
		},
		Accepted: func(c *session.Connection, a *session.Acceptance) {
			if log.Keeps(slog.LevelInfo) {
				log.Line(slog.LevelInfo, acceptanceLine(c, a))
			}
		},
		Rejected: func(c *session.Connection, r *session.Rejection) { rejected(log, c, r) },
		Closed: func(c *session.Connection, s *session.Summary) {
			if s.Err != nil && log.Keeps(slog.LevelInfo) {
				log.Line(slog.LevelInfo, fmt.Sprintf("[%s] connection from %s lost after %s: %v", c.ID, client(c), s.State, s.Err))
			} else if log.Keeps(slog.LevelDebug) {
				log.Line(slog.LevelDebug, fmt.Sprintf("[%s] closed after %s, %d messages", c.ID, s.Duration.Round(time.Millisecond), s.Messages))
			}
		},
	}
}

// acceptanceLine is the line of a message taken, such as
//
//	[8b1…] accepted from <a@example.org> at mail.example.org [192.0.2.7]:4000 for <b@example.net> and 3 more, 10240 bytes
func acceptanceLine(c *session.Connection, a *session.Acceptance) string {
	b := make([]byte, 0, 256)
	b = append(b, '[')
	b = append(b, a.Transaction.ID.String()...)
	b = append(b, "] accepted from "...)
	b = append(b, a.Transaction.Sender.Path()...)
	b = append(b, " at "...)
	b = append(b, client(c)...)
	if to := a.Message.Recipients; len(to) == 0 {
		b = append(b, " and discarded"...)
	} else {
		b = append(b, " for "...)
		b = append(b, to[0].Address.Path()...)
		if more := len(to) - 1; more > 0 {
			b = append(b, " and "...)
			b = strconv.AppendInt(b, int64(more), 10)
			b = append(b, " more"...)
		}
	}
	b = append(b, ", "...)
	b = strconv.AppendInt(b, a.Message.Size, 10)
	return string(append(b, " bytes"...))
}

// rejected logs a refusal: an error when the cause is on our side.
func rejected(log Log, c *session.Connection, r *session.Rejection) {
	level := slog.LevelInfo
	if r.Err != nil && !errors.Is(r.Err, session.ErrTooLarge) {
		level = slog.LevelError
	}
	if !log.Keeps(level) {
		return
	}
	id, who := c.ID, client(c)
	if r.Transaction != nil {
		id = r.Transaction.ID
	}
	var about strings.Builder
	if r.Transaction != nil {
		about.WriteString(" from " + r.Transaction.Sender.Path())
	}
	if r.Recipient != nil {
		about.WriteString(" to " + r.Recipient.Address.Path())
	}
	text := fmt.Sprintf("[%s] refused at %s%s for %s: %s", id, r.Phase, about.String(), who,
		strings.Join(strings.Fields(r.Reply.String()), " "))
	if r.Err != nil {
		text += " (" + r.Err.Error() + ")"
	}
	log.Line(level, text)
}

// client names the peer: its verified name if any, and its address.
func client(c *session.Connection) string {
	if !c.Remote.IsValid() {
		if c.HasUID {
			return "local uid " + strconv.Itoa(c.UID)
		}
		return "local"
	}
	address := "[" + c.Remote.Addr().String() + "]:" + strconv.Itoa(int(c.Remote.Port()))
	if c.PTR.Name != "" {
		return c.PTR.Name + " " + address
	}
	return address
}
