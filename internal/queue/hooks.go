package queue

import (
	"context"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
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
	Expired bool
	Action  HookAction      // what Default will do: Default itself after a delivery
	Context any             // what PreDelivery left; nil: it did not run
	Applied *policy.Applied // what bound the attempt; nil: nothing, or there was none
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
	Delay       time.Duration // with Requeue; zero: by the transport's schedule
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
}

// ReportOptions are what a hook may say of a report (spec hsl-phases.md 13).
// Zero fields leave what is configured.
type ReportOptions struct {
	Transport string
	Recipient *address.Address // nil: the sender
	Metadata  map[string]string
	Job       string
	Delay     time.Duration
	Text      dsn.Options // From and FromName of the transport hold where they are zero
}
