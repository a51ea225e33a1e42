package session

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// encrypt does the handshake of implicit TLS, and reports whether there is a
// connection to go on with.
func (s *Session) encrypt() bool {
	if !s.peer.Implicit {
		return true
	}
	return s.shake(true)
}

// shake does a TLS handshake. What the client sent before it is forgotten, for
// somebody else may have slipped it in (RFC 3207 §6).
func (s *Session) shake(implicit bool) bool {
	config := s.tlsConfig()
	if config == nil {
		s.finish(true, errNoTLS)
		return false
	}
	conn := tls.Server(s.raw, config)
	_ = s.raw.SetDeadline(time.Now().Add(s.timeouts.Shake)) // the handshake says what is wrong
	if err := conn.Handshake(); err != nil {
		s.metrics.TLSFailed.Inc()
		s.finish(false, err)
		s.end.TLS = true
		return false
	}
	s.metrics.TLS.Inc()
	s.wire.conn = conn
	s.in.Reset(&s.wire)
	s.c.TLS = &TLS{ConnectionState: conn.ConnectionState(), Implicit: implicit}
	return true
}

var errNoTLS = errors.New("session: no certificate for TLS")

func (s *Session) tlsConfig() *tls.Config {
	if s.settings.TLS == nil {
		return nil
	}
	return s.settings.TLS()
}

// connect finds out who the client is and lets it in or not.
func (s *Session) connect(ctx context.Context) {
	s.verb = "CONNECT"
	s.lookup(ctx)
	if s.settings.Events.Connected != nil {
		s.settings.Events.Connected(&s.c)
	}
	if s.settings.GreetDelay > 0 && !s.watch() {
		return
	}
	s.greet(ctx)
}

// lookup finds the name of the client. Only a connect hook wants it before the
// banner; without one DNS is asked while the client reads that and answers, and
// known is where we wait for it.
func (s *Session) lookup(ctx context.Context) {
	ip := s.c.Remote.Addr()
	if s.settings.LookupPTR == nil || !ip.IsValid() {
		return
	}
	if s.has(PhaseConnect) {
		s.c.PTR = s.settings.LookupPTR(ctx, ip)
		return
	}
	s.name = make(chan PTR, 1) // receives once
	go func() { s.name <- s.settings.LookupPTR(ctx, ip) }()
}

// known waits for the name of the client, if that is being looked up.
func (s *Session) known() {
	if s.name != nil {
		s.c.PTR = <-s.name
		s.name = nil
	}
}

// watch waits for clients that talk before the banner (RFC 5321 §3.1), and
// reports whether to go on with this one.
func (s *Session) watch() bool {
	_ = s.raw.SetReadDeadline(time.Now().Add(s.settings.GreetDelay)) // the read says what is wrong
	err := s.in.Fill()
	switch {
	case err == nil:
		s.c.Early = true
	case !isTimeout(err):
		s.finish(false, remoteError(err))
		return false
	}
	if s.c.Early && s.settings.RefuseEarly {
		s.tooEarly(PhaseConnect)
		return false
	}
	return true
}

func (s *Session) tooEarly(p Phase) {
	s.rejected(Rejection{Phase: p, Reply: replyEarly})
	s.shutOut(replyEarly)
}

// greet asks the hook and says the banner, or why there is none.
func (s *Session) greet(ctx context.Context) {
	banner := s.settings.Hostname + " ESMTP"
	if s.settings.LMTP {
		banner = s.settings.Hostname + " LMTP"
	}
	var v ConnectVerdict
	if s.has(PhaseConnect) {
		v = s.settings.Hooks.Connect(s.hook(ctx), &s.c)
	}
	d := connectDefaults
	d.accepted = smtp.NewReply(220, smtp.EnhancedCode{}, banner)
	r := d.reply(v.Verdict)
	if v.Action != Accept {
		v.Disconnect = true
	} else if v.RemoteIP.IsValid() {
		s.c.Remote = netip.AddrPortFrom(v.RemoteIP, s.c.Remote.Port())
	}
	if v.RemotePTR != "" {
		s.c.PTR = PTR{Name: v.RemotePTR}
	}
	s.answer(PhaseConnect, v.Verdict, r)
}

// remoteError is how the client closed the connection: nil when it did so
// between two lines.
func remoteError(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
