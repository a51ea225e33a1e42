package session

import (
	"net/netip"
	"strconv"
	"time"

	"github.com/posthaste-mta/posthaste/internal/message"
)

// received returns our trace field with its line end (RFC 5321 §4.4).
func (s *Session) received() []byte {
	t, c := s.t, &s.c
	b := make([]byte, 0, 384)
	b = append(b, "Received: from "...)
	b = appendWord(b, c.Helo.Host)
	b = append(b, " ("...)
	b = c.appendPeer(b)
	b = append(b, ")\r\n\tby "...)
	b = append(b, s.settings.Hostname...)
	b = append(b, " with "...)
	b = append(b, s.protocol()...)
	b = append(b, "\r\n\tid "...)
	b = t.ID.Append(b)
	if len(t.Recipients) == 1 { // of several none must learn of the others (RFC 5321 §7.2)
		b = append(b, "\r\n\tfor "...)
		b = t.given.AppendPath(b)
	}
	if c.TLS != nil { // RFC 8314 §4.3
		b = append(b, "\r\n\ttls "...)
		b = append(b, c.TLS.Cipher()...)
		b = append(b, " ("...)
		b = append(b, c.TLS.Protocol()...)
		b = append(b, ')')
	}
	b = append(b, ";\r\n\t"...)
	b = append(b, message.FormatDate(time.Now())...)
	return append(b, "\r\n"...)
}

// appendPeer appends what we ourselves know of the client: its name, when DNS
// has one, and its address.
func (c *Connection) appendPeer(b []byte) []byte {
	ip := c.Remote.Addr()
	if !ip.IsValid() {
		b = append(b, "local"...)
		if c.HasUID {
			b = strconv.AppendInt(append(b, ", uid "...), int64(c.UID), 10)
		}
		return b
	}
	if c.PTR.Name != "" {
		b = append(appendWord(b, c.PTR.Name), ' ')
	}
	return appendLiteral(b, ip)
}

// appendWord appends a name from outside, with question marks for what would
// end the word, the comment or the line.
func appendWord(b []byte, name string) []byte {
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c == 0x7f || c == '(' || c == ')' || c == '\\' || c == ';' {
			c = '?'
		}
		b = append(b, c)
	}
	return b
}

// appendLiteral appends an address literal (RFC 5321 §4.1.3).
func appendLiteral(b []byte, ip netip.Addr) []byte {
	b = append(b, '[')
	if ip.Is6() {
		b = append(b, "IPv6:"...)
	}
	return append(ip.WithZone("").AppendTo(b), ']')
}

// protocol names what was spoken (RFC 3848, RFC 6531 §4.3).
func (s *Session) protocol() string {
	name := "ESMTP"
	switch {
	case s.c.Helo.Verb == "HELO":
		return "SMTP"
	case s.settings.LMTP && s.t.SMTPUTF8:
		name = "UTF8LMTP"
	case s.settings.LMTP:
		name = "LMTP"
	case s.t.SMTPUTF8:
		name = "UTF8SMTP"
	}
	if s.c.TLS != nil {
		name += "S"
	}
	if s.c.Auth.Mechanism != "" {
		name += "A"
	}
	return name
}
