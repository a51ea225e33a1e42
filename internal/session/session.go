// Package session holds one inbound SMTP or LMTP conversation over any
// net.Conn (RFC 5321, RFC 2033), from TLS and banner to the end of the
// connection.
//
// A conversation is one goroutine: Serve. Each verb is a row of a table (see
// command.go): its argument is parsed into a typed command, the command is
// checked against the state of the conversation, and then acted on, which
// includes asking the hook of its phase. The transaction is a struct of its own,
// so that RSET and everything that acts like it drops it.
//
// What becomes of a client and its mail is decided by Hooks; a session without
// them takes the documented defaults. Who accepts a message queues recipient
// entries with Mail.Queue, and the session hands them to the Queue. 250 is only
// said after Queue.Add has returned, which makes the message durable. Whatever
// happens on the connection after that, the message stays accepted: the client
// may send it again, and no mail is lost.
//
// Replies are collected and sent when all input that has arrived is dealt with
// (RFC 2920 §3.2), so that a pipelined group costs one write. While a client is
// silent its session holds no buffers.
//
// Everything that a stranger can make us do is bounded: time per command, time
// and average speed of message text, recipients, refusals, useless and broken
// commands, bytes read of what is refused anyway.
package session

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Session is one conversation. Serve runs it; the other methods may be called
// from anywhere meanwhile.
type Session struct {
	settings *Settings
	limits   Limits
	timeouts Timeouts
	metrics  *Metrics
	phases   Phases // for which there are hooks
	peer     Peer
	raw      net.Conn // beneath TLS

	wire wire
	in   smtp.Reader

	c          Connection
	t          *Transaction // nil: none
	newID      func() envelope.ID
	offer      offer
	mechanisms []string        // that AUTH takes
	askProxy   bool            // the next line goes to the proxy hook
	name       chan PTR        // of the client, while it is being looked up
	hooks      context.Context // of the hooks; nil until one runs

	transactions int // begun
	authFailures int
	bad          int // since the last message, like the next two
	idle         int
	refusals     int

	verb     string // that is being answered
	last     smtp.Reply
	lastVerb string  // that it answered
	over     bool    // no further command is read
	end      Closing // how; valid when over
	busy     bool    // the client may still be sending when we close

	mu       sync.Mutex
	draining bool
	waiting  bool // for a command, outside of a transaction
	status   Status
}

// New returns the conversation with the client at the other end of conn. The
// session owns conn from now on.
func New(conn net.Conn, peer Peer, settings *Settings) *Session {
	peer.Remote, peer.Local = unmap(peer.Remote), unmap(peer.Local)
	s := &Session{
		settings: settings,
		limits:   settings.Limits.withDefaults(),
		timeouts: settings.Timeouts.withDefaults(),
		metrics:  settings.Metrics,
		peer:     peer,
		raw:      conn,
		newID:    settings.NewID,
		askProxy: true,
	}
	if s.metrics == nil {
		s.metrics = new(Metrics)
	}
	if s.newID == nil {
		s.newID = envelope.NewTimeID
	}
	transaction := s.newID()
	if settings.Hooks != nil {
		s.phases = settings.Hooks.Phases()
	}
	s.c = Connection{
		ID:          s.newID(),
		ServerID:    settings.ServerID,
		Begun:       time.Now(),
		Priority:    settings.Priority,
		Transaction: transaction,
		Remote:      peer.Remote,
		Local:       peer.Local,
		UID:         peer.UID,
		HasUID:      peer.HasUID,
		Proxy:       peer.Proxy,
		TLVs:        peer.TLVs,
	}
	s.status = Status{ID: s.c.ID, Remote: peer.Remote, Begun: s.c.Begun, Since: s.c.Begun}
	s.wire.conn, s.wire.timeout = conn, s.timeouts.Idle
	s.in.Reset(&s.wire)
	return s
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// Serve holds the conversation until its end and closes the connection. When
// ctx ends the connection is closed at once; a message that is being made
// durable then still is.
func (s *Session) Serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { s.raw.Close() })
	defer stop()
	if !s.encrypt() {
		s.close()
		s.closed()
		return
	}
	defer s.unwatch()
	s.connect(ctx)
	for !s.over {
		s.command(ctx)
	}
	s.known()
	s.close()
	s.now(Closed)
	if s.has(PhaseDisconnect) {
		s.settings.Hooks.Disconnect(ctx, &s.c, s.end)
	}
	s.closed()
}

// has reports whether there is a hook for the phase.
func (s *Session) has(p Phase) bool { return s.phases.Has(p) }

// finish ends the conversation: local says that we do it.
func (s *Session) finish(local bool, err error) {
	if s.over {
		return
	}
	s.over = true
	s.end = Closing{Local: local, Err: err}
}

// close sends what is left to say and closes the connection.
func (s *Session) close() {
	if err := s.wire.flush(); err != nil && s.end.Err == nil {
		s.end = Closing{Err: err}
	}
	if s.busy && s.end.Err == nil {
		s.wire.linger()
	}
	s.reset()
	s.in.Release()
	s.wire.conn.Close()
	s.end.Reply, s.end.State = s.last, s.lastVerb
}

// closed reports the end.
func (s *Session) closed() {
	if s.settings.Events.Closed == nil {
		return
	}
	s.settings.Events.Closed(&s.c, &Summary{
		Closing:  s.end,
		Duration: time.Since(s.c.Begun),
		Messages: s.c.Messages,
		In:       s.wire.in,
		Out:      s.wire.sent,
	})
}

// Drain asks the conversation to come to an end: 421 4.3.2 at once when nothing
// is going on, else after the transaction that has begun. It does not wait.
func (s *Session) Drain() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = true
	if s.waiting {
		_ = s.raw.SetReadDeadline(longAgo) // fails only when it is closed
	}
}

// longAgo ends a read that has begun.
var longAgo = time.Unix(1, 0)
