package session

import (
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// Status is a glimpse of a running session.
type Status struct {
	ID         envelope.ID
	Remote     netip.AddrPort
	Begun      time.Time
	Activity   Activity
	Since      time.Time // of Activity
	Helo       string    // empty: none yet
	Username   string    // empty: not authenticated
	TLS        bool
	Messages   int // accepted
	Recipients int // of the transaction that has begun
	InMail     bool
	Draining   bool
}

// Activity is what a session is doing.
type Activity uint8

const (
	Connecting Activity = iota // handshake, look-up of the name, banner
	Waiting                    // for a command
	Commanded                  // carries out a command, hooks included
	Receiving                  // message text
	Deciding                   // the hook of the message's end runs
	Queueing                   // the message is being made durable
	Closed                     // the connection is closed
)

var activityNames = [...]string{"connecting", "waiting", "command", "receiving", "deciding", "queueing", "closed"}

// String returns the activity in one word.
func (a Activity) String() string { return activityNames[a] }

// Status tells what the session is doing.
func (s *Session) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Draining = s.draining
	return status
}

// now notes what the session is doing from now on.
func (s *Session) now(a Activity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nowLocked(a)
}

func (s *Session) nowLocked(a Activity) {
	s.waiting = false
	st := &s.status
	st.Activity, st.Since = a, time.Now()
	st.Remote, st.Helo, st.Username = s.c.Remote, s.c.Helo.Host, s.c.Auth.Username
	st.TLS, st.Messages = s.c.TLS != nil, s.c.Messages
	st.InMail, st.Recipients = s.t != nil, 0
	if s.t != nil {
		st.Recipients = len(s.t.Recipients)
	}
}

// await is called before a command is read; here says that it need not be
// waited for. It sets how long the wait may take, and reports false when the
// session is to end instead.
func (s *Session) await(here bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining && s.t == nil {
		return false
	}
	if here {
		return true
	}
	s.nowLocked(Waiting)
	s.waiting = s.t == nil
	_ = s.raw.SetReadDeadline(s.status.Since.Add(s.timeouts.Idle)) // the read says what is wrong
	return true
}
