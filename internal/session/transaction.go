package session

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// Transaction is one message on its way in, from MAIL to the reply after its
// end. RSET drops it.
type Transaction struct {
	ID         envelope.ID
	Begun      time.Time
	Sender     address.Address // a hook may have replaced it; zero: the null sender
	Params     smtp.Params     // of MAIL, as they came
	Body       envelope.Body
	SMTPUTF8   bool
	RequireTLS bool
	Ret        envelope.Ret
	EnvID      string // xtext decoded
	Declared   int64  // the SIZE of MAIL; 0: none
	Recipients []Recipient

	given  address.Address // of the first accepted RCPT as it came, for the Received field
	over   int             // RCPT commands beyond the limit
	chunks *text           // BDAT has begun
}

// Recipient is one that was accepted at RCPT, or is about to be.
type Recipient struct {
	Address   address.Address // a hook may have replaced it
	Params    smtp.Params     // of RCPT, as they came
	Transport string          // empty: none yet
	Notify    envelope.Notify
	ORcpt     string // "type;address", xtext decoded
}
