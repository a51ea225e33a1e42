package report

import "github.com/posthaste-mta/posthaste/internal/message/mime"

// Status is a report on the delivery of a message (RFC 3464).
type Status struct {
	Message    Fields   // about the message (§2.2)
	Recipients []Fields // about each recipient (§2.3)
	Original   Original
}

// perRecipient are the fields that only the block of a recipient has.
var perRecipient = []string{"final-recipient", "original-recipient", "action", "status", "diagnostic-code"}

// ParseStatus reads the report on delivery that a message is; ok is false when it
// is none.
func ParseStatus(m *mime.Message) (s *Status, ok bool) {
	p := find(m, "message/delivery-status", "message/global-delivery-status")
	if p == nil {
		return nil, false
	}
	all := blocks(p)
	if len(all) == 0 {
		return nil, false
	}
	s = &Status{Message: all[0], Recipients: all[1:], Original: OriginalOf(m)}
	if all[0].has(perRecipient...) {
		s.split()
	}
	return s, true
}

// split parts a first block in which the fields of a recipient stand without an
// empty line in front of them.
func (s *Status) split() {
	first := s.Message
	s.Message = nil
	var recipient Fields
	begun := false
	for _, f := range first {
		if begun = begun || (Fields{f}).has(perRecipient...); begun {
			recipient = append(recipient, f)
		} else {
			s.Message = append(s.Message, f)
		}
	}
	s.Recipients = append([]Fields{recipient}, s.Recipients...)
}
