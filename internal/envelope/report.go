package envelope

import "github.com/posthaste-mta/posthaste/internal/message/dsn"

// Wants reports whether a report of the given kind is to be sent about r. There
// is never one for the null sender, so that reports are not reported on (RFC
// 3461 §6.1). Without NOTIFY failures are reported, and delays as often as the
// transport says (RFC 3461 §4.1).
func (r *Recipient) Wants(kind dsn.Kind) bool {
	if r.Sender.IsNull() {
		return false
	}
	notify := r.Notify
	if notify == 0 {
		notify = NotifyFailure | NotifyDelay
	}
	switch kind {
	case dsn.Failed:
		return notify&NotifyFailure != 0
	case dsn.Delayed:
		return notify&NotifyDelay != 0
	case dsn.Delivered, dsn.Relayed, dsn.Expanded: // RFC 3461 §5.2
		return notify&NotifySuccess != 0
	}
	return false
}
