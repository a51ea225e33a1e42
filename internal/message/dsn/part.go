package dsn

import (
	"bytes"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/message"
)

// form is a Message in the making.
type form struct {
	report   *Report
	boundary string
	header   []byte // of the original, nil when nothing is returned
	parts    []byte // up to a whole original
	eightBit bool
	utf8     bool
}

func (f *form) build() (*Message, error) {
	if err := f.readHeader(); err != nil {
		return nil, err
	}
	f.explanation()
	f.status()
	m := &Message{after: []byte("\r\n--" + f.boundary + "--\r\n")}
	if f.report.returnsFull() {
		m.original, m.originalSize = f.report.Original, f.report.OriginalSize
		n, err := f.whole()
		if err != nil {
			return nil, err
		}
		m.size = n
	} else if f.report.returns() {
		f.headerOnly()
	}
	m.before = f.top() // last, as it tells of the rest
	m.size += int64(len(m.before) + len(m.after))
	m.eightBit, m.utf8 = f.eightBit, f.utf8
	return m, nil
}

func (f *form) readHeader() (err error) {
	if f.report.returns() {
		f.header, _, err = message.ReadHeader(f.report.Original, f.report.OriginalSize, maxHeader)
	}
	if err != nil {
		return fmt.Errorf("dsn: return original: %w", err)
	}
	return nil
}

// explanation adds the part for people.
func (f *form) explanation() {
	if part := f.report.Options.Readable; len(part) > 0 {
		f.readable(part)
		return
	}
	text := f.report.explanation()
	if message.IsASCII([]byte(text)) {
		f.part("text/plain; charset=us-ascii", "", "Explanation")
		b, _ := normal([]byte(text), nil)
		f.parts = append(f.parts, b...)
		return
	}
	f.part("text/plain; charset=utf-8", "quoted-printable", "Explanation")
	f.quoted([]byte(strings.ReplaceAll(text, "\n", "\r\n")))
}

// readable adds a part that a script has made. One without a proper header is
// taken for plain text (RFC 2045 §5.2).
func (f *form) readable(part []byte) {
	_, _, proper := message.Split(part)
	for field := range message.Fields(part) {
		proper = proper && len(field.Name) > 0
	}
	text, eightBit := normal(part, nil)
	f.eightBit = f.eightBit || eightBit
	f.delimiter()
	if !proper {
		f.parts = append(f.parts, crlf...)
	}
	f.parts = append(f.parts, text...)
}

// status adds the part for programs. What is outside ASCII may only stand in
// the kind that RFC 6533 §3 made for it.
func (f *form) status() {
	body := f.report.status()
	if message.IsASCII(body) {
		f.part("message/delivery-status", "", "Delivery report")
	} else {
		f.part("message/global-delivery-status", "8bit", "Delivery report")
		f.utf8, f.eightBit = true, true
	}
	f.parts = append(f.parts, body...)
}

// whole opens the last part for the whole original and returns its length.
func (f *form) whole() (int64, error) {
	c := &canonical{w: io.Discard}
	if err := c.copy(f.report.Original, f.report.OriginalSize); err != nil {
		return 0, err
	}
	kind, encoding := "message/rfc822", ""
	if c.eightBit {
		encoding = "8bit"
		f.eightBit = true
	}
	if f.global() {
		kind = "message/global"
		f.utf8 = true
	}
	f.part(kind, encoding, "Your message")
	return c.written, nil
}

// headerOnly adds the last part with the header of the original.
func (f *form) headerOnly() {
	const description = "Header of your message"
	text, eightBit := normal(f.header, space)
	switch {
	case f.global():
		f.part("message/global-headers", "8bit", description)
		f.parts = append(f.parts, text...)
		f.utf8, f.eightBit = true, true
	case eightBit: // RFC 6522 §4 allows this encoding for a broken header
		f.part("text/rfc822-headers", "quoted-printable", description)
		f.quoted(text)
	default:
		f.part("text/rfc822-headers", "", description)
		f.parts = append(f.parts, text...)
	}
}

// global reports whether the original must be shown as an internationalised
// message (RFC 6533 §4).
func (f *form) global() bool { return f.report.SMTPUTF8 && !message.IsASCII(f.header) }

// delimiter ends the part before and begins a new one (RFC 2046 §5.1.1).
func (f *form) delimiter() {
	f.parts = append(f.parts, "\r\n--"+f.boundary+"\r\n"...)
}

// part begins a part. An empty encoding stands for 7bit.
func (f *form) part(kind, encoding, description string) {
	f.delimiter()
	var w message.Builder
	w.Field("Content-Type", kind)
	if encoding != "" {
		w.Field("Content-Transfer-Encoding", encoding)
	}
	w.Field("Content-Description", description)
	w.Line()
	f.parts = append(f.parts, w.Bytes()...)
}

func (f *form) quoted(text []byte) {
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write(text) // a Buffer does not fail
	_ = w.Close()
	f.parts = append(f.parts, b.Bytes()...)
}

// normal returns text in the form that canonical gives it.
func normal(text, continuation []byte) (b []byte, eightBit bool) {
	var out bytes.Buffer
	c := &canonical{w: &out, continuation: continuation}
	_, _ = c.Write(text) // a Buffer does not fail
	_ = c.Flush()
	return out.Bytes(), c.eightBit
}
