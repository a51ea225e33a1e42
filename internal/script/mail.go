package script

import (
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// received is $arguments["mail"] of the end of a transaction, made when a script
// asks for it. What it queues counts once the script accepts.
type received struct {
	kit         *mail.Kit
	transaction *session.Transaction
	mail        *session.Mail
	flat        bool
	made        *mail.Message
}

func (r *received) message() *mail.Message {
	if r.made == nil {
		r.made = r.kit.Received(mail.Received{
			Original: r.mail.Content, Flat: r.flat,
			Record: func(to envelope.Recipient) (envelope.ID, uint32) { return r.transaction.ID, r.mail.Queue(to) },
		})
	}
	return r.made
}

// close ends the message: the session takes its bytes back.
func (r *received) close() {
	if r.made != nil {
		r.made.Close()
	}
}
