package queue

import (
	"errors"
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/message/patch"
	"github.com/posthaste-mta/posthaste/internal/spool"
)

// View is a copy of what the queue knows of one entry at one moment: what hooks,
// events and listings see.
type View struct {
	ID        envelope.ID
	Number    uint32
	State     State
	Received  time.Time
	Due       time.Time // of the next attempt; zero: at once
	ServerID  string
	ClientIP  netip.Addr
	Helo      string
	Username  string
	Stage     string // key of the live stage that took the message
	Sender    address.Address
	Recipient address.Address
	Transport string
	Job       string
	Tenant    string
	Priority  uint8
	Size      int64
	Retry     uint32
	Reason    string // of the last failure
	Notify    envelope.Notify
	Notified  bool
	RemoteMX  string     // while ACTIVE or SENDING: the first candidate
	RemoteIP  netip.Addr // and its address
	Grouping  string     // while ACTIVE or SENDING
	LocalIP   netip.Addr // while SENDING: the source address
	Quotas    []string

	// Way are the settings of the transport, for hooks; nil when it is not
	// configured, and in listings.
	Way *delivery.Transport

	// Envelope is what was stored with the message, after Load with the recipient
	// of the entry only. It is nil until it has been
	// asked for; see Queue.Load.
	Envelope *envelope.Message

	handle      spool.Handle
	slot        uint32
	metadata    map[string]string
	metadataSet bool
}

// view copies e. It runs on the schedule.
func (e *entry) view(v *View) {
	m, o, c := e.msg, e.msg.origin.Value(), e.class.Value()
	*v = View{
		ID: m.id, Number: e.number, State: e.state, Received: time.UnixMilli(m.received),
		ServerID: o.server, ClientIP: o.ip, Helo: o.helo, Username: o.username, Stage: o.stage,
		Sender: e.sender(), Recipient: e.recipient(),
		Transport: c.transport, Job: c.job, Tenant: c.tenant,
		Priority: e.priority, Size: m.size, Retry: e.retry, Reason: e.reason,
		Notify: e.notify, Notified: e.flags&isNotified != 0, handle: m.handle, slot: m.slot,
	}
	if e.due != 0 {
		v.Due = time.UnixMilli(e.due)
	}
	if e.group != nil {
		v.RemoteMX, v.RemoteIP, v.Grouping = e.group.key.mx, e.group.key.addr, e.group.grouping
	}
	if r := e.rare; r != nil {
		v.Quotas, v.metadata, v.metadataSet = r.quotas, r.metadata, r.metadataSet
	}
}

// Load reads the envelope of v from the spool, once, with the recipient of the
// entry and no others: a message with thousands, each with edits of its own, is
// read as often as it has recipients. It returns ErrGone when the
// message has left the queue; its handle may name another one by now.
func (q *Queue) Load(v *View) error {
	if v.Envelope != nil {
		return nil
	}
	raw, err := q.store.Envelope(v.handle)
	if err != nil {
		return gone(err)
	}
	m := new(envelope.Message)
	switch err := (envelope.Decoder{}).DecodeRecipient(raw, v.Number, m); {
	case errors.Is(err, envelope.ErrNoRecipient):
		return ErrGone
	case err != nil:
		return err
	case m.ID != v.ID:
		return ErrGone
	}
	v.Envelope = m
	return nil
}

// Subject returns the subject of a loaded View.
func (v *View) Subject() string {
	if v.Envelope == nil {
		return ""
	}
	return v.Envelope.Subject
}

// Metadata returns what scripts stored with the entry. The View must be loaded.
func (v *View) Metadata() map[string]string {
	if v.metadataSet {
		return v.metadata
	}
	if r := v.stored(); r != nil {
		return r.Metadata
	}
	return nil
}

// ORcpt returns the original recipient that the sender gave, "" where there is
// none. The View must be loaded.
func (v *View) ORcpt() string {
	if r := v.stored(); r != nil {
		return r.ORcpt
	}
	return ""
}

// EnvID returns the envelope id that the sender gave, for the entry or the
// message, "" if the View is not loaded.
func (v *View) EnvID() string {
	if r := v.stored(); r != nil && r.EnvID != "" {
		return r.EnvID
	}
	if v.Envelope == nil {
		return ""
	}
	return v.Envelope.EnvID
}

// Ret returns what of the message the sender wants back in a report,
// RetUnset if the View is not loaded.
func (v *View) Ret() envelope.Ret {
	if r := v.stored(); r != nil && r.Ret != envelope.RetUnset {
		return r.Ret
	}
	if v.Envelope == nil {
		return envelope.RetUnset
	}
	return v.Envelope.Ret
}

// EditedSize returns the size of the message with the edits for the entry. The
// View must be loaded.
func (v *View) EditedSize() int64 {
	if p := v.edits(); p != nil {
		return p.Size(v.Size)
	}
	return v.Size
}

// edits are those for the entry of a loaded View; nil: none.
func (v *View) edits() *patch.Patch {
	r := v.stored()
	if r == nil || len(r.Patch) == 0 {
		return nil
	}
	p, err := patch.Decode(r.Patch)
	if err != nil {
		return nil // an attempt says so
	}
	return p
}

// stored is the recipient in the envelope of a loaded View, or nil.
func (v *View) stored() *envelope.Recipient {
	if v.Envelope == nil {
		return nil
	}
	for i := range v.Envelope.Recipients {
		if r := &v.Envelope.Recipients[i]; r.Number == v.Number {
			return r
		}
	}
	return nil
}
