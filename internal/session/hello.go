package session

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// offer is a set of extensions that the client may use.
type offer uint16

const (
	offerSize offer = 1 << iota
	offer8BitMIME
	offerSMTPUTF8
	offerChunking
	offerBinaryMIME
	offerDSN
	offerAuth
	offerRequireTLS
	offerXclient
	offerUnknown // a hook announces something that we do not know
)

func (o offer) has(bit offer) bool { return o&bit != 0 }

// offers are the keywords that allow commands or parameters; zero for those
// that do not.
var offers = map[string]offer{
	"SIZE": offerSize, "8BITMIME": offer8BitMIME, "SMTPUTF8": offerSMTPUTF8, "CHUNKING": offerChunking,
	"BINARYMIME": offerBinaryMIME, "DSN": offerDSN, "AUTH": offerAuth, "REQUIRETLS": offerRequireTLS,
	"XCLIENT": offerXclient, "PIPELINING": 0, "ENHANCEDSTATUSCODES": 0, "STARTTLS": 0, "LIMITS": 0, "HELP": 0,
}

func (s *Session) helo(ctx context.Context, h smtp.Hello) { s.hello(ctx, "HELO", h.Host) }
func (s *Session) ehlo(ctx context.Context, h smtp.Hello) { s.hello(ctx, "EHLO", h.Host) }
func (s *Session) lhlo(ctx context.Context, h smtp.Hello) { s.hello(ctx, "LHLO", h.Host) }

// hello begins anew, as RSET does (RFC 5321 §4.1.4).
func (s *Session) hello(ctx context.Context, verb, host string) {
	if s.settings.RefuseEarly && s.in.Buffered() > 0 { // RFC 2920 §3.1: the answer comes first
		s.tooEarly(PhaseHelo)
		return
	}
	s.reset()
	before := s.c.Helo
	s.c.Helo = Helo{Verb: verb, Host: host}
	var extensions []string
	if verb != "HELO" {
		extensions = s.extensions()
	}
	v := HeloVerdict{}
	if s.has(PhaseHelo) {
		v = s.settings.Hooks.Helo(s.hook(ctx), &s.c, slices.Clone(extensions))
	}
	if v.Host != "" {
		s.c.Helo.Host = v.Host
	}
	if v.Extensions != nil && verb != "HELO" {
		extensions = v.Extensions
	}
	d := heloDefaults
	d.accepted = smtp.NewReply(250, smtp.EnhancedCode{}, s.settings.Hostname)
	r := d.reply(v.Verdict)
	if v.Action == Accept {
		r.Lines = slices.Concat(r.Lines, extensions)
		s.allow(verb, extensions)
	} else {
		s.c.Helo = before
	}
	s.answer(PhaseHelo, v.Verdict, r)
}

// extensions lists what can be announced to this client now.
func (s *Session) extensions() []string {
	x := &s.settings.Extensions
	list := make([]string, 0, 16)
	add := func(on bool, keyword string) {
		if on {
			list = append(list, keyword)
		}
	}
	add(x.Pipelining, "PIPELINING")
	add(x.Size, s.sizeKeyword())
	add(x.EightBitMIME, "8BITMIME")
	add(x.SMTPUTF8, "SMTPUTF8")
	add(x.EnhancedStatusCodes, "ENHANCEDSTATUSCODES")
	add(x.Chunking, "CHUNKING")
	add(x.Chunking && x.EightBitMIME, "BINARYMIME") // RFC 3030 §3
	add(x.DSN, "DSN")
	add(s.c.TLS == nil && s.tlsConfig() != nil, "STARTTLS")
	add(s.mayAuth() && len(s.settings.Auth.Mechanisms) > 0, "AUTH "+strings.Join(s.settings.Auth.Mechanisms, " "))
	add(s.c.TLS != nil && x.RequireTLS, "REQUIRETLS") // RFC 8689 §2
	add(x.Limits, s.limitsKeyword())
	add(s.trusted(), "XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT")
	return list
}

func (s *Session) sizeKeyword() string {
	if s.limits.Size == 0 {
		return "SIZE"
	}
	return "SIZE " + strconv.FormatInt(s.limits.Size, 10)
}

// limitsKeyword is RFC 9422 §3.
func (s *Session) limitsKeyword() string {
	if s.limits.Messages == 0 {
		return fmt.Sprintf("LIMITS RCPTMAX=%d", s.limits.Recipients)
	}
	return fmt.Sprintf("LIMITS MAILMAX=%d RCPTMAX=%d", s.limits.Messages, s.limits.Recipients)
}

// allow notes what the client may use from now on. After HELO it is what
// clients use that were not told (RFC 5321 §2.2.1 forbids them to, yet they do
// and it does no harm).
func (s *Session) allow(verb string, extensions []string) {
	s.offer, s.mechanisms = 0, nil
	if verb == "HELO" {
		s.offer = offerSize | offer8BitMIME
		return
	}
	for _, line := range extensions {
		keyword, rest, _ := strings.Cut(strings.ToUpper(line), " ")
		bit, known := offers[keyword]
		if !known {
			bit = offerUnknown
		}
		s.offer |= bit
		if keyword == "AUTH" {
			s.mechanisms = strings.Fields(rest)
		}
	}
}
