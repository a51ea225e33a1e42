package session

import (
	"context"
	"net/netip"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// trusted reports whether the peer may use XCLIENT. It is the peer itself that
// counts, whoever it says to speak for.
func (s *Session) trusted() bool {
	ip := s.peer.Remote.Addr()
	return ip.IsValid() && slices.ContainsFunc(s.settings.XCLIENT, func(n netip.Prefix) bool { return n.Contains(ip) })
}

func (s *Session) checkXclient(smtp.Xclient) smtp.Reply {
	switch {
	case !s.trusted():
		return canned(550, 5, 7, 0, "Not allowed to use XCLIENT")
	case s.t != nil:
		return replyInMail
	}
	return smtp.Reply{}
}

// xclient takes over what a trusted proxy says of its client and begins the
// conversation anew with the banner.
func (s *Session) xclient(ctx context.Context, x smtp.Xclient) {
	c := &s.c
	if slices.Contains(x.Given, "ADDR") {
		c.Remote = netip.AddrPortFrom(x.Addr, x.Port)
		c.PTR = PTR{}
		if x.Name == "" && !slices.Contains(x.Given, "NAME") {
			s.lookup(ctx)
		}
	} else if x.Port != 0 {
		c.Remote = netip.AddrPortFrom(c.Remote.Addr(), x.Port)
	}
	if slices.Contains(x.Given, "NAME") {
		c.PTR = PTR{Name: x.Name}
	}
	if x.DestAddr.IsValid() {
		c.Local = netip.AddrPortFrom(x.DestAddr, x.DestPort)
	}
	c.Auth = Login{}
	if x.Login != "" {
		c.Auth = Login{Mechanism: "XCLIENT", Username: x.Login}
	}
	s.introduced(x)
	s.verb = "CONNECT"
	s.greet(ctx)
}

// introduced takes over how the client introduced itself to the proxy, which
// spares the proxy the EHLO.
func (s *Session) introduced(x smtp.Xclient) {
	s.c.Helo = Helo{}
	s.offer, s.mechanisms = 0, nil
	if x.Helo == "" {
		return
	}
	verb := "EHLO"
	switch {
	case s.settings.LMTP:
		verb = "LHLO"
	case x.Proto == "SMTP":
		verb = "HELO"
	}
	s.c.Helo = Helo{Verb: verb, Host: x.Helo}
	if verb == "HELO" {
		s.allow(verb, nil)
		return
	}
	s.allow(verb, s.extensions())
}
