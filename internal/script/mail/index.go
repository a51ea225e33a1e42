package mail

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/message/mime"
)

// Of returns the message that a value is, a MailMessage or EODMailMessage, or nil.
func Of(v value.Value) *Message {
	if o := v.Object(); o != nil {
		m, _ := o.Native.(*Message)
		return m
	}
	return nil
}

// Index returns the index over the message, for functions that look into it. The
// error is an exception: the message cannot be read any more.
func (m *Message) Index(c *value.Call) (*mime.Message, error) {
	index := m.mime()
	return index, m.check(c)
}
