package dkim

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/message"
)

// Kind is a kind of signature field.
type Kind uint8

const (
	DKIM       Kind = iota // DKIM-Signature (RFC 6376 §3.5)
	ARCMessage             // ARC-Message-Signature (RFC 8617 §4.1.2)
	ARCSeal                // ARC-Seal (RFC 8617 §4.1.3), which signs a chain and no message
)

var kinds = [...]string{DKIM: "dkim-signature", ARCMessage: "arc-message-signature", ARCSeal: "arc-seal"}

// Field returns the name of such fields in lower case.
func (k Kind) Field() string { return kinds[k] }

// maxSigned is how many fields a signature may name. Real ones name about
// twenty.
const maxSigned = 512

// Signature is a signature field.
type Signature struct {
	Field []byte // as it stands, with its name
	Kind  Kind
	Tags  Tags // nil if the field is no tag list

	Algorithm Algorithm
	Header    Canonicalization
	Body      Canonicalization
	Domain    string    // d=, as it stands
	Selector  string    // s=
	Identity  string    // i= of DKIM; "@" and the domain if there is none
	Instance  int       // i= of ARC
	Signed    []string  // h= in lower case
	Length    int64     // l=, or Whole
	Time      time.Time // t=; zero if there is none
	Expires   time.Time // x=; zero if there is none

	BodyHashed []byte // bh=
	Data       []byte // b=
}

// ParseSignature parses a field of any kind as it stands in a message, with its
// name. On error, which wraps ErrSyntax, or ErrAlgorithm for an unknown one, the result
// has what could be read.
func ParseSignature(field []byte) (*Signature, error) {
	s := &Signature{Field: bytes.Clone(field), Length: Whole}
	name, value, ok := bytes.Cut(s.Field, []byte{':'})
	kind := slices.Index(kinds[:], strings.ToLower(trim(string(name))))
	if !ok || kind < 0 {
		return s, fmt.Errorf("%w: no signature field", ErrSyntax)
	}
	s.Kind = Kind(kind)
	tags, err := ParseTags(string(trimLineEnd(value)))
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	s.Tags = tags
	p := parser{tags: tags}
	s.read(&p)
	return s, p.err
}

// read takes the tags in an order that leaves as much as possible to report.
func (s *Signature) read(p *parser) {
	s.Domain, s.Selector = p.domain("d"), p.domain("s")
	if s.Kind == DKIM {
		if v := p.required("v"); v != "1" {
			p.fail("v", v)
		}
		s.Identity = p.identity(s.Domain)
	} else {
		s.Instance = int(p.number("i", 1, 2))
	}
	if s.Kind != ARCSeal {
		s.readMessage(p)
	}
	s.Data = p.base64("b")
	s.Time = p.time("t")
	s.Algorithm = p.algorithm()
}

// readMessage takes the tags that say what of a message is signed.
func (s *Signature) readMessage(p *parser) {
	s.Header, s.Body = p.canonicalization(s.Kind)
	s.Signed = p.signed(s.Kind)
	s.BodyHashed = p.base64("bh")
	if s.Expires = p.time("x"); !s.Expires.IsZero() && s.Expires.Before(p.time("t")) { // RFC 6376 §3.5
		p.fail("x", "before t")
	}
	if _, ok := p.tags.Get("l"); ok {
		s.Length = p.number("l", 0, 18) // 76 digits in the RFC, but no such bodies
	}
	if q, ok := p.tags.Get("q"); ok && !slices.Contains(list(q), "dns/txt") {
		p.fail("q", q)
	}
}

// BodyHash returns which hash of the body the signature needs.
func (s *Signature) BodyHash() BodyHash {
	return BodyHash{Canonicalization: s.Body, Hash: s.Algorithm.Hash(), Length: s.Length}
}

// signedBytes returns what was signed: the canonical forms of the fields named,
// and the signature's own.
func (s *Signature) signedBytes(h *Header) []byte {
	b := make([]byte, 0, 4096)
	b = h.appendSigned(b, s.Header, s.Signed, s.Field)
	return s.Header.AppendSignature(b, s.Field, s.Tags)
}

// Changed compares the header with the copy that the signer may have left in z=
// (RFC 6376 §3.5) and returns the names of the copied fields that do not stand in
// it as they were. It helps to find out why a signature broke, nothing more.
func (s *Signature) Changed(h *Header) []string {
	z, _ := s.Tags.Get("z")
	var changed []string
	for copied := range strings.SplitSeq(compact(z), "|") {
		field := unquote(copied)
		name, _, ok := bytes.Cut(field, []byte{':'})
		if !ok {
			continue
		}
		want, low := appendRelaxed(nil, field), strings.ToLower(string(name))
		if !slices.ContainsFunc(h.fields, func(f message.Field) bool {
			return f.Is(low) && bytes.Equal(appendRelaxed(nil, h.Raw(f)), want)
		}) {
			changed = append(changed, low)
		}
	}
	return changed
}

// unquote decodes dkim-quoted-printable (RFC 6376 §2.11). What is not encoded
// properly stays as it is.
func unquote(s string) []byte {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '=' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(c))
				i += 2
				continue
			}
		}
		b = append(b, s[i])
	}
	return b
}

// parser reads the values of tags and keeps the first error.
type parser struct {
	tags Tags
	err  error
}

func (p *parser) fail(tag, value string) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s=%.40s", ErrSyntax, tag, strings.Join(strings.Fields(value), " "))
	}
}

func (p *parser) required(tag string) string {
	v, ok := p.tags.Get(tag)
	if !ok && p.err == nil {
		p.err = fmt.Errorf("%w: no %s=", ErrSyntax, tag)
	}
	return v
}

func (p *parser) domain(tag string) string {
	v := p.required(tag)
	if !validName(v) {
		p.fail(tag, v)
	}
	return v
}

// validName checks the form of a domain or selector. Whether it exists shows when
// the key is looked up.
func validName(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 && isASCII(label) {
			return false
		}
		for i := range len(label) {
			c := label[i] | 0x20
			if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c >= 0x80 || label[i] == '-' || label[i] == '_') {
				return false
			}
		}
	}
	return true
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) < 0
}

// identity reads i=, whose domain must be the signer's or below it (RFC 6376
// §3.5).
func (p *parser) identity(domain string) string {
	i, ok := p.tags.Get("i")
	if !ok {
		return "@" + domain
	}
	at := strings.LastIndexByte(i, '@')
	if at < 0 || !isBelow(i[at+1:], domain) {
		p.fail("i", i)
	}
	return i
}

// isBelow reports whether a domain is another or a subdomain of it.
func isBelow(sub, domain string) bool {
	n := len(sub) - len(domain)
	return n >= 0 && strings.EqualFold(sub[n:], domain) && (n == 0 || sub[n-1] == '.')
}

func (p *parser) canonicalization(k Kind) (header, body Canonicalization) {
	c, ok := p.tags.Get("c")
	switch {
	case ok:
	case k == ARCMessage: // as its implementations have it, and their test suite
		return Relaxed, Relaxed
	default:
		return Simple, Simple
	}
	h, b, both := strings.Cut(c, "/")
	header, err := ParseCanonicalization(h)
	body = Simple // RFC 6376 §3.5, c=: the second defaults to simple
	if both && err == nil {
		body, err = ParseCanonicalization(b)
	}
	if err != nil {
		p.fail("c", c)
	}
	return header, body
}

// signed reads h=. A DKIM signature must cover From (RFC 6376 §5.4). One of ARC
// need not, but must not cover a seal, which is made after it (RFC 8617 §4.1.2).
func (p *parser) signed(k Kind) []string {
	h := p.required("h")
	names := foldNames(strings.Split(h, ":"))
	switch {
	case len(names) > maxSigned:
		p.fail("h", "too many fields")
	case k == DKIM && !slices.Contains(names, "from"):
		p.fail("h", "without from")
	case k == ARCMessage && slices.Contains(names, "arc-seal"):
		p.fail("h", "with arc-seal")
	}
	return names
}

func (p *parser) base64(tag string) []byte {
	v := p.required(tag)
	b, err := base64.StdEncoding.DecodeString(compact(v))
	if err != nil || len(b) == 0 {
		p.fail(tag, v)
	}
	return b
}

// number reads a decimal number of so many digits at most.
func (p *parser) number(tag string, least int64, digits int) int64 {
	v := p.required(tag)
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil || len(v) > digits || int64(n) < least {
		p.fail(tag, v)
		return 0
	}
	return int64(n)
}

func (p *parser) time(tag string) time.Time {
	if _, ok := p.tags.Get(tag); !ok {
		return time.Time{}
	}
	return time.Unix(p.number(tag, 0, 12), 0)
}

func (p *parser) algorithm() Algorithm {
	v := p.required("a")
	a, err := ParseAlgorithm(v)
	if err != nil && p.err == nil {
		p.err = fmt.Errorf("%w: a=%.40s", ErrAlgorithm, v)
	}
	if err != nil {
		return RSASHA256 // of which nothing is used
	}
	return a
}
