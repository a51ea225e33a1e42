// Package engine declares the builtins that steer and ask the program that runs
// the scripts: its queue, its servers, its metrics. The program fills in the
// interfaces; what it leaves out scripts do not have.
package engine

import (
	"context"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Options are the parts of the program that scripts may use. All are optional,
// and all must be safe for concurrent use.
type Options struct {
	Queue   Queue
	Quotas  Quotas
	Servers Servers
	Metrics Metrics
	Sender  Sender
}

// Builtins returns the functions of the parts that are there.
func Builtins(o Options) (all []*value.Builtin) {
	if o.Queue != nil {
		all = append(all, queueBuiltins(o.Queue)...)
	}
	if o.Quotas != nil {
		all = append(all, quotaBuiltin(o.Quotas))
	}
	if o.Servers != nil {
		all = append(all, serverBuiltin(o.Servers))
	}
	if o.Metrics != nil {
		all = append(all, metricBuiltins(o.Metrics)...)
	}
	if o.Sender != nil {
		all = append(all, senderBuiltins(o.Sender)...)
	}
	return all
}

// Queue is the queue of messages. Its errors are what scripts cannot help, and
// give none.
type Queue interface {
	// Suspend holds back what matches for a time, and returns the name of the
	// suspension.
	Suspend(ctx context.Context, s Suspension) (id string, err error)
	// AddPolicy puts a policy in force for a time, and returns its name.
	AddPolicy(ctx context.Context, p Policy) (id string, err error)
	// DeletePolicy ends a policy, and reports whether there was one.
	DeletePolicy(ctx context.Context, id string) (bool, error)
}

// Quotas are what messages in the queue count against.
type Quotas interface {
	// Quota returns how many messages count against a quota, and their bytes.
	Quota(name string) (count, bytes int64)
}

// Match is a field of queued messages and the value that it must have.
type Match struct{ Field, Value string }

// Suspension is what a script wants to be held back.
type Suspension struct {
	Match      []Match
	TTL        time.Duration
	ID, Tag    string // "" unless the script gave them
	Update     bool   // an equal one gets the new time
	Properties *value.Array
}

// Policy is a limit that a script sets.
type Policy struct {
	Fields    []string // that share a count
	Condition []Match
	TTL       time.Duration
	// Nil is what the script did not say.
	Concurrency     *float64
	Rate            *Rate
	ConnectInterval *time.Duration
	ID, Tag, Type   string
	Stop, Cluster   bool
	Update          bool // an equal one gets the new limits and time
	Properties      *value.Array
}

// Rate is so many messages in a time.
type Rate struct {
	Messages float64
	Per      time.Duration
}

// Servers are the listeners of the program.
type Servers interface {
	// Concurrency returns the connections of a server, or only those from a
	// network unless that is ""; false if there is no such server or the network
	// is malformed.
	Concurrency(server, network string) (n int, ok bool)
}

// Metrics are the counters that the configuration declares for scripts. All
// methods return false when there is no metric of that name with these labels,
// or when it cannot do that.
type Metrics interface {
	Add(name string, labels []Label, delta float64) bool
	// Set sets a gauge or counter, or adds an observation to a histogram.
	Set(name string, labels []Label, v float64) bool
	Get(name string, labels []Label) (Metric, bool)
}

// Label is one label of a metric.
type Label struct{ Name, Value string }

// Metric is what a metric says.
type Metric struct {
	Value     float64
	Histogram *Histogram // instead of Value
}

// Histogram is what was observed.
type Histogram struct {
	Count   uint64
	Sum     float64
	Buckets []Bucket
}

// Bucket counts the observations that are not above a bound.
type Bucket struct {
	Bound float64
	Count uint64
}
