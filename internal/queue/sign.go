package queue

import (
	"bytes"
	"io"

	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/message/dsn"
)

// signed is a report with a DKIM signature on top.
type signed struct {
	*dsn.Message
	signature []byte
}

// Size is the number of bytes that WriteTo writes.
func (s signed) Size() int64 { return int64(len(s.signature)) + s.Message.Size() }

// WriteTo writes the message as dsn.Message does.
func (s signed) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(s.signature)
	if err != nil {
		return int64(n), err
	}
	m, err := s.Message.WriteTo(w)
	return int64(n) + m, err
}

// sign returns a report as it is stored, with a signature if there is to be one.
func (a *attempt) sign(m *dsn.Message) (signed, error) {
	signer := a.transport.DSN.Signer
	if a.reporting != nil && a.reporting.Signer != nil {
		signer = a.reporting.Signer
	}
	if signer == nil {
		return signed{Message: m}, nil
	}
	return sign(m, signer)
}

// sign signs a report, which it reads once for that.
func sign(m *dsn.Message, s *dkim.Signer) (signed, error) {
	var body dkim.Body
	body.Want(s.BodyHash())
	halves := &halver{body: &body}
	if _, err := m.WriteTo(halves); err != nil {
		return signed{}, err
	}
	_ = body.Close() // never fails
	field, err := s.Sign(dkim.NewHeader(halves.header), &body)
	return signed{m, field}, err
}

// halver keeps the header of what is written, with the empty line behind it, and
// passes the body on.
type halver struct {
	header []byte
	body   io.Writer
	over   bool
}

func (h *halver) Write(p []byte) (int, error) {
	if h.over {
		return h.body.Write(p)
	}
	from := max(len(h.header)-3, 0) // the end may begin in one piece and go on in the next
	h.header = append(h.header, p...)
	i := bytes.Index(h.header[from:], []byte("\r\n\r\n"))
	if i < 0 {
		return len(p), nil
	}
	h.over = true
	rest := h.header[from+i+4:]
	h.header = h.header[:from+i+4]
	_, err := h.body.Write(rest)
	return len(p), err
}
