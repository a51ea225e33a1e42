package dkim

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Recommended are the fields that are signed when nothing else is said: those
// that RFC 6376 §5.4.1 advises, those that say how to read the body, and the
// one-click part of RFC 8058 §4, which must be signed to count.
var Recommended = []string{
	"from", "sender", "reply-to", "subject", "date", "message-id", "to", "cc",
	"mime-version", "content-type", "content-transfer-encoding",
	"resent-date", "resent-from", "resent-sender", "resent-to", "resent-cc", "resent-message-id",
	"in-reply-to", "references",
	"list-id", "list-help", "list-unsubscribe", "list-unsubscribe-post", "list-subscribe",
	"list-post", "list-owner", "list-archive",
}

// Options says how a Signer signs.
type Options struct {
	Domain   string // d=
	Selector string // s=
	// Identity is i=, in the domain or below it. Empty leaves it out.
	Identity string

	// Algorithm is by default the one that goes with the key.
	Algorithm Algorithm
	Header    Canonicalization
	Body      Canonicalization

	// Headers are the names of the fields to sign, all instances of each. Nil
	// means Recommended. From is always signed (RFC 6376 §5.4).
	Headers []string
	// Additional are names to add to Headers.
	Additional []string
	// Oversign are fields of which one more than there are is signed, so that
	// none can be added later (RFC 6376 §8.15). Nil means From.
	Oversign []string

	// LimitBody signs only the first BodyLength bytes of the canonical body and
	// says so in l=. Anybody may then add to the message (RFC 6376 §8.2).
	LimitBody  bool
	BodyLength int64

	// Timestamp writes t=: Time, or the time of signing if that is zero.
	Timestamp bool
	Time      time.Time
	// Expires is x=. Lifetime sets it relative to t= or the time of signing.
	Expires  time.Time
	Lifetime time.Duration
}

// ErrOptions says that a Signer cannot be made of its options.
var ErrOptions = errors.New("dkim: cannot sign so")

// Signer makes signatures with one key and one set of options. It is safe for
// concurrent use.
type Signer struct {
	key      PrivateKey
	options  Options
	names    []string // to sign, in order, each once
	oversign map[string]bool
}

// NewSigner prepares a Signer. The error wraps ErrPrivateKey or ErrOptions.
func NewSigner(key crypto.Signer, o Options) (*Signer, error) {
	private, err := NewPrivateKey(key, o.Algorithm)
	if err != nil {
		return nil, err
	}
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOptions, err)
	}
	s := &Signer{key: private, options: o, oversign: map[string]bool{}}
	if o.Headers == nil {
		o.Headers = Recommended
	}
	if o.Oversign == nil {
		o.Oversign = []string{"from"}
	}
	over := foldNames(o.Oversign)
	for _, name := range over {
		s.oversign[name] = true
	}
	names := foldNames(slices.Concat(o.Headers, o.Additional))
	if !slices.Contains(names, "from") {
		names = slices.Insert(names, 0, "from")
	}
	for _, name := range append(names, over...) {
		if !slices.Contains(s.names, name) {
			s.names = append(s.names, name)
		}
	}
	return s, nil
}

func (o *Options) validate() error {
	switch {
	case !validName(o.Domain):
		return fmt.Errorf("%.80q is no domain", o.Domain)
	case !validName(o.Selector):
		return fmt.Errorf("%.80q is no selector", o.Selector)
	case o.LimitBody && o.BodyLength < 0:
		return errors.New("negative body length")
	}
	if i := o.Identity; i != "" {
		at := strings.LastIndexByte(i, '@')
		if at < 0 || !isBelow(i[at+1:], o.Domain) || strings.ContainsAny(i, "; \t\r\n") {
			return fmt.Errorf("identity %.80q is not in %s", i, o.Domain)
		}
	}
	for _, name := range slices.Concat(o.Headers, o.Additional, o.Oversign) {
		if name = trim(name); name == "" || strings.ContainsAny(name, ":;= \t\r\n") || !isASCII(name) {
			return fmt.Errorf("%.80q is no field name", name)
		}
	}
	return nil
}

// Key returns the key of the signer.
func (s *Signer) Key() PrivateKey { return s.key }

// KeyName returns where the key record of the signer has to be published.
func (s *Signer) KeyName() string { return s.options.Selector + "._domainkey." + s.options.Domain }

// BodyHash returns which hash of the body Sign needs.
func (s *Signer) BodyHash() BodyHash {
	h := BodyHash{Canonicalization: s.options.Body, Hash: s.key.algorithm.Hash(), Length: Whole}
	if s.options.LimitBody {
		h.Length = s.options.BodyLength
	}
	return h
}

// Sign returns a DKIM-Signature field with its CRLF, to be put above the header
// that it was made of. The body must have been asked for BodyHash and be closed.
func (s *Signer) Sign(h *Header, b *Body) ([]byte, error) {
	w := fieldWriter{b: append(make([]byte, 0, 1024), "DKIM-Signature:"...)}
	w.column = len(w.b)
	w.tag("v", "1")
	return s.finish(&w, h, b, s.options.Identity)
}

// SignARC returns the same as an ARC-Message-Signature of the given instance
// (RFC 8617 §4.1.2).
func (s *Signer) SignARC(h *Header, b *Body, instance int) ([]byte, error) {
	w := fieldWriter{b: append(make([]byte, 0, 1024), "ARC-Message-Signature:"...)}
	w.column = len(w.b)
	return s.finish(&w, h, b, strconv.Itoa(instance))
}

// finish writes the tags in alphabetical order behind v=, so that the same input
// gives the same signature as in the published vectors, and signs.
func (s *Signer) finish(w *fieldWriter, h *Header, b *Body, i string) ([]byte, error) {
	bodyHash, err := b.Sum(s.BodyHash())
	if err != nil {
		return nil, fmt.Errorf("dkim: sign: %w", err)
	}
	signed := s.signed(h)
	w.tag("a", s.key.algorithm.String())
	w.tag("b", "")
	hole, room := len(w.b)-1, lineLength-w.column // before the semicolon
	w.line()
	w.tag("bh", base64.StdEncoding.EncodeToString(bodyHash))
	w.tag("c", s.options.Header.String()+"/"+s.options.Body.String())
	w.tag("d", s.options.Domain)
	w.list("h", signed)
	if i != "" {
		w.tag("i", i)
	}
	if s.options.LimitBody {
		w.tag("l", strconv.FormatInt(s.options.BodyLength, 10))
	}
	w.tag("s", s.options.Selector)
	s.times(w)
	field := w.b[:len(w.b)-1] // no semicolon at the end

	text := h.appendSigned(make([]byte, 0, 4096), s.options.Header, signed, nil)
	if s.options.Header == Relaxed {
		text = appendRelaxed(text, field)
	} else {
		text = append(text, field...)
	}
	signature, err := s.key.Sign(text)
	if err != nil {
		return nil, err
	}
	return fill(field, hole, room, signature), nil
}

func (s *Signer) times(w *fieldWriter) {
	at := s.options.Time
	if at.IsZero() {
		at = time.Now()
	}
	if s.options.Timestamp {
		w.tag("t", strconv.FormatInt(at.Unix(), 10))
	}
	switch {
	case !s.options.Expires.IsZero():
		w.tag("x", strconv.FormatInt(s.options.Expires.Unix(), 10))
	case s.options.Lifetime > 0:
		w.tag("x", strconv.FormatInt(at.Add(s.options.Lifetime).Unix(), 10))
	}
}

// signed returns the names for h=.
func (s *Signer) signed(h *Header) []string {
	names := make([]string, 0, len(s.names))
	for _, name := range s.names {
		n := h.count(name)
		if s.oversign[name] || name == "from" && n == 0 {
			n++
		}
		for range min(n, maxSigned-len(names)) {
			names = append(names, name)
		}
	}
	return names
}

// fill puts a signature into the field at the place left for it.
func fill(field []byte, hole, room int, signature []byte) []byte {
	out := make([]byte, 0, len(field)+len(signature)*3/2+16)
	out = append(out, field[:hole]...)
	out = appendBase64(out, signature, room)
	out = append(out, field[hole:]...)
	return append(out, '\r', '\n')
}

// lineLength is where lines are folded (RFC 5322 §2.1.1).
const lineLength = 76

// appendBase64 appends lines of base64, for the first of which there is that much
// room.
func appendBase64(b, data []byte, room int) []byte {
	text := base64.StdEncoding.EncodeToString(data)
	for n := max(room, 1); len(text) > n; n = lineLength - 8 {
		b = append(append(b, text[:n]...), "\r\n\t"...)
		text = text[n:]
	}
	return append(b, text...)
}

// fieldWriter writes the tags of a field on lines of bearable length.
type fieldWriter struct {
	b      []byte
	column int
	broken bool // a fold stands at the end
}

// tag writes " name=value;".
func (w *fieldWriter) tag(name, value string) {
	n := len(name) + len(value) + 2
	if w.column+1+n > lineLength && !w.broken {
		w.line()
	}
	if !w.broken {
		w.b = append(w.b, ' ')
		w.column++
	}
	w.broken = false
	w.b = append(append(append(append(w.b, name...), '='), value...), ';')
	w.column += n
}

// line begins a new line.
func (w *fieldWriter) line() {
	w.b = append(w.b, "\r\n\t"...)
	w.column, w.broken = 8, true
}

// list writes a tag whose value may be folded behind its colons.
func (w *fieldWriter) list(name string, values []string) {
	if joined := strings.Join(values, ":"); len(joined) < lineLength-12 {
		w.tag(name, joined)
		return
	}
	w.tag(name, values[0])
	for _, v := range values[1:] {
		w.b[len(w.b)-1] = ':' // for the semicolon
		if w.column+len(v)+1 > lineLength {
			w.line()
			w.broken = false
		}
		w.b = append(append(w.b, v...), ';')
		w.column += len(v) + 1
	}
}
