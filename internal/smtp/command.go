package smtp

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/address"
)

// SyntaxError is what the parsers of commands return: the reply that the line
// deserves.
type SyntaxError struct {
	Code     int
	Enhanced EnhancedCode
	Text     string
}

func (e *SyntaxError) Error() string { return "smtp: " + e.Text }

// Reply returns the error as it goes to the client.
func (e *SyntaxError) Reply() Reply { return NewReply(e.Code, e.Enhanced, e.Text) }

// What commands are refused for.
var (
	errControl   = &SyntaxError{500, EnhancedCode{5, 5, 2}, "Control character in command"}
	errNoVerb    = &SyntaxError{500, EnhancedCode{5, 5, 2}, "Bad syntax"}
	errNone      = &SyntaxError{501, EnhancedCode{5, 5, 4}, "No argument allowed"}
	errHost      = &SyntaxError{501, EnhancedCode{5, 5, 4}, "Host name or address literal expected"}
	errFrom      = &SyntaxError{501, EnhancedCode{5, 5, 4}, "Syntax: MAIL FROM:<address>"}
	errTo        = &SyntaxError{501, EnhancedCode{5, 5, 4}, "Syntax: RCPT TO:<address>"}
	errSender    = &SyntaxError{501, EnhancedCode{5, 1, 7}, "Bad sender address syntax"}
	errRecipient = &SyntaxError{501, EnhancedCode{5, 1, 3}, "Bad recipient address syntax"}
	errBdat      = &SyntaxError{501, EnhancedCode{5, 5, 4}, "Syntax: BDAT size [LAST]"}
	errAuth      = &SyntaxError{501, EnhancedCode{5, 5, 4}, "Syntax: AUTH mechanism [response]"}
	errBase64    = &SyntaxError{501, EnhancedCode{5, 5, 2}, "Invalid base64"}
	errXclient   = &SyntaxError{501, EnhancedCode{5, 5, 4}, "Bad XCLIENT attribute"}
	errSize      = &SyntaxError{501, EnhancedCode{5, 5, 4}, "Bad SIZE value"}
)

// SplitCommand splits a line without its line end into the verb, in upper case,
// and what follows it. A space at the end is dropped (RFC 5321 §4.1.1).
func SplitCommand(line string) (verb, arg string, err error) {
	line = strings.TrimRight(line, " \t")
	for i := range len(line) {
		if line[i] < ' ' || line[i] == 0x7f {
			return "", "", errControl
		}
	}
	verb, arg, _ = strings.Cut(line, " ")
	if !isKeyword(verb) {
		return "", "", errNoVerb
	}
	return strings.ToUpper(verb), arg, nil
}

// None parses the argument of a command that has none: RSET, DATA, QUIT,
// STARTTLS.
type None struct{}

// ParseNone refuses any argument.
func ParseNone(arg string) (None, error) {
	if arg != "" {
		return None{}, errNone
	}
	return None{}, nil
}

// Text is the argument of a command that takes any: NOOP, HELP, VRFY, EXPN.
type Text string

// ParseText takes everything.
func ParseText(arg string) (Text, error) { return Text(arg), nil }

// Hello is the argument of HELO, EHLO or LHLO.
type Hello struct {
	Host string // as the client spelled it
}

// maxHost is RFC 5321 §4.5.3.1.2.
const maxHost = 255

// ParseHello parses the name that a client gives itself. Any word that looks
// like a name or an address is taken, because too many clients have nothing
// better to say; what could garble a Received field is not.
func ParseHello(arg string) (Hello, error) {
	host := strings.TrimLeft(arg, " ")
	if host == "" || len(host) > maxHost {
		return Hello{}, errHost
	}
	for i := range len(host) {
		if c := host[i]; !isLetDig(c) && !strings.ContainsRune(".-_:[]+~", rune(c)) {
			return Hello{}, errHost
		}
	}
	return Hello{host}, nil
}

// Mail is the argument of MAIL.
type Mail struct {
	From   address.Address // zero: the null sender
	Params Params
}

// ParseMail parses "FROM:<path> parameters". A space after the colon is
// tolerated, for many programs send one.
func ParseMail(arg string) (Mail, error) {
	rest, ok := cutPrefixFold(arg, "FROM:")
	if !ok {
		return Mail{}, errFrom
	}
	from, rest, err := address.ParseReversePath(strings.TrimLeft(rest, " "))
	if err != nil {
		return Mail{}, errSender
	}
	params, err := ParseParams(rest)
	return Mail{From: from, Params: params}, err
}

// Rcpt is the argument of RCPT.
type Rcpt struct {
	To     address.Address // without domain: postmaster here
	Params Params
}

// ParseRcpt parses "TO:<path> parameters".
func ParseRcpt(arg string) (Rcpt, error) {
	rest, ok := cutPrefixFold(arg, "TO:")
	if !ok {
		return Rcpt{}, errTo
	}
	to, rest, err := address.ParseForwardPath(strings.TrimLeft(rest, " "))
	if err != nil {
		return Rcpt{}, errRecipient
	}
	params, err := ParseParams(rest)
	return Rcpt{To: to, Params: params}, err
}

// Bdat is the argument of BDAT (RFC 3030 §2).
type Bdat struct {
	Size int64
	Last bool
}

// ParseBdat parses "size [LAST]".
func ParseBdat(arg string) (Bdat, error) {
	digits, rest, more := strings.Cut(arg, " ")
	size, ok := parseSize(digits)
	if !ok || more && !strings.EqualFold(rest, "LAST") {
		return Bdat{}, errBdat
	}
	return Bdat{Size: size, Last: more}, nil
}

// ParseSize parses the value of the SIZE parameter of MAIL (RFC 1870 §6.1).
func ParseSize(s string) (int64, error) {
	size, ok := parseSize(s)
	if !ok {
		return 0, errSize
	}
	return size, nil
}

// parseSize takes up to twenty digits, as RFC 1870 does, and what exceeds an
// int64 for the largest.
func parseSize(s string) (int64, bool) {
	if s == "" || len(s) > 20 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	size, _ := strconv.ParseInt(s, 10, 64)
	return size, true
}

// Auth is the argument of AUTH (RFC 4954 §4).
type Auth struct {
	Mechanism string // upper case
	Initial   []byte // decoded initial response; nil: none was given
}

// ParseAuth parses "mechanism [initial-response]".
func ParseAuth(arg string) (Auth, error) {
	mechanism, response, more := strings.Cut(arg, " ")
	if !isMechanism(mechanism) {
		return Auth{}, errAuth
	}
	a := Auth{Mechanism: strings.ToUpper(mechanism)}
	var err error
	switch {
	case !more:
	case response == "=": // RFC 4954 §4: present and empty
		a.Initial = []byte{}
	default:
		a.Initial, err = DecodeResponse(response)
	}
	return a, err
}

// DecodeResponse decodes one line with which a client answers a challenge.
// The result is never nil without an error.
func DecodeResponse(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errBase64
	}
	return b, nil
}

// isMechanism is sasl-mech of RFC 4422 §3.1 in any case.
func isMechanism(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLetDig(c) && c != '-' && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 20
}

// Xclient is the argument of XCLIENT: what a proxy that we trust knows of its
// client. A field that was not given, or as [UNAVAILABLE] or [TEMPUNAVAIL], is
// zero; Given tells the two apart where that matters.
type Xclient struct {
	Name     string
	Addr     netip.Addr
	Port     uint16
	Proto    string // "SMTP" or "ESMTP"
	Helo     string
	Login    string
	DestAddr netip.Addr
	DestPort uint16
	Given    []string // names of the attributes
}

// ParseXclient parses "NAME=value ..." with values in xtext.
func ParseXclient(arg string) (Xclient, error) {
	params, err := ParseParams(" " + arg)
	if err != nil || len(params) == 0 {
		return Xclient{}, errXclient
	}
	var x Xclient
	for _, p := range params {
		value, err := DecodeXtext(p.Value)
		if err != nil {
			return Xclient{}, errXclient
		}
		if strings.EqualFold(value, "[UNAVAILABLE]") || strings.EqualFold(value, "[TEMPUNAVAIL]") {
			value = ""
		}
		if !x.set(p.Key, value) {
			return Xclient{}, errXclient
		}
		x.Given = append(x.Given, p.Key)
	}
	return x, nil
}

func (x *Xclient) set(key, value string) (ok bool) {
	ok = true
	switch key {
	case "NAME":
		x.Name, ok = value, value == "" || address.ValidDomain(value)
	case "ADDR":
		x.Addr, ok = parseIP(value)
	case "PORT":
		x.Port, ok = parsePort(value)
	case "PROTO":
		x.Proto, ok = value, value == "" || value == "SMTP" || value == "ESMTP"
	case "HELO":
		if value != "" {
			h, err := ParseHello(value)
			x.Helo, ok = h.Host, err == nil
		}
	case "LOGIN":
		x.Login = value
	case "DESTADDR":
		x.DestAddr, ok = parseIP(value)
	case "DESTPORT":
		x.DestPort, ok = parsePort(value)
	default:
		ok = false
	}
	return ok
}

func parseIP(s string) (netip.Addr, bool) {
	if s == "" {
		return netip.Addr{}, true
	}
	s, _ = cutPrefixFold(s, "IPV6:")
	ip, err := netip.ParseAddr(s)
	return ip.Unmap(), err == nil && ip.Zone() == ""
}

func parsePort(s string) (uint16, bool) {
	if s == "" {
		return 0, true
	}
	port, err := strconv.ParseUint(s, 10, 16)
	return uint16(port), err == nil
}

func cutPrefixFold(s, prefix string) (rest string, ok bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
