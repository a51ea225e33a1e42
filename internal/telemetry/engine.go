package telemetry

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/control"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/server"
	"github.com/posthaste-mta/posthaste/internal/spool"
)

// DeliveryEvents returns events that become log lines.
func DeliveryEvents(log Log) delivery.Events {
	return delivery.Events{
		Connecting: func(a *delivery.Attempt, w delivery.Way) {
			if log.Keeps(slog.LevelDebug) {
				log.Line(slog.LevelDebug, fmt.Sprintf("[%s] Connecting %s", a.ID, w))
			}
		},
		ProxyChanged: func(s delivery.ProxyStatus) {
			if s.Down {
				log.Line(slog.LevelWarn, fmt.Sprintf("The proxy %s is down: %s; it is looked at again in %s",
					s.Proxy, s.Reason, time.Until(s.Next).Round(time.Second)))
			} else {
				log.Line(slog.LevelInfo, fmt.Sprintf("The proxy %s is up again", s.Proxy))
			}
		},
		SourceSilent: func(source netip.Addr, wait time.Duration) {
			log.Line(slog.LevelWarn, fmt.Sprintf(
				"Several hosts in a row could not be reached from %s through its proxy: the address is left alone for %s", source, wait))
		},
	}
}

// SpoolEvents returns events that become log lines. All of them are worth an
// operator's attention.
func SpoolEvents(log Log) spool.Events {
	return spool.Events{
		Failed: func(file string, err error) {
			log.Line(slog.LevelError, fmt.Sprintf("The spool file %s failed and gets no more messages: %v", file, err))
		},
		Full: func(full bool) {
			if full {
				log.Line(slog.LevelError, "The disk of the spool is full: once what is set aside has been used up, mail is refused with 452 until there is room")
			} else {
				log.Line(slog.LevelWarn, "The disk of the spool has room again")
			}
		},
		Corrupt: func(c spool.Corruption) {
			log.Line(slog.LevelError, fmt.Sprintf("Damage in the spool file %s at %d, %d bytes: %v; %s", c.File, c.Offset, c.Length, c.Err, c.Action))
		},
		Foreign: func(name string) {
			log.Line(slog.LevelWarn, "The spool folder holds a file that is not ours: "+name)
		},
	}
}

// ServerEvents returns events that become log lines. A listener that is broken
// for good also goes to fail.
func ServerEvents(log Log, id string, fail func(error)) server.Events {
	return server.Events{
		Refused: func(p server.Peer, why error) {
			log.Line(slog.LevelInfo, fmt.Sprintf("%s: refused %s: %v", id, p.Remote, why))
		},
		Overload: func(listening bool, err error) {
			if listening {
				log.Line(slog.LevelWarn, id+": connections are accepted again")
			} else {
				log.Line(slog.LevelError, fmt.Sprintf("%s: cannot accept connections for now: %v; raise environment.rlimit.nofile or lower the limits of concurrency", id, err))
			}
		},
		Failed: func(err error) { fail(fmt.Errorf("%s: %w", id, err)) },
	}
}

// ControlEvents returns events that become log lines: who changed or read what.
func ControlEvents(log Log) control.Events {
	return control.Events{
		Called: func(c control.Call) {
			level := slog.LevelDebug
			if c.Sensitive {
				level = slog.LevelInfo
			}
			if !log.Keeps(level) {
				return
			}
			text := fmt.Sprintf("control: %s by %s", c.Method, caller(c.Peer))
			if c.Detail != "" {
				text += ": " + c.Detail
			}
			if c.Affected > 0 {
				text += fmt.Sprintf(" (%d entries)", c.Affected)
			}
			if c.Err != nil {
				text += ": " + c.Err.Error()
			}
			log.Line(level, text)
		},
		Exposed: func(a net.Addr) {
			log.Line(slog.LevelWarn, fmt.Sprintf("control: whoever reaches %s controls this MTA; configure client certificates", a))
		},
		Failed: func(err error) { log.Line(slog.LevelInfo, err.Error()) },
	}
}

func caller(p control.Peer) string {
	switch {
	case p.Name != "":
		return p.Name
	case p.UID >= 0:
		return fmt.Sprintf("uid %d, process %d", p.UID, p.PID)
	case p.Addr != nil:
		return p.Addr.String()
	}
	return "an unknown client"
}
