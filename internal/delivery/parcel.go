package delivery

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// parcel is an attempt's message as it will be handed over: the addresses in the
// form in which they are sent, and what the host must be able to take.
type parcel struct {
	*Attempt
	from, to address.Address
	more     []address.Address
	until    Stage // ends the conversation there, without the message; zero: hand it over
	utf8     bool  // the host must take SMTPUTF8
	eightBit bool  // BODY=8BITMIME is to be said to hosts that know it
	binary   bool  // the host must take BINARYMIME
}

// newParcel prepares a. The Outcome, when not nil, says that the message cannot
// be read.
func newParcel(a *Attempt) (*parcel, *Outcome) {
	m := &parcel{Attempt: a, eightBit: a.Body == envelope.Body8BitMIME, binary: a.Body == envelope.BodyBinaryMIME}
	var ascii [2]bool
	m.from, ascii[0] = a.Sender.ASCII()
	m.to, ascii[1] = a.Recipient.ASCII()
	m.utf8 = !ascii[0] || !ascii[1]
	for _, r := range a.More {
		to, ok := r.Address.ASCII()
		m.more, m.utf8 = append(m.more, to), m.utf8 || !ok
	}
	if !m.utf8 && a.SMTPUTF8 {
		// RFC 6531 §3.6 would return all such messages where the host lacks
		// SMTPUTF8. One without anything beyond ASCII in envelope and header
		// needs nothing.
		var err error
		if m.utf8, err = headerBeyondASCII(a); err != nil {
			return nil, verdict(StageConnect, KindConfig, codeStorage, "the message cannot be read", err)
		}
	}
	if m.utf8 {
		m.from, m.to = a.Sender, a.Recipient
		for i, r := range a.More {
			m.more[i] = r.Address
		}
	}
	return m, nil
}

// headerBeyondASCII reads the header of a message until it finds a byte that
// only SMTPUTF8 allows there.
func headerBeyondASCII(a *Attempt) (bool, error) {
	content, err := a.Content()
	if err != nil {
		return false, err
	}
	defer content.Close()
	buf := make([]byte, 4096)
	for off := int64(0); ; {
		n, err := content.ReadAt(buf, off)
		b := buf[:n]
		end := bytes.Index(b, []byte("\r\n\r\n"))
		if end >= 0 {
			b = b[:end]
		}
		if bytes.ContainsFunc(b, func(r rune) bool { return r >= 0x80 }) {
			return true, nil
		}
		if end >= 0 || errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		off += int64(n) - 3 // an empty line may begin in one piece and end in the next
	}
}

// suits reports whether a connection can take the message. For any that cannot
// the pool looks on, because another may be to a host that can.
func (m *parcel) suits(c *client) bool {
	return (!m.utf8 || c.ext.Has("SMTPUTF8")) &&
		(!m.binary || c.ext.Has("BINARYMIME") && c.ext.Has("CHUNKING")) &&
		(!m.RequireTLS || c.authentic && c.ext.Has("REQUIRETLS"))
}

// unfit returns the outcome for a message that the host cannot take, nil for
// any other.
func (m *parcel) unfit(c *client, size int64) *Outcome {
	switch most := c.ext.Size(); {
	case m.utf8 && !c.ext.Has("SMTPUTF8"):
		return verdict(StageMail, KindSMTP, codeNoUTF8, "the host does not take internationalised mail (SMTPUTF8)", nil)
	case m.binary && (!c.ext.Has("BINARYMIME") || !c.ext.Has("CHUNKING")):
		return verdict(StageMail, KindSMTP, codeMedia, "the host does not take binary mail (BINARYMIME)", nil)
	case most > 0 && size > most:
		return verdict(StageMail, KindSMTP, codeTooBig, "the message is larger than the host takes", nil)
	}
	return nil
}

// wantsSuccess reports whether the sender asked to hear of the delivery.
func (m *parcel) wantsSuccess() bool { return m.Notify&envelope.NotifySuccess != 0 }

// originalRecipient returns ORCPT with the type before the semicolon, as
// RFC 3461 §4.2 wants it, or "" for one that has none.
func originalRecipient(orcpt string) string {
	if kind, rest, ok := strings.Cut(orcpt, ";"); !ok || kind == "" || rest == "" {
		return ""
	}
	return orcpt
}
