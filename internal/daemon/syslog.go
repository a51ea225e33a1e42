package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
)

// Facilities of syslog by name (RFC 5424 §6.2.1).
var facilities = map[string]int{
	"kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "lpr": 6,
	"news": 7, "uucp": 8, "cron": 9, "authpriv": 10, "ftp": 11,
	"local0": 16, "local1": 17, "local2": 18, "local3": 19,
	"local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

// System returns the sink for a daemon in the background: the journal when the
// service manager reads our standard error, else the local syslog socket, which
// may come and go.
func System(ident, facility string) (Sink, error) {
	f, ok := facilities[facility]
	if !ok {
		return nil, fmt.Errorf("daemon: unknown syslog facility %q", facility)
	}
	if onJournal, _ := journal.StderrIsJournalStream(); onJournal {
		return journald{ident: ident, facility: f}, nil
	}
	return &Syslog{Path: "/dev/log", Ident: ident, Facility: f}, nil
}

// journald writes to the journal's own socket.
type journald struct {
	ident    string
	facility int
}

func (j journald) WriteLine(p Priority, line string) error {
	return journal.Send(line, journal.Priority(p), map[string]string{
		"SYSLOG_IDENTIFIER": j.ident,
		"SYSLOG_FACILITY":   strconv.Itoa(j.facility),
		"SYSLOG_PID":        strconv.Itoa(os.Getpid()),
	})
}

// Syslog writes to a local syslog socket in the form that glibc's syslog(3)
// uses, which every local daemon understands (RFC 3164 §4.1, without the host).
type Syslog struct {
	Path     string
	Ident    string
	Facility int

	conn net.Conn
}

// WriteLine sends one line. It connects when need be, and once more when the
// daemon behind the socket has been restarted.
func (s *Syslog) WriteLine(p Priority, line string) error {
	text := fmt.Sprintf("<%d>%s %s[%d]: %s", s.Facility<<3|int(p),
		time.Now().Format(time.Stamp), s.Ident, os.Getpid(), line)
	if s.conn != nil {
		if _, err := s.conn.Write([]byte(text)); err == nil {
			return nil
		}
		s.conn.Close()
	}
	if err := s.connect(); err != nil {
		return err
	}
	_, err := s.conn.Write([]byte(text))
	return err
}

func (s *Syslog) connect() error {
	var errs []error
	for _, network := range []string{"unixgram", "unix"} {
		c, err := net.DialTimeout(network, s.Path, time.Second)
		if err == nil {
			s.conn = c
			return nil
		}
		errs = append(errs, err)
	}
	s.conn = nil
	return fmt.Errorf("daemon: syslog: %w", errors.Join(errs...))
}
