package queue

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/message/dsn"
)

// report tells the sender of a what became of it, if that is wanted, with a new
// message of our own. It returns nil when the report is in the spool, or when
// there is none to send.
func (q *Queue) report(a *attempt, out *delivery.Outcome, kind dsn.Kind) error {
	if !a.wants(kind) {
		return nil
	}
	if err := errors.Join(q.complete(a), q.Load(&a.view)); err != nil {
		return fmt.Errorf("queue: report on %s: %w", a.ID, err)
	}
	r := a.report(out, kind)
	id := a.reportID
	if id == (envelope.ID{}) {
		id = q.newID()
	}
	r.MessageID = "<" + id.String() + "@" + r.Host + ">"
	if body, err := a.Content(); err != nil {
		q.failed(err)
	} else {
		defer body.Close()
		r.Original, r.OriginalSize = body, body.Size()
	}
	m, err := q.compose(r)
	if err == nil {
		err = q.submit(a, id, m)
	}
	if err != nil {
		return fmt.Errorf("queue: report on %s: %w", a.ID, err)
	}
	return nil
}

// compose makes the report with the original, and without when that cannot be
// read: a sender who learns of the failure is better than one who does not.
func (q *Queue) compose(r *dsn.Report) (*dsn.Message, error) {
	m, err := dsn.New(r)
	if err == nil || r.Original == nil {
		return m, err
	}
	q.failed(err)
	r.Original = nil
	return dsn.New(r)
}

// report gathers what there is to tell.
func (a *attempt) report(out *delivery.Outcome, kind dsn.Kind) *dsn.Report {
	m, t := a.view.Envelope, a.transport
	r := &dsn.Report{
		Kind: kind, Host: a.settings.Hostname, Sender: a.view.Sender, SMTPUTF8: m.SMTPUTF8,
		Arrival: m.Received, EnvID: a.view.EnvID(), Full: t.returnsFull(a.view.Ret()),
		Options: dsn.Options{From: t.DSN.From, FromName: t.DSN.FromName},
	}
	to := dsn.Recipient{
		Address: a.view.Recipient, Reply: out.Reply, FromPeer: out.FromPeer,
		RemoteMTA: out.Connection.RemoteMX,
	}
	if stored := a.view.stored(); stored != nil {
		to.ORcpt = stored.ORcpt
	}
	if out.FromPeer {
		to.Command = out.Stage.String()
	}
	if out.Err != nil {
		to.Cause = out.Err.Error()
	}
	if out.Stage != 0 {
		to.LastAttempt = time.Now()
	}
	if kind == dsn.Delayed && t.Retry.During > 0 {
		to.RetryUntil = m.Received.Add(t.Retry.During)
	}
	r.Recipients = []dsn.Recipient{to}
	if o := a.reporting; o != nil {
		r.Options = o.Text
		if o.Text.From.IsNull() {
			r.Options.From = t.DSN.From
		}
		if o.Text.FromName == "" {
			r.Options.FromName = t.DSN.FromName
		}
	}
	return r
}

// returnsFull reports whether a failure returns the whole message: as the
// sender asked, else as the site has it.
func (t *Transport) returnsFull(asked envelope.Ret) bool {
	if asked == envelope.RetUnset {
		asked = t.DSN.Return
	}
	return asked == envelope.RetFull
}

// reportTo is the entry of the report.
func (a *attempt) reportTo() envelope.Recipient {
	r := envelope.Recipient{
		Number: 1, Address: a.view.Sender, Transport: a.transport.DSN.Transport,
		Job: a.view.Job, Tenant: a.view.Tenant, Notify: envelope.NotifyNever,
		// What it is about, for whoever reads the report's entry.
		Metadata: map[string]string{"dsn-transaction": a.ID.String(), "dsn-queue": strconv.Itoa(int(a.Number))},
	}
	o := a.reporting
	if o == nil {
		return r
	}
	if o.Recipient != nil {
		r.Address = *o.Recipient
	}
	if o.Transport != "" {
		r.Transport = o.Transport
	}
	if o.Job != "" {
		r.Job = o.Job
	}
	if o.Delay > 0 {
		r.NotBefore = time.Now().Add(o.Delay)
	}
	maps.Copy(r.Metadata, o.Metadata)
	return r
}

// submit stores a report and schedules it.
func (q *Queue) submit(a *attempt, id envelope.ID, m *dsn.Message) error {
	content, err := a.sign(m)
	if err != nil {
		return err
	}
	body := q.store.NewMessage()
	defer body.Discard()
	if _, err := content.WriteTo(body); err != nil {
		return err
	}
	e := envelope.Message{
		ID: id, Received: time.Now(), ServerID: a.view.ServerID, Priority: a.view.Priority,
		SMTPUTF8: m.NeedsUTF8(), Size: content.Size(), Subject: "Delivery status notification",
		Recipients: []envelope.Recipient{a.reportTo()},
	}
	if m.EightBit() {
		e.Body = envelope.Body8BitMIME
	}
	return q.Add(q.ctx, &e, body)
}
