package sink

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Extension is a set of SMTP service extensions.
type Extension uint16

const (
	Pipelining   Extension = 1 << iota // RFC 2920
	Chunking                           // RFC 3030
	BinaryMIME                         // RFC 3030
	EightBitMIME                       // RFC 6152
	SMTPUTF8                           // RFC 6531
	DSN                                // RFC 3461
	Size                               // RFC 1870
)

// extensions are the keywords in the order in which EHLO lists them.
var extensions = []struct {
	bit     Extension
	keyword string
}{
	{Pipelining, "PIPELINING"}, {Chunking, "CHUNKING"}, {BinaryMIME, "BINARYMIME"}, {EightBitMIME, "8BITMIME"},
	{SMTPUTF8, "SMTPUTF8"}, {DSN, "DSN"}, {Size, "SIZE"},
}

// Extensions lists the names that ParseExtension knows.
func Extensions() []string {
	names := make([]string, len(extensions))
	for i, e := range extensions {
		names[i] = strings.ToLower(e.keyword)
	}
	return names
}

// ParseExtension returns the extension with this EHLO keyword, in any case.
func ParseExtension(name string) (Extension, error) {
	for _, e := range extensions {
		if strings.EqualFold(e.keyword, name) {
			return e.bit, nil
		}
	}
	return 0, fmt.Errorf("sink: unknown extension %q: want one of %s", name, strings.Join(Extensions(), ", "))
}

// parameterOf says which extension a parameter of MAIL or RCPT belongs to; zero
// means that no extension of ours has it.
func parameterOf(rcpt bool, p smtp.Param) Extension {
	switch {
	case rcpt && (p.Key == "NOTIFY" || p.Key == "ORCPT"):
		return DSN
	case rcpt:
		return 0
	case p.Key == "RET" || p.Key == "ENVID":
		return DSN
	case p.Key == "SMTPUTF8":
		return SMTPUTF8
	case p.Key == "SIZE":
		return Size
	case p.Key == "BODY" && strings.EqualFold(p.Value, "BINARYMIME"):
		return BinaryMIME
	case p.Key == "BODY":
		return EightBitMIME
	}
	return 0
}

// offers reports whether the extension is announced.
func (s *Sink) offers(e Extension) bool { return s.options.Hide&e == 0 }

// ehloReply is the answer to EHLO and LHLO in the given state.
func (s *Sink) ehloReply(secure, authenticated bool) string {
	lines := []string{s.options.Hostname, "ENHANCEDSTATUSCODES"}
	for _, e := range extensions {
		if !s.offers(e.bit) {
			continue
		}
		keyword := e.keyword
		if e.bit == Size && s.options.MaxSize > 0 {
			keyword += " " + strconv.FormatInt(s.options.MaxSize, 10)
		}
		lines = append(lines, keyword)
	}
	if s.options.TLS != nil && !secure {
		lines = append(lines, "STARTTLS")
	}
	if secure { // RFC 8689 §2: announced under TLS only
		lines = append(lines, "REQUIRETLS")
	}
	if s.options.Auth && !authenticated {
		lines = append(lines, "AUTH PLAIN LOGIN")
	}
	if limits := s.limits(); limits != "" {
		lines = append(lines, "LIMITS"+limits)
	}
	return string(smtp.Reply{Code: 250, Lines: lines}.Append(nil))
}

// limits are the parameters of the LIMITS keyword (RFC 9422 §4).
func (s *Sink) limits() (text string) {
	if n := s.options.MaxMessages; n > 0 {
		text += " MAILMAX=" + strconv.Itoa(n)
	}
	if n := s.options.MaxRecipients; n > 0 {
		text += " RCPTMAX=" + strconv.Itoa(n)
	}
	return text
}
