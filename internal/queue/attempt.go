package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/message/dsn"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// attempt is what a worker gets: copies, so that it shares nothing with the
// schedule.
type attempt struct {
	delivery.Attempt
	entry     *entry // to name it when posting back; not to be read by the worker
	transport *Transport
	settings  *Settings
	view      View
	from      ending
	rare      bool // there is more in the spool
	// metadataSet: the hook before the attempt has set those of the view, and the
	// schedule may not know yet.
	metadataSet bool
	applied     *policy.Applied
	context     any // of the hooks
	reporting   *ReportOptions
	reportID    envelope.ID             // promised to the hook; zero: none was
	success     dsn.Kind                // see Try
	params      func(*delivery.Attempt) // see Try
}

// attempt builds the attempt for e. Its transport is nil when the settings have
// none of that name.
func (s *schedule) attempt(e *entry) *attempt {
	m := e.msg
	a := &attempt{entry: e, settings: s.settings, rare: m.flags&hasRare != 0}
	e.view(&a.view)
	a.transport = s.settings.Transports[a.view.Transport]
	a.Attempt = delivery.Attempt{
		ID: m.id, Number: e.number, Retry: e.retry,
		Sender: a.view.Sender, Recipient: a.view.Recipient,
		SMTPUTF8: m.flags&hasUTF8 != 0, RequireTLS: m.flags&hasRequireTLS != 0,
		Notify: e.notify, Size: m.size,
	}
	switch {
	case m.flags&hasBinary != 0:
		a.Body = envelope.BodyBinaryMIME
	case m.flags&has8Bit != 0:
		a.Body = envelope.Body8BitMIME
	}
	if a.transport != nil {
		a.Transport = a.transport.Delivery
		a.view.Way = a.Transport
	}
	if e.rare != nil {
		a.context = e.rare.context
		if e.rare.try != nil {
			a.apply(e.rare.try)
		}
	}
	h, store := m.handle, s.q.store
	a.Content = func() (delivery.Content, error) { return store.Body(h) }
	return a
}

// apply changes the attempt as a hook wants it.
func (a *attempt) apply(t *Try) {
	a.Override = t.Transport
	if t.Sender != nil {
		a.Sender = *t.Sender
	}
	if t.Recipient != nil {
		a.Recipient = *t.Recipient
	}
	a.params, a.success = t.Params, t.Success
	if t.Report != nil {
		a.reporting = t.Report
	}
}

// address completes what the host is told of sender and recipient. What we
// report ourselves the host is not asked to.
func (a *attempt) address() {
	if a.params != nil {
		a.params(&a.Attempt)
	}
	if a.success != 0 && a.Notify&envelope.NotifySuccess != 0 {
		if a.Notify &^= envelope.NotifySuccess; a.Notify == 0 {
			a.Notify = envelope.NotifyNever
		}
	}
}

// settle gives a the settings that hold for its destination. What a hook wants
// goes before them.
func (a *attempt) settle(t policy.Tuple) {
	if a.settings.ByDestination == nil {
		return
	}
	own := a.settings.ByDestination(a.view.Transport, &t)
	if own == nil {
		return
	}
	if a.Override != nil {
		a.Override = a.Override.Rebase(a.Transport, own.Delivery)
	}
	a.transport, a.Transport = own, own.Delivery
}

// complete reads what is not kept in memory, once.
func (q *Queue) complete(a *attempt) error {
	if !a.rare {
		return nil
	}
	a.rare = false
	if err := q.Load(&a.view); err != nil {
		return err
	}
	a.EnvID, a.Ret = a.view.EnvID(), a.view.Ret()
	if r := a.view.stored(); r != nil {
		a.ORcpt = r.ORcpt
		if len(r.Patch) > 0 {
			return a.edit(r.Patch)
		}
	}
	return nil
}

// prepare asks the hook and the resolver. It runs on a worker.
func (q *Queue) prepare(a *attempt) {
	a.from = fromPreparing
	var d Decision
	if a.settings.Hooks != nil {
		d = a.settings.Hooks.PreDelivery(q.ctx, &a.view)
		a.context, a.reporting = d.Context, d.Report
		if d.SetMetadata {
			a.view.metadata, a.view.metadataSet, a.metadataSet = d.Metadata, true, true
		}
		if d.Action != Default {
			q.decided(a, &d)
			return
		}
		if d.Try != nil {
			a.apply(d.Try)
		}
	}
	destination, out := q.courier.Resolve(q.ctx, &a.Attempt)
	if out != nil {
		q.settleOutcome(a, out)
		return
	}
	q.inbox.post(func(s *schedule) { s.prepared(a.entry, &d, destination) })
}

// decided carries out what a pre-delivery hook said instead of Try.
func (q *Queue) decided(a *attempt, d *Decision) {
	switch d.Action {
	case Requeue:
		v := a.requeue(d, a.settings.wait(a))
		q.post(a, v)
	case Bounce, Delete:
		q.conclude(a, removal(d.Reason), d.Action)
	}
}

// carry makes the attempt. It runs on a worker.
func (q *Queue) carry(a *attempt, d *delivery.Destination) {
	a.from = fromSending
	if err := q.complete(a); err != nil {
		q.conclude(a, unreadable(err), Default)
		return
	}
	a.address()
	here, rest := a.reach(d)
	out := q.courier.Deliver(q.ctx, &a.Attempt, here)
	switch {
	case q.ctx.Err() != nil || out.Status != delivery.Deferred || out.Stage >= delivery.StageMail:
	case q.without(a, d, out.Err):
		return
	case rest != nil:
		q.inbox.post(func(s *schedule) { s.goOn(a.entry, rest) })
		return
	}
	q.settleOutcome(a, &out)
}

// reach splits the hosts of d into those that the source address of a can reach
// and the others, nil when there are none.
func (a *attempt) reach(d *delivery.Destination) (here, rest *delivery.Destination) {
	if a.Source == nil {
		return d, nil
	}
	family := dns.FamilyOf(a.Source.Addr)
	other := func(h delivery.Host) bool { return dns.FamilyOf(h.Addr.Addr()) != family }
	if !slices.ContainsFunc(d.Hosts, other) {
		return d, nil
	}
	here, rest = &delivery.Destination{Local: d.Local}, &delivery.Destination{Local: d.Local}
	for _, h := range d.Hosts {
		if other(h) {
			rest.Hosts = append(rest.Hosts, h)
		} else {
			here.Hosts = append(here.Hosts, h)
		}
	}
	if len(here.Hosts) == 0 {
		return d, nil
	}
	return here, rest
}

// goOn makes an entry ACTIVE again after an attempt that does not count: for the
// hosts that are left, when those that its source address reaches did not take
// it, or for another address. They have limits of their own.
func (s *schedule) goOn(e *entry, rest *delivery.Destination) {
	s.sent(e)
	s.setState(e, StateUnknown)
	if s.obey(e) {
		return
	}
	e.more().to = rest
	s.activate(e, rest)
}

// settleOutcome concludes, unless it was the end of the process that cut the
// attempt short: then it does not count.
func (q *Queue) settleOutcome(a *attempt, out *delivery.Outcome) {
	if q.ctx.Err() != nil && out.Status == delivery.Deferred {
		q.post(a, a.again(0, "interrupted by shutdown"))
		return
	}
	q.conclude(a, out, Default)
}

// post tells the schedule what was decided.
func (q *Queue) post(a *attempt, v verdict) {
	v.from = a.from
	q.inbox.post(func(s *schedule) { s.settle(a.entry, &v) })
}

// verdict is what becomes of an entry.
type verdict struct {
	from        ending
	remove      bool
	hold        bool
	notified    bool
	retry       uint32
	due         int64
	reason      string
	transport   string
	metadataSet bool
	metadata    map[string]string
}

// again defers without counting the attempt.
func (a *attempt) again(wait time.Duration, reason string) verdict {
	return verdict{
		retry: a.view.Retry, due: time.Now().Add(wait).UnixMilli(), reason: reason,
		notified: a.view.Notified,
	}
}

// requeue defers as a hook wants it; wait is the schedule's own interval.
func (a *attempt) requeue(d *Decision, wait time.Duration) verdict {
	if d.DelaySet {
		wait = max(d.Delay, minDelay)
	}
	reason := d.Reason
	if reason == "" {
		reason = a.view.Reason
	}
	v := a.again(wait, reason)
	if !d.KeepRetry {
		v.retry++
	}
	if d.ResetRetry {
		v.retry = 0
	}
	v.hold, v.transport = d.Hold, d.Transport
	v.metadataSet, v.metadata = d.SetMetadata || a.metadataSet, d.Metadata
	if !d.SetMetadata {
		v.metadata = a.view.metadata
	}
	return v
}

// wait is the interval that the transport of a would wait now. Beyond the last
// retry it is the last interval.
func (s *Settings) wait(a *attempt) time.Duration {
	if a.transport == nil || len(a.transport.Retry.Intervals) == 0 {
		return unconfiguredWait
	}
	i := a.transport.Retry.Intervals
	return i[min(int(a.view.Retry), len(i)-1)].After
}

// minDelay is how long a hook can have an entry wait at least: one that comes at
// once comes for ever.
const minDelay = time.Second

// unconfiguredWait is the wait where no interval is configured: for a hook that
// asks for a retry, and for an entry whose transport does not exist.
const unconfiguredWait = 5 * time.Minute

// noTransport is the outcome for an entry whose transport is not configured: it
// waits for a configuration that has it.
func noTransport(a *attempt) *delivery.Outcome {
	text := fmt.Sprintf("transport %q is not configured", a.view.Transport)
	return &delivery.Outcome{
		Status: delivery.Deferred, Kind: delivery.KindConfig, Err: errors.New("queue: " + text),
		Reply: smtp.Reply{Code: 451, Enhanced: smtp.EnhancedCode{4, 3, 5}, Lines: []string{text}},
	}
}

// unreadable is the outcome for an entry whose message cannot be read.
func unreadable(err error) *delivery.Outcome {
	return &delivery.Outcome{
		Status: delivery.Deferred, Kind: delivery.KindConfig, Err: err,
		Reply: smtp.Reply{Code: 451, Enhanced: smtp.EnhancedCode{4, 3, 0}, Lines: []string{"message cannot be read"}},
	}
}

// removal stands for an entry that is taken out without an attempt.
func removal(reason string) *delivery.Outcome {
	if reason == "" {
		reason = "removed from the queue"
	}
	return &delivery.Outcome{
		Status: delivery.Failed,
		Reply:  smtp.Reply{Code: 554, Enhanced: smtp.EnhancedCode{5, 0, 0}, Lines: []string{reason}},
	}
}

// hookResult asks the post-delivery hook, if there is one.
func (q *Queue) hookResult(ctx context.Context, a *attempt, r *Result) Decision {
	if a.settings.Hooks == nil {
		return Decision{}
	}
	v := a.view
	// What the hook before the attempt has changed holds for the one behind it.
	// Reports and the log are about the entry.
	v.Sender, v.Recipient = a.Sender, a.Recipient
	return a.settings.Hooks.PostDelivery(ctx, &v, r)
}
