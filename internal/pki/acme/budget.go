package acme

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"
)

// Budget bounds orders below what public authorities allow (spec tls.md 11.3).
type Budget struct {
	Burst  int           // orders that may follow each other at once
	Every  time.Duration // after which one more may
	New    int           // orders for names without a certificate …
	Window time.Duration // … within this time
}

// DefaultBudget stays below the 300 new orders per account in three hours of
// Let's Encrypt, and spreads the rest.
var DefaultBudget = Budget{Burst: 10, Every: time.Second, New: 250, Window: 3 * time.Hour}

// budgetKey is where the times of new orders are kept, so that a restart does
// not forget them.
const budgetKey = "budget.json"

// spending is what was used of a Budget.
type spending struct {
	mu      sync.Mutex
	fresh   []time.Time // orders for new names within the window, oldest first
	bucket  time.Time   // when the bucket is full again
	storage Storage
}

func (s *spending) load(ctx context.Context) {
	data, err := s.storage.Load(ctx, budgetKey)
	if err != nil {
		return // nothing was spent, or nobody knows
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.Unmarshal(data, &s.fresh) // of damaged ones nothing is known either
}

// take uses up one order. When it may not be made yet it returns how long to
// wait and has used nothing.
func (s *spending) take(ctx context.Context, b Budget, renewal bool, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fresh = slices.DeleteFunc(s.fresh, func(t time.Time) bool { return now.Sub(t) >= b.Window })
	if !renewal && b.New > 0 && len(s.fresh) >= b.New {
		return s.fresh[0].Add(b.Window).Sub(now)
	}
	full := later(s.bucket, now)
	if wait := full.Sub(now) - time.Duration(b.Burst-1)*b.Every; wait > 0 {
		return wait
	}
	s.bucket = full.Add(b.Every)
	if !renewal {
		s.fresh = append(s.fresh, now)
		if data, err := json.Marshal(s.fresh); err == nil {
			_ = s.storage.Store(ctx, budgetKey, data) // a lost line costs a little of the reserve
		}
	}
	return 0
}

// left is what remains for new names at this moment.
func (s *spending) left(b Budget, now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := b.New
	for _, t := range s.fresh {
		if now.Sub(t) < b.Window {
			n--
		}
	}
	return n
}
