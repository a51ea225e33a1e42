package e2e

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// farEnd is a sink that remembers what it took.
type farEnd struct {
	*sink.Sink

	mu       sync.Mutex
	messages []*arrived
}

// arrived is one message as the far end got it.
type arrived struct {
	sink.Message
	text string
}

// to is the first recipient.
func (a *arrived) to() string { return a.Recipients[0].Address.String() }

// newFarEnd starts a sink on loopback that ends with the test. The options may
// set everything but what newFarEnd needs itself.
func newFarEnd(t testing.TB, o sink.Options) *farEnd {
	t.Helper()
	f := &farEnd{}
	if len(o.Listen) == 0 && len(o.ListenTLS) == 0 {
		o.Listen = []string{"127.0.0.1:0"}
	}
	if o.Hostname == "" {
		o.Hostname = "far.test"
	}
	o.Capture = max(o.Capture, 1<<20)
	o.OnMessage = f.note
	var err error
	f.Sink, err = sink.New(o)
	must(t, err)
	must(t, f.Start(context.Background()))
	t.Cleanup(f.Stop)
	return f
}

func (f *farEnd) note(m *sink.Message) {
	kept := &arrived{*m, string(m.Body)}
	kept.Body = nil // belongs to the sink
	f.mu.Lock()
	defer f.mu.Unlock()
	f.messages = append(f.messages, kept)
}

func (f *farEnd) all() []*arrived {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*arrived(nil), f.messages...)
}

// wait waits until n messages have arrived and returns them.
func (f *farEnd) wait(t testing.TB, n int) []*arrived {
	t.Helper()
	eventually(t, fmt.Sprintf("%d messages at the far end", n), func() bool { return len(f.all()) >= n })
	return f.all()
}

// rule makes a rule for a sink.
func rule(t testing.TB, text string) sink.Rule {
	t.Helper()
	r, err := sink.ParseRule(text)
	must(t, err)
	return r
}

// refusing is an address on which nobody listens.
func refusing(t testing.TB) net.Addr {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", freeAddress(t))
	must(t, err)
	return a
}
