// Package control lets operators and their programs look into a running MTA and
// change it, over a Unix socket or TCP.
//
// The API is written down in the .proto files of package controlpb: services
// for the queue, the configuration, the resolver and the process. They are
// spoken as Connect, gRPC or gRPC-Web over HTTP/1.1 and clear-text HTTP/2, so
// that curl will do as a client. `posthaste ctl`, in package ctl beneath, is
// the one that we ship. Halon's framed protocol is answered on the same socket:
// its first byte is no letter, which HTTP always begins with.
//
// Whoever reaches the socket controls the MTA. A Unix socket is guarded by its
// owner, group and mode, and is never open wider than that, not even for a
// moment; a TCP socket by client certificates. Each call is reported with who
// made it.
//
// Nothing that is asked for here may hold up mail or fill memory. Lists are
// streamed from a walk over the queue which goes as fast as the client reads;
// what has to be held, to sort or to count groups, is bounded, and beyond the
// bound there is an error that says so. A client that goes away ends its call.
//
// The package declares what it needs of the other parts; the daemon joins them.
// A part that is nil has no service.
package control

import (
	"context"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/metric"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/queue/archive"
)

// Parts are what is controlled. All of them are called from many goroutines.
type Parts struct {
	Queue    Queue
	Policies Policies
	Files    Files // with Policies
	Config   Config
	Resolver Resolver
	Process  Process
	Log      Log
	Scripts  Scripts
	Plugins  Plugins
	Proxies  Proxies

	Certificates Certificates
	Livestage    Livestage
}

// Plugins are parts with commands of their own.
type Plugins interface {
	// IDs returns those of all plug-ins.
	IDs() []string
	// Command has a plug-in obey the words that an operator gives, and returns
	// what to print.
	Command(ctx context.Context, id string, args []string) (string, error)
}

// Queue is what operators do with the queue. *queue.Queue does it.
type Queue interface {
	Walk(ctx context.Context, f *queue.Filter, yield func(*queue.View) bool) error
	Count(ctx context.Context, f *queue.Filter) (int, error)
	Sizes(ctx context.Context) (byState queue.Sizes, onDisk int, err error)
	Load(*queue.View) error
	Content(*queue.View) (delivery.Content, error)
	Update(ctx context.Context, f *queue.Filter, a queue.Action, progress func(int)) (int, error)
	Quota(name string) queue.Quota
	Quotas() []queue.Quota
	Export(ctx context.Context, f *queue.Filter, w *archive.Writer) (queue.Exported, error)
	Import(ctx context.Context, r *archive.Reader) (queue.Imported, error)
	Explain(ctx context.Context, id envelope.ID, number uint32) ([]queue.Explanation, error)
	ExplainGroup(ctx context.Context, name string) ([]queue.Explanation, error)
}

// Config is the running configuration.
type Config interface {
	// Reload reads it again and puts it in force, or leaves the old one and
	// says why.
	Reload(context.Context) (warnings []string, err error)
	Version() Version
}

// Version says what is running.
type Version struct {
	Program    string    // of the program
	Path       string    // file of the running configuration
	Schema     string    // the version that it names
	Digest     string    // of its content
	Loaded     time.Time // when it came into force
	Generation int       // of how many since the start it is the last
}

// Resolver is the DNS side of delivery.
type Resolver interface {
	// Query resolves a domain as delivery would for that message and retry.
	// The Outcome, when not nil, says why there is nowhere to go.
	Query(ctx context.Context, domain string, seed envelope.ID, retry uint32) (*delivery.Destination, *delivery.Outcome)
	// Clear forgets the answers for a name, or all when it is empty, and
	// returns how many there were.
	Clear(name string) int
	// Answers calls yield for each cached answer until it returns false.
	Answers(yield func(Answer) bool)
}

// Answer is a cached answer of the DNS.
type Answer struct {
	Name    string
	Type    string // "MX"
	TTL     time.Duration
	Records []string
	Error   string // of a negative answer: "nxdomain"
	Secure  bool   // validated by DNSSEC
}

// Process is what the process counts about itself.
type Process interface {
	Stats() []Stat
}

// Stat is one counter or gauge.
type Stat struct {
	Name string // dotted and unique, such as "servers.inbound.connections.concurrent"
	metric.Sample
}

// Log is the log of the process.
type Log interface {
	Level() string
	// SetLevel lasts until the next start. The error names the levels.
	SetLevel(level string) error
}
