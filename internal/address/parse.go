package address

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// Limits in octets. RFC 5321 §4.5.3.1 names sizes that must at least be
// accepted (64 for a local part, 255 for a domain, 256 for a path) and asks not
// to impose limits where it can be helped.
const (
	MaxLocal  = 254 // what a path of 256 octets could hold
	MaxDomain = 255
	MaxLength = 320 // of a whole mailbox: 64, "@" and 255
)

// What can be wrong with an address. No other errors are returned, and none of
// them repeats the input.
var (
	ErrPath    = errors.New("address: path is not in angle brackets")
	ErrLocal   = errors.New("address: malformed local part")
	ErrDomain  = errors.New("address: malformed domain")
	ErrNoAt    = errors.New("address: no domain")
	ErrTooLong = errors.New("address: too long")
	ErrNull    = errors.New("address: empty address")
)

// Parse parses a bare mailbox such as joe@example.com, "joe doe"@example.com
// or joe@[192.0.2.1]. The whole of s must be the mailbox, and it must have a
// domain.
func Parse(s string) (Address, error) {
	a, rest, err := scanMailbox(s)
	switch {
	case err != nil:
		return Address{}, err
	case rest != "":
		return Address{}, ErrDomain
	}
	return a, nil
}

// ParseReversePath parses the path of a MAIL command, "<joe@example.com>" or
// "<>", at the start of s and returns what follows it. A source route is
// dropped (RFC 5321 appendix C).
func ParseReversePath(s string) (a Address, rest string, err error) {
	a, rest, err = ParsePath(s)
	if err == nil && a.Domain == "" && a.Local != "" {
		return Address{}, "", ErrNoAt
	}
	return a, rest, err
}

// ParseForwardPath parses the path of a RCPT command at the start of s and
// returns what follows it. "<postmaster>" needs no domain (RFC 5321 §4.1.1.3)
// and is then returned without one. A source route is dropped.
func ParseForwardPath(s string) (a Address, rest string, err error) {
	a, rest, err = ParsePath(s)
	if err == nil && a.IsNull() {
		return Address{}, "", ErrNull
	}
	return a, rest, err
}

// ParsePath parses any path: what ParseReversePath and ParseForwardPath accept
// together.
func ParsePath(s string) (a Address, rest string, err error) {
	if s == "" || s[0] != '<' {
		return Address{}, "", ErrPath
	}
	rest, err = skipRoute(s[1:])
	if err != nil {
		return Address{}, "", err
	}
	if strings.HasPrefix(rest, ">") && len(rest) == len(s)-1 {
		return Address{}, rest[1:], nil
	}
	if after, ok := cutPostmaster(rest); ok {
		return Address{Local: rest[:len(postmaster)]}, after, nil
	}
	a, rest, err = scanMailbox(rest)
	if err != nil {
		return Address{}, "", err
	}
	if rest == "" || rest[0] != '>' {
		return Address{}, "", ErrPath
	}
	return a, rest[1:], nil
}

const postmaster = "postmaster"

func cutPostmaster(s string) (rest string, ok bool) {
	n := len(postmaster)
	if len(s) <= n || s[n] != '>' || !strings.EqualFold(s[:n], postmaster) {
		return s, false
	}
	return s[n+1:], true
}

// skipRoute drops "@one.example,@two.example:" (RFC 5321 §4.1.2, A-d-l).
func skipRoute(s string) (string, error) {
	if s == "" || s[0] != '@' {
		return s, nil
	}
	for {
		if s == "" || s[0] != '@' {
			return "", ErrPath
		}
		n, err := scanDomain(s[1:])
		if err != nil {
			return "", err
		}
		s = s[1+n:]
		switch {
		case strings.HasPrefix(s, ":"):
			return s[1:], nil
		case strings.HasPrefix(s, ","):
			s = s[1:]
		default:
			return "", ErrPath
		}
	}
}

// scanMailbox takes a mailbox off the start of s.
func scanMailbox(s string) (a Address, rest string, err error) {
	if s == "" {
		return Address{}, "", ErrNull
	}
	local, n, err := scanLocal(s)
	if err != nil {
		return Address{}, "", err
	}
	if n == len(s) || s[n] == '>' {
		return Address{}, "", ErrNoAt
	}
	if s[n] != '@' {
		return Address{}, "", ErrLocal
	}
	s = s[n+1:]
	end, err := scanDomain(s)
	if err != nil {
		return Address{}, "", err
	}
	a = Address{Local: local, Domain: s[:end]}
	if len(a.Local)+1+len(a.Domain) > MaxLength {
		return Address{}, "", ErrTooLong
	}
	return a, s[end:], nil
}

// scanLocal returns the local part at the start of s, unquoted, and the length
// of its notation.
func scanLocal(s string) (local string, n int, err error) {
	if s[0] == '"' {
		local, n, err = scanQuoted(s)
	} else {
		for n < len(s) && class[s[n]]&(atext|dot) != 0 {
			n++
		}
		local = s[:n]
		if n == 0 {
			err = ErrLocal
		}
	}
	switch {
	case err != nil:
		return "", 0, err
	case len(local) > MaxLocal:
		return "", 0, ErrTooLong
	case !isASCII(local) && !validUTF8(local):
		return "", 0, ErrLocal
	}
	return local, n, nil
}

// scanQuoted reads a Quoted-string (RFC 5321 §4.1.2); s begins with its quote.
func scanQuoted(s string) (local string, n int, err error) {
	escaped := false
	for n = 1; n < len(s); n++ {
		switch c := s[n]; {
		case c == '"':
			local = s[1:n]
			if escaped {
				local = unescape(local)
			}
			return local, n + 1, nil
		case c == '\\':
			escaped = true
			n++
			if n == len(s) || s[n] < ' ' || s[n] >= 0x7f {
				return "", 0, ErrLocal
			}
		case c < ' ' || c == 0x7f:
			return "", 0, ErrLocal
		}
	}
	return "", 0, ErrLocal
}

func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// validUTF8 reports whether s is well-formed and free of C1 control characters,
// which no mailbox has and terminals obey.
func validUTF8(s string) bool {
	for i, r := range s {
		if r >= 0x80 && r < 0xa0 {
			return false
		}
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd") {
			return false
		}
	}
	return true
}

// Byte classes of RFC 5321 §4.1.2 as widened by RFC 6531 §3.3.
const (
	atext  = 1 << iota // may stand unquoted in a local part
	label              // may stand in a label of a domain
	letDig             // may begin and end one
	dot
)

var class = func() (t [256]uint8) {
	for c := '0'; c <= '9'; c++ {
		t[c] = atext | label | letDig
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c] = atext | label | letDig
		t[c-'a'+'A'] = t[c]
	}
	for c := 0x80; c <= 0xff; c++ {
		t[c] = atext | label | letDig
	}
	for _, c := range "!#$%&'*+-/=?^_`{|}~" {
		t[c] = atext
	}
	t['-'] |= label
	t['_'] |= label | letDig
	t['.'] = dot
	return t
}()
