package control

import (
	"context"
	"net"
	"time"
)

// Events are facts for logs and audits. Nil functions are not called. They are
// called on the goroutine of the connection.
type Events struct {
	// Called is called after each call, for the audit.
	Called func(Call)
	// Exposed is called when the socket is opened in such a way that anyone
	// who reaches it controls the MTA: TCP without client certificates.
	Exposed func(net.Addr)
	// Failed is called for connections that end before a call, such as after
	// a failed TLS handshake, and for faults in the HTTP server.
	Failed func(error)
}

// Call is one call of a client.
type Call struct {
	Peer     Peer
	Method   string // "QueueService/Update"
	Detail   string // what was asked for: "delete recipientdomain=example.com"
	Affected int    // how many entries were changed, shown or moved
	// Sensitive calls change something or reveal the content of mail.
	Sensitive bool
	Took      time.Duration
	Err       error
}

// Peer is who is at the other end.
type Peer struct {
	Addr net.Addr
	// Of the process behind a Unix socket; -1 where that is not known.
	PID, UID, GID int
	// Name in the client certificate, if there was one.
	Name string
}

type callKey struct{}
type peerKey struct{}

// note adds what is known about the running call for its event.
func note(ctx context.Context, change func(*Call)) {
	if c, ok := ctx.Value(callKey{}).(*Call); ok {
		change(c)
	}
}

// peerOf returns who is at the other end of the connection of ctx.
func peerOf(ctx context.Context) Peer {
	p, ok := ctx.Value(peerKey{}).(Peer)
	if !ok {
		p = Peer{PID: -1, UID: -1, GID: -1}
	}
	return p
}

func (e *Events) called(c *Call) {
	if e.Called != nil {
		e.Called(*c)
	}
}

func (e *Events) failed(err error) {
	if e.Failed != nil {
		e.Failed(err)
	}
}
