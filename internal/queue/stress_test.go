package queue

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// TestNothingIsLostUnderUpdates delivers while operators keep making everything
// due and settings change, and checks that each entry was taken by somebody.
func TestNothingIsLostUnderUpdates(t *testing.T) {
	w := newWorld(t)
	w.settings.Transports["out"].Retry = Retry{Count: 1000, Intervals: []Interval{{After: time.Millisecond}}}
	var mu sync.Mutex
	taken, tries := map[string]int{}, map[string]int{}
	w.courier.reply = func(a *delivery.Attempt) delivery.Outcome {
		mu.Lock()
		defer mu.Unlock()
		key := a.Recipient.Local
		if tries[key]++; tries[key] < 3 {
			return deferred("451 not yet")
		}
		taken[key]++
		return ok()
	}
	w.start()
	defer w.stop()
	ctx, cancel := context.WithCancel(t.Context())
	var others sync.WaitGroup
	for range 3 {
		others.Go(func() {
			for ctx.Err() == nil {
				_, _ = w.queue.Update(ctx, nil, Action{Verb: Activate}, nil)
			}
		})
	}
	others.Go(func() {
		for ctx.Err() == nil {
			next := *w.settings
			w.queue.Reload(&next)
		}
	})
	const messages = 3000
	var senders sync.WaitGroup
	for s := range 4 {
		senders.Go(func() {
			for i := range messages / 4 {
				w.addMessage(&envelope.Message{Recipients: []envelope.Recipient{recipient(1, fmt.Sprintf("r%d@d%d.example", s*messages/4+i, i%7))}})
			}
		})
	}
	senders.Wait()
	for end := time.Now().Add(30 * time.Second); w.count() > 0 && time.Now().Before(end); {
	}
	cancel()
	others.Wait()
	if n := w.count(); n > 0 {
		t.Errorf("%d entries are stuck", n)
	}
	mu.Lock()
	defer mu.Unlock()
	for i := range messages {
		if n := taken[fmt.Sprintf("r%d", i)]; n != 1 {
			t.Errorf("r%d was taken %d times", i, n)
		}
	}
}
