// Package controltest has parts of an MTA for tests of the control socket: a
// queue of made-up entries, and a configuration, resolver, process and log that
// answer always the same.
package controltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/queue/archive"
)

// Queue has entries that are made up when somebody looks. It is safe for
// concurrent use once its exported fields are set.
type Queue struct {
	Len int
	At  func(i int) queue.View
	// Body is the content of every message.
	Body string
	// Step, if set, is called before each entry of a walk.
	Step func(i int)

	Walked atomic.Int64 // entries that walks have come by

	mu       sync.Mutex
	actions  []queue.Action
	imported []*archive.Message
}

// Entry makes the entry of index i: one of the message i/3, its number 1 to 3.
// All of them differ in something that conditions ask for.
func Entry(i int) queue.View {
	id := envelope.ID{6: 0x40, 8: 0x80, 12: byte(i / 3 >> 24), 13: byte(i / 3 >> 16), 14: byte(i / 3 >> 8), 15: byte(i / 3)}
	states := []queue.State{queue.StateDefer, queue.StateActive, queue.StateSending, queue.StateHold}
	v := queue.View{
		ID: id, Number: uint32(i%3 + 1), State: states[i%4],
		Received: Epoch.Add(-time.Duration(i) * time.Minute), ServerID: "inbound",
		ClientIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), Helo: "client.test", Username: "joe",
		Sender:    address.Address{Local: "News", Domain: "sender.test"},
		Recipient: address.Address{Local: fmt.Sprintf("user%d", i), Domain: fmt.Sprintf("d%d.test", i%7)},
		Transport: []string{"mx", "backup"}[i%2], Job: fmt.Sprintf("job%d", i%5), Tenant: "t",
		Priority: uint8(i % 2), Size: int64(1000 * (i + 1)), Retry: uint32(i % 6),
		Quotas: []string{"q"},
	}
	switch v.State {
	case queue.StateDefer:
		v.Due, v.Reason = Epoch.Add(time.Hour), "451 4.7.1 greylisted"
	case queue.StateActive, queue.StateSending:
		v.RemoteMX, v.RemoteIP, v.Grouping = "mx.d.test", netip.MustParseAddr("198.51.100.1"), "&google"
	}
	return v
}

// Epoch is the moment that entries are made for.
var Epoch = time.UnixMilli(1_760_000_000_000)

// Walk implements control.Queue.
func (q *Queue) Walk(ctx context.Context, f *queue.Filter, yield func(*queue.View) bool) error {
	now := time.Now()
	for i := range q.Len {
		if q.Step != nil {
			q.Step(i)
		}
		q.Walked.Add(1)
		if err := ctx.Err(); err != nil {
			return err
		}
		v := q.At(i)
		if f.NeedsLoad() {
			if err := q.Load(&v); err != nil {
				return err
			}
		}
		if f.Match(&v, now) && !yield(&v) {
			return nil
		}
	}
	return nil
}

// Count implements control.Queue.
func (q *Queue) Count(ctx context.Context, f *queue.Filter) (n int, err error) {
	err = q.Walk(ctx, f, func(*queue.View) bool { n++; return true })
	return n, err
}

// Sizes implements control.Queue.
func (q *Queue) Sizes(context.Context) (queue.Sizes, int, error) { return queue.Sizes{}, 2, nil }

// Load implements control.Queue.
func (q *Queue) Load(v *queue.View) error {
	v.Envelope = &envelope.Message{
		ID: v.ID, Received: v.Received, ServerID: v.ServerID, Subject: fmt.Sprintf("Offer %d", v.Number),
		Client: envelope.Client{IP: v.ClientIP, Port: 4321, PTR: "client.test", Helo: v.Helo, TLS: "TLSv1.3", Cipher: "TLS_AES_128_GCM_SHA256", Username: v.Username},
		Body:   envelope.Body8BitMIME, Ret: envelope.RetHeaders, EnvID: "env-1", Size: int64(len(q.Body)),
		Recipients: []envelope.Recipient{{
			Number: v.Number, Sender: v.Sender, Address: v.Recipient, Transport: v.Transport,
			Metadata: map[string]string{"campaign": fmt.Sprint(v.Number)}, Notify: envelope.NotifyFailure | envelope.NotifyDelay,
		}},
	}
	return nil
}

// Content implements control.Queue.
func (q *Queue) Content(v *queue.View) (delivery.Content, error) {
	return content{bytes.NewReader([]byte(q.Body))}, q.Load(v)
}

type content struct{ *bytes.Reader }

// Close implements delivery.Content.
func (content) Close() error { return nil }

// Update implements control.Queue. It changes nothing and keeps the action.
func (q *Queue) Update(ctx context.Context, f *queue.Filter, a queue.Action, progress func(int)) (n int, err error) {
	if a.Transport == "unknown" {
		return 0, errors.New(`queue: transport "unknown" is not configured`)
	}
	q.mu.Lock()
	q.actions = append(q.actions, a)
	q.mu.Unlock()
	err = q.Walk(ctx, f, func(*queue.View) bool {
		if n++; n%128 == 0 && progress != nil {
			progress(n)
		}
		return true
	})
	return n, err
}

// Actions returns what Update was called with.
func (q *Queue) Actions() []queue.Action {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.actions
}

// Quota implements control.Queue.
func (q *Queue) Quota(name string) queue.Quota {
	return queue.Quota{Name: name, Count: 3, Bytes: 4096}
}

// Quotas implements control.Queue.
func (q *Queue) Quotas() []queue.Quota { return []queue.Quota{q.Quota("z"), q.Quota("a")} }

// Export implements control.Queue, with a message for each entry.
func (q *Queue) Export(ctx context.Context, f *queue.Filter, w *archive.Writer) (done queue.Exported, err error) {
	err = q.Walk(ctx, f, func(v *queue.View) bool {
		if q.Load(v) != nil || w.Add(&archive.Message{Envelope: v.Envelope, States: make([]envelope.State, 1)}, bytes.NewReader([]byte(q.Body))) != nil {
			return false
		}
		done.Messages++
		done.Entries++
		return true
	})
	return done, errors.Join(err, w.Close())
}

// Import implements control.Queue. It keeps what it reads, without bodies.
func (q *Queue) Import(_ context.Context, r *archive.Reader) (done queue.Imported, err error) {
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return done, nil
		}
		if err != nil {
			return done, fmt.Errorf("queue: import: %w", err)
		}
		var body bytes.Buffer
		if _, err := r.WriteTo(&body); err != nil {
			return done, err
		}
		if body.String() != q.Body {
			done.Damaged++
			continue
		}
		q.mu.Lock()
		q.imported = append(q.imported, m)
		q.mu.Unlock()
		done.Messages++
		done.Entries += len(m.States)
	}
}

// Imported returns what Import has read.
func (q *Queue) Imported() []*archive.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.imported
}
