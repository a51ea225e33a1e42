package queue

import (
	"context"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
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
	Action  HookAction // what Default will do: Default itself after a delivery
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
	Hold        bool
	Delay       time.Duration // with Queue; zero: by the transport's schedule
	Reason      string
	KeepRetry   bool // do not count this attempt
	ResetRetry  bool
	NotifyDelay bool   // send a "delayed" report
	Transport   string // replaces the transport of the entry
	Overrides   *delivery.Overrides
	SetMetadata bool
	Metadata    map[string]string
}
