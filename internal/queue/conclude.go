package queue

import (
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/message/dsn"
)

// conclude draws the consequences of an outcome: asks the hook, writes reports
// to the spool, and only then lets the schedule remove or defer the entry. It
// runs on a worker. want is Bounce or Delete where that was asked for without an
// attempt, and Default to judge the outcome by the transport's settings.
func (q *Queue) conclude(a *attempt, out *delivery.Outcome, want HookAction) {
	r := Result{Action: want, Context: a.context, Applied: a.applied, Cause: out}
	var wait Interval
	if want == Default {
		r.Outcome = out
		wait = q.judge(a, out, &r)
	} else if want == Bounce && !a.reports() {
		r.Action = Delete
	}
	q.promise(a, &r, wait)
	d := q.hookResult(q.ctx, a, &r)
	if d.Report != nil {
		a.reporting = d.Report
	}
	action := r.Action
	if d.Action != Default && out.Status != delivery.Delivered {
		action = d.Action
	}
	switch action {
	case Requeue:
		q.keep(a, out, &d, wait)
	case Bounce:
		q.finish(a, out, dsn.Failed)
	case Delete:
		q.drop(a, out)
	default:
		q.delivered(a, out)
	}
}

// promise tells the hook what report is to come, if there is a hook.
func (q *Queue) promise(a *attempt, r *Result, wait Interval) {
	if a.settings.Hooks == nil {
		return
	}
	switch kind := a.arrival(); {
	case r.Action == Default && (r.Cause.Relayed || a.success != 0) && a.wants(kind):
		r.Report = kind
	case r.Action == Requeue && wait.Notify && !a.view.Notified && a.wants(dsn.Delayed):
		r.Report = dsn.Delayed
	case (r.Action == Bounce || r.Action == Delete) && a.wants(dsn.Failed):
		r.Report = dsn.Failed
	}
	if r.Report != 0 {
		a.reportID = q.newID()
		r.ReportID = a.reportID
	}
}

// judge says what the outcome means by the transport's settings.
func (q *Queue) judge(a *attempt, out *delivery.Outcome, r *Result) (wait Interval) {
	if out.Status == delivery.Delivered {
		r.Action = Default
		return wait
	}
	if a.transport == nil {
		// Our own fault, not the message's: it does not age by it.
		r.Action = Requeue
		return Interval{After: unconfiguredWait}
	}
	if out.Status == delivery.Deferred {
		var ok bool
		if wait, ok = a.transport.Retry.next(a.view.Retry, a.view.Received, time.Now()); ok {
			r.Action = Requeue
			return wait
		}
		r.Expired = true
	}
	r.Action = Delete
	if a.reports() {
		r.Action = Bounce
	}
	return wait
}

// reports reports whether there is a transport for reports about a.
func (a *attempt) reports() bool {
	return a.transport != nil && (a.transport.DSN.Transport != "" || a.reporting != nil && a.reporting.Transport != "")
}

// wants reports whether the sender is to get a report of that kind.
func (a *attempt) wants(kind dsn.Kind) bool {
	asked := envelope.Recipient{Sender: a.view.Sender, Notify: a.view.Notify}
	return a.reports() && asked.Wants(kind)
}

// keep leaves the entry in the queue for another attempt.
func (q *Queue) keep(a *attempt, out *delivery.Outcome, d *Decision, wait Interval) {
	v := a.requeue(d, wait.After)
	if wait.After == 0 && !d.DelaySet {
		v = a.requeue(d, a.settings.wait(a)) // the hook keeps what had expired
	}
	if a.transport == nil && d.Action == Default {
		v.retry = a.view.Retry
	}
	if d.Reason == "" {
		v.reason = reasonOf(out)
	}
	if (wait.Notify || d.NotifyDelay) && !v.notified {
		v.notified = q.report(a, out, dsn.Delayed) == nil
	}
	q.metrics.Delayed.Inc()
	q.attempted(a, out, "deferred", time.UnixMilli(v.due))
	q.post(a, v)
}

// delivered ends an entry that has arrived.
func (q *Queue) delivered(a *attempt, out *delivery.Outcome) {
	if out.Relayed || a.success != 0 {
		if err := q.report(a, out, a.arrival()); err != nil {
			// The message has arrived. Not sending the report is the lesser evil
			// against sending the message again.
			q.failed(err)
		}
	}
	q.metrics.Delivered.Inc()
	q.attempted(a, out, "delivered", time.Time{})
	q.post(a, verdict{remove: true})
}

// arrival is what a peer's 250 means when the peer will report nothing itself:
// that of LMTP is said when the message lies in the mailbox (RFC 2033 §4.2).
func (a *attempt) arrival() dsn.Kind {
	if a.success != 0 {
		return a.success
	}
	if a.transport != nil && a.transport.Delivery.Protocol == delivery.LMTP {
		return dsn.Delivered
	}
	return dsn.Relayed // RFC 3461 §5.2.2
}

// finish reports a failure to the sender and ends the entry. While the report
// cannot be stored the entry stays.
func (q *Queue) finish(a *attempt, out *delivery.Outcome, kind dsn.Kind) {
	if err := q.report(a, out, kind); err != nil {
		q.failed(err)
		q.post(a, a.again(time.Minute, "report could not be stored: "+reasonOf(out)))
		return
	}
	q.metrics.Failed.Inc()
	q.attempted(a, out, "bounced", time.Time{})
	q.post(a, verdict{remove: true})
}

// drop ends an entry without a report.
func (q *Queue) drop(a *attempt, out *delivery.Outcome) {
	q.metrics.Failed.Inc()
	q.attempted(a, out, "deleted", time.Time{})
	q.post(a, verdict{remove: true})
}

// maxReason bounds what is kept of a reply in memory and in the spool.
const maxReason = 240

// reasonOf is the reply or cause in one line.
func reasonOf(out *delivery.Outcome) string {
	s := strings.Join(strings.Fields(out.Reply.String()), " ")
	if s == "" && out.Err != nil {
		s = out.Err.Error()
	}
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "") + "…"
	}
	return s
}
