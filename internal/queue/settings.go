package queue

import (
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

// Settings are what a reload may change. A Settings is not changed after it was
// handed to the queue.
type Settings struct {
	Hooks       Hooks  // nil: the documented defaults
	Hostname    string // Reporting-MTA of the reports we write
	Transports  map[string]*Transport
	Concurrency int               // attempts at once; at least 1
	MaxMessages int               // kept in memory, the rest waits on disk; 0: no limit
	Groupings   *policy.Groupings // nil: none
	// HoldDown is how long a source address that could not be used, or whose
	// proxy could not be reached, is left alone the first time; zero: 10 s.
	HoldDown time.Duration
	// ByDestination returns the settings of a transport for a destination where
	// they are others than those in Transports, else nil. It runs on the
	// schedule. Nil: there are none.
	ByDestination func(transport string, t *policy.Tuple) *Transport
}

// Transport is the way that an entry takes and what follows a failure on it.
type Transport struct {
	Delivery *delivery.Transport
	Fixed    *delivery.Destination // when it needs no look-up, else nil
	Retry    Retry
	DSN      DSN
}

// Retry says how often and how long (spec config.md 3.2, retry).
type Retry struct {
	Count     int           // retries after the first attempt; 0: none
	During    time.Duration // since acceptance; 0: no such limit
	Intervals []Interval    // the last one repeats
}

// Interval is the wait before one retry.
type Interval struct {
	After  time.Duration
	Notify bool // send a "delayed" report when this wait begins
}

// DSN says how reports are made (spec config.md 3.2, dsn).
type DSN struct {
	Transport string          // "" : no reports; what fails is deleted
	From      address.Address // of the From header; zero: MAILER-DAEMON at Hostname
	FromName  string
	Return    envelope.Ret // when the sender did not say
	Signer    *dkim.Signer // nil: reports are not signed
}

// next returns the wait before the next attempt of an entry that has been
// tried and may not expire yet. ok is false when it has expired: after Count
// retries, or when the next attempt would come later than During after
// acceptance, whichever is first.
func (r *Retry) next(retries uint32, received, now time.Time) (wait Interval, ok bool) {
	if int(retries) >= r.Count || len(r.Intervals) == 0 {
		return Interval{}, false
	}
	wait = r.Intervals[min(int(retries), len(r.Intervals)-1)]
	if r.During > 0 && now.Add(wait.After).Sub(received) > r.During {
		return Interval{}, false
	}
	return wait, true
}
