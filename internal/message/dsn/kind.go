// Package dsn writes delivery status notifications: the messages that tell a
// sender what became of his mail (RFC 3461, RFC 3464, RFC 6522, RFC 6533).
//
// A Report says what is to be told, in the terms of the queue. New turns it into
// a Message: a multipart/report of an explanation for people, the same for
// programs, and the original or its header. Everything but a returned original
// is built in memory; the original is read once to learn its size and whether it
// holds 8-bit text, and a second time when the Message is written, so a large
// one never is in memory.
//
// What comes from strangers (addresses, replies, the original itself) is made
// fit for mail on the way: no bare CR or LF, no NUL, no line over 998 octets,
// and nothing outside ASCII where the sender's system did not ask for SMTPUTF8.
// Whether a report is wanted at all is the envelope's to say.
package dsn

import (
	"fmt"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Kind is what a report says has happened: its action (RFC 3464 §2.3.3).
type Kind uint8

const (
	Failed    Kind = iota + 1 // not delivered, and no more attempts
	Delayed                   // not delivered yet
	Delivered                 // in the mailbox
	Relayed                   // handed to a host that sends no reports
	Expanded                  // sent on to several addresses
)

var kindNames = [...]string{Failed: "failed", Delayed: "delayed", Delivered: "delivered", Relayed: "relayed", Expanded: "expanded"}

// String returns the value of the Action field.
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindNames) {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// ParseKind is the reverse of String, in any case.
func ParseKind(s string) (Kind, error) {
	for k := Failed; k <= Expanded; k++ {
		if strings.EqualFold(s, k.String()) {
			return k, nil
		}
	}
	return 0, fmt.Errorf("dsn: unknown action %q", s)
}

// Status returns the code for the Status field of r in a report of kind k. It
// is never zero and its class fits the kind, whatever the peer said:
//
//   - r.Status, or else the code in the reply with the class of the reply
//     (RFC 2034 §4 wants them equal, not all peers comply);
//   - without one 2.0.0, 4.0.0 or 5.0.0 by the kind, since guessing more from
//     the reply code would be saying what the peer did not; a failure whose last
//     reply was a temporary one has run out of time, which is 4.4.7.
func (k Kind) Status(r *Recipient) smtp.EnhancedCode {
	e := r.Status
	if e.IsZero() && !r.Reply.Enhanced.IsZero() {
		e = r.Reply.Enhanced
		e[0] = uint16(r.Reply.Code / 100)
	}
	switch {
	case k == Delayed:
		return smtp.EnhancedCode{4, e[1], e[2]}
	case k == Failed && (e[0] == 4 || e[0] == 5):
		return e
	case k == Failed && r.Reply.Transient():
		return smtp.EnhancedCode{4, 4, 7} // RFC 3463 §3.5: delivery time expired
	case k == Failed:
		return smtp.EnhancedCode{5, 0, 0}
	case e[0] == 2:
		return e
	}
	return smtp.EnhancedCode{2, 0, 0}
}
