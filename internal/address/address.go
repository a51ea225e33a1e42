// Package address parses, compares and prints mail addresses and domains as
// they stand in an SMTP envelope (RFC 5321 §4.1.2, RFC 6531 §3.3).
//
// An address is a local part and a domain. Parse takes the bare mailbox as it
// stands in configuration and scripts, ParseReversePath and ParseForwardPath
// the bracketed paths of MAIL and RCPT. Quotes are notation, not part of the
// address: parsing removes them and printing puts them back where the grammar
// wants them, so that "joe"@example.com and joe@example.com are the same value.
//
// Parsing is forgiving where real mail is and no other reading is possible:
// dots may stand anywhere in an unquoted local part, labels may hold
// underscores, and a local part may be longer than 64 octets, because rewritten
// and variable envelope return paths are. Everything that is accepted prints as
// RFC 5321 wants it, at most with quotes added.
//
// Nothing here allocates for a plain ASCII address: the parts of the result are
// slices of the text that was parsed and keep it alive.
package address

import (
	"strings"
)

// Address is a mailbox. Both parts keep the spelling in which they arrived; the
// local part is held without quotes. The zero Address is the null sender "<>".
// An Address without a domain is "postmaster" of the server that was spoken to.
type Address struct {
	Local  string
	Domain string // ASCII or U-label domain, or an address literal in brackets
}

// IsNull reports whether a is the null sender.
func (a Address) IsNull() bool { return a.Local == "" && a.Domain == "" }

// String returns the mailbox with its local part quoted if it must be, and ""
// for the null sender.
func (a Address) String() string {
	if a.IsNull() {
		return ""
	}
	if a.Domain == "" {
		return a.Local
	}
	if isDotString(a.Local) {
		return a.Local + "@" + a.Domain
	}
	return string(a.Append(nil))
}

// Append appends what String returns to b.
func (a Address) Append(b []byte) []byte {
	if a.IsNull() {
		return b
	}
	if isDotString(a.Local) {
		b = append(b, a.Local...)
	} else {
		b = appendQuoted(b, a.Local)
	}
	if a.Domain != "" {
		b = append(b, '@')
		b = append(b, a.Domain...)
	}
	return b
}

// Path returns the mailbox in angle brackets, "<>" for the null sender.
func (a Address) Path() string {
	return string(a.AppendPath(make([]byte, 0, len(a.Local)+len(a.Domain)+3)))
}

// AppendPath appends what Path returns to b.
func (a Address) AppendPath(b []byte) []byte {
	b = append(b, '<')
	b = a.Append(b)
	return append(b, '>')
}

// Fold returns the address in lower case, for comparison and for what scripts
// see as "sender" and "recipient"; "" for the null sender. RFC 5321 §2.4 leaves
// the case of a local part to the receiving host, but nobody tells mailboxes
// apart by it.
func (a Address) Fold() string {
	return Address{Local: strings.ToLower(a.Local), Domain: strings.ToLower(a.Domain)}.String()
}

// NeedsUTF8 reports whether the address holds bytes outside ASCII and so can
// only be sent to a host that offers SMTPUTF8 (RFC 6531 §3.2). ASCII may still
// find a form that can be sent anywhere.
func (a Address) NeedsUTF8() bool { return !isASCII(a.Local) || !isASCII(a.Domain) }

// ASCII returns the address with its domain in A-labels and whether the result
// is free of bytes outside ASCII; it is not when the local part has some.
func (a Address) ASCII() (Address, bool) {
	if !isASCII(a.Local) {
		return a, false
	}
	domain, err := ASCIIDomain(a.Domain)
	if err != nil {
		return a, false
	}
	return Address{Local: a.Local, Domain: domain}, true
}

// isDotString reports whether a local part can stand without quotes (RFC 5321
// §4.1.2, Dot-string).
func isDotString(s string) bool {
	dot := true // as if one stood before the first byte
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if dot {
				return false
			}
			dot = true
		case class[c]&atext != 0:
			dot = false
		default:
			return false
		}
	}
	return !dot
}

func appendQuoted(b []byte, local string) []byte {
	b = append(b, '"')
	for i := range len(local) {
		if c := local[i]; c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, local[i])
	}
	return append(b, '"')
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
