package script_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/spool"
	"github.com/posthaste-mta/posthaste/internal/telemetry"
	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// post is a queue with scripts around its attempts, between a spool in memory and
// a peer on a socket. It keeps what the log said and what scripts echoed.
type post struct {
	t        *testing.T
	queue    *queue.Queue
	named    named
	settings *queue.Settings
	done     chan string // receives each conclusion, such as "delivered b@example.net"

	mu     sync.Mutex
	lines  []string
	echoed []string
	failed []string
}

// named are the transports of a post, and what known has.
type named struct {
	known
	transports map[string]*queue.Transport
}

func (n named) Transport(id string) (*delivery.Transport, bool) {
	if t := n.transports[id]; t != nil {
		return t.Delivery, true
	}
	return nil, false
}

// Keeps and Line make a post the log of its queue.
func (*post) Keeps(slog.Level) bool { return true }

func (p *post) Line(_ slog.Level, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, text)
}

func (p *post) said() (log, echo string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n"), strings.Join(p.echoed, "\n")
}

func (p *post) failures() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// newPost starts a queue whose transports all lead to the peer: "out", which
// retries in an hour and reports by "reports"; "silent", which does neither; and
// "other". PORT in the scripts is that of the peer.
func newPost(t *testing.T, peer *far, pre, postdelivery string, change ...func(*delivery.Transport)) *post {
	t.Helper()
	p := &post{t: t, done: make(chan string, 100)}
	p.transports(peer, change)
	var q *queue.Queue
	port := strconv.Itoa(int(peer.addr.Port()))
	engine, err := script.New(script.Options{
		Library: stdlib.New(stdlib.Options{}),
		Source: script.Source{
			PreDelivery: strings.ReplaceAll(pre, "PORT", port), PostDelivery: strings.ReplaceAll(postdelivery, "PORT", port),
		},
		Events: script.Events{
			Failed: func(_, _, _, detail string) { p.mu.Lock(); p.failed = append(p.failed, detail); p.mu.Unlock() },
			Echoed: func(_, _, _, text string) { p.mu.Lock(); p.echoed = append(p.echoed, text); p.mu.Unlock() },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	hooks := engine.Queue(p.named, func(v *queue.View) error { return q.Load(v) })
	store, err := spool.Open(spool.Options{Path: "/spool", FS: vfs.NewMem(), SegmentSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	events := telemetry.QueueEvents(p)
	line := events.Attempted
	events.Attempted = func(v *queue.View, out *delivery.Outcome, c queue.Conclusion) {
		line(v, out, c)
		p.done <- c.Action + " " + v.Recipient.String()
	}
	courier := delivery.New(resolver(t), delivery.Options{Hostname: "mta.example", PoolSize: 10}, telemetry.DeliveryEvents(p))
	settings := &queue.Settings{Hostname: "mta.example", Concurrency: 5, Transports: p.named.transports}
	if hooks != nil {
		settings.Hooks = hooks
	}
	q = queue.New(queue.Options{Store: store, Courier: courier, NewID: envelope.NewID, Events: events}, settings)
	p.queue, p.settings = q, settings
	courier.Start(t.Context())
	q.Start(t.Context())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := q.Stop(ctx); err != nil {
			t.Error(err)
		}
		courier.Stop()
		store.Close()
	})
	return p
}

func (p *post) transports(peer *far, change []func(*delivery.Transport)) {
	to := func(id string) *delivery.Transport {
		w := &delivery.Transport{
			ID: id, Servers: []string{peer.addr.Addr().String()}, Port: peer.addr.Port(), TLS: delivery.TLS{Mode: delivery.TLSDisabled},
		}
		for _, c := range change {
			c(w)
		}
		return w
	}
	report := queue.DSN{Transport: "reports"}
	retry := queue.Retry{Count: 1, Intervals: []queue.Interval{{After: time.Hour}}}
	p.named.transports = map[string]*queue.Transport{
		"out": {Delivery: to("out"), Retry: retry, DSN: report}, "other": {Delivery: to("other"), Retry: retry, DSN: report},
		"reports": {Delivery: to("reports")}, "silent": {Delivery: to("silent")},
	}
	for _, w := range p.named.transports {
		w.Fixed = w.Delivery.Fixed()
	}
}

func resolver(t *testing.T) *dns.Resolver {
	t.Helper()
	srv := dnstest.New(t, "mail.example. 300 IN MX 10 mx.mail.example.\nmail.example. 300 IN MX 20 mx2.mail.example.\nmx.mail.example. 300 IN A 127.0.0.1\nmx2.mail.example. 300 IN A 127.0.0.1\n")
	r, err := dns.New(dns.Options{Servers: []netip.AddrPort{srv.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

// submit queues a message from a@example.org.
func (p *post) submit(to string, change ...func(*envelope.Message)) envelope.ID {
	p.t.Helper()
	recipient, err := address.Parse(to)
	if err != nil {
		p.t.Fatal(err)
	}
	body := p.queue.Body()
	defer body.Discard()
	fmt.Fprint(body, "Subject: hi\r\nMessage-ID: <1@example.org>\r\n\r\nhello\r\n")
	m := &envelope.Message{
		ID: envelope.NewID(), Received: time.Now(), ServerID: "inbound", Size: body.Size(),
		Recipients: []envelope.Recipient{{
			Number: 1, Sender: address.Address{Local: "a", Domain: "example.org"}, Address: recipient, Transport: "out", Job: "job-1",
		}},
	}
	for _, c := range change {
		c(m)
	}
	if err := p.queue.Add(p.t.Context(), m, body); err != nil {
		p.t.Fatal(err)
	}
	return m.ID
}

// wait waits for conclusions, in any order, and returns the first that has the
// prefix.
func (p *post) wait(prefix string) string {
	p.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case c := <-p.done:
			if strings.HasPrefix(c, prefix) {
				return c
			}
		case <-limit:
			log, echo := p.said()
			p.t.Fatalf("nothing was %q; the log: %s; echoed: %s; failed: %q", prefix, log, echo, p.failures())
		}
	}
}

// entry is the one in the queue, once it satisfies the condition.
func (p *post) entry(what string, condition func(*queue.View) bool) (found queue.View) {
	p.t.Helper()
	limit := time.After(30 * time.Second)
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	all, err := queue.NewFilter(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for ok := false; !ok; {
		if err := p.queue.Walk(p.t.Context(), all, func(v *queue.View) bool {
			found, ok = *v, condition(v)
			return !ok
		}); err != nil {
			p.t.Fatal(err)
		}
		select {
		case <-limit:
			p.t.Fatalf("no entry is %s; the last seen: %+v", what, found)
		case <-poll.C:
		}
	}
	return found
}
