package queue

import (
	"context"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/message/dsn"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

// Hooks are called around each attempt (spec hsl-phases.md 11 and 12). They run
// on workers and may block.
type Hooks interface {
	// PreDelivery runs when an entry is due, before its destination is looked
	// up. Its Action is Try, Queue, Bounce or Delete.
	PreDelivery(context.Context, *View) Decision
	// PostDelivery runs after an attempt, and when an entry is removed without
	// one. Its Action is Default, Queue, Bounce or Delete; after a delivery it
	// is taken for Default.
	PostDelivery(context.Context, *View, *Result) Decision
}

// Result is what a PostDelivery hook is told.
type Result struct {
	Outcome *delivery.Outcome // nil: no attempt was made
	// Cause is what happened: Outcome, or where no attempt was made what reports
	// say in its place.
	Cause   *delivery.Outcome
	Expired bool
	Action  HookAction      // what Default will do: Default itself after a delivery
	Context any             // what PreDelivery left; nil: it did not run
	Applied *policy.Applied // what bound the attempt; nil: nothing, or there was none

	// Report is the kind of report that Action sends, or that Bounce would send in
	// its place; zero: none. ReportID is the id that it will have.
	Report   dsn.Kind
	ReportID envelope.ID
}

// HookAction is what a hook decides.
type HookAction uint8

const (
	Default HookAction = iota // Try before, carry out Result.Action after an attempt
	Requeue                   // wait for another attempt
	Bounce                    // remove and report to the sender
	Delete                    // remove in silence
)

// Decision is the answer of a hook. The zero Decision goes on as documented.
type Decision struct {
	Action      HookAction
	Try         *Try // with Default before an attempt; nil: as configured
	Hold        bool
	Delay       time.Duration // with Requeue, at least minDelay; see DelaySet
	DelaySet    bool          // false: Delay is that of the transport's schedule
	Reason      string
	KeepRetry   bool // do not count this attempt
	ResetRetry  bool
	NotifyDelay bool   // send a "delayed" report
	Transport   string // replaces the transport of the entry
	SetMetadata bool
	Metadata    map[string]string
	Report      *ReportOptions // of the report that follows, if any
	Context     any            // handed to PostDelivery of the same attempt
}

// Try says how the attempt to come differs from what is configured (spec
// hsl-phases.md 11.1).
type Try struct {
	Transport *delivery.Transport // settings in place of the transport's; nil: those
	Sender    *address.Address    // nil: the entry's
	Recipient *address.Address    // nil: the entry's
	Job       *string             // the entry's job from now on; nil: as it is
	// Params lays the parameters that came with Sender and Recipient over those
	// of the entry; nil: there are none.
	Params func(*delivery.Attempt)
	// Success is the kind of the report, dsn.Delivered or dsn.Relayed, that we
	// send on success to a sender who asked for one, whatever the host could do;
	// zero: as RFC 3461 has it.
	Success dsn.Kind
	Report  *ReportOptions // of a report that follows; nil: as configured
}

// ReportOptions are what a hook may say of a report (spec hsl-phases.md 13).
// Zero fields leave what is configured.
type ReportOptions struct {
	Transport string
	Recipient *address.Address // nil: the sender
	Metadata  map[string]string
	Job       string
	Delay     time.Duration
	Signer    *dkim.Signer // nil: as configured
	Text      dsn.Options  // From and FromName of the transport hold where they are zero
}
