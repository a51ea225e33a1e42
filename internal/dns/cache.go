package dns

import (
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/posthaste-mta/posthaste/internal/metric"
)

// cache keeps values until they are pushed out by others. Whether one is still
// good is the reader's to say: an expired answer may yet serve when the
// upstreams fail. A cache of size zero keeps nothing.
type cache[K comparable, V any] struct {
	store  atomic.Pointer[otter.Cache[K, V]] // nil: off
	evicts *metric.Counter
}

// resize sets how many values may be kept and keeps those that are there.
func (c *cache[K, V]) resize(size int) {
	store := c.store.Load()
	switch {
	case size <= 0:
		c.store.Store(nil)
	case store != nil:
		store.SetMaximum(uint64(size))
	default:
		c.store.Store(otter.Must(&otter.Options[K, V]{
			MaximumSize: size,
			// Upkeep rides on the callers: no goroutine to stop, and no
			// callback of ours that could take a lock.
			Executor: func(fn func()) { fn() },
			OnDeletion: func(e otter.DeletionEvent[K, V]) {
				if e.WasEvicted() {
					c.evicts.Inc()
				}
			},
		}))
	}
}

func (c *cache[K, V]) get(k K) (v V, ok bool) {
	if store := c.store.Load(); store != nil {
		return store.GetIfPresent(k)
	}
	return v, false
}

func (c *cache[K, V]) set(k K, v V) {
	if store := c.store.Load(); store != nil {
		store.Set(k, v)
	}
}

func (c *cache[K, V]) size() float64 {
	if store := c.store.Load(); store != nil {
		return float64(store.EstimatedSize())
	}
	return 0
}

// clear drops what match accepts and returns how many those were.
func (c *cache[K, V]) clear(match func(K) bool) (n int) {
	store := c.store.Load()
	if store == nil {
		return 0
	}
	for k := range store.Keys() {
		if match(k) {
			store.Invalidate(k)
			n++
		}
	}
	return n
}

// question is what is asked, and the key of its answer.
type question struct {
	name string // lower case, no final dot
	typ  Type
}

// kept is what the cache holds for a question: an answer, or why there is none.
type kept struct {
	answer *Answer
	err    error
	until  time.Time
}

const (
	// failureTTL is how long a failure is remembered. RFC 9520 §3.2 wants at
	// least one second and at most five minutes.
	failureTTL = 5 * time.Second
	// staleTTL is how long a stale answer serves before the upstreams are asked
	// again (RFC 8767 §5).
	staleTTL = 30 * time.Second
)

// lookup finds a usable answer in the cache. stale is an expired one that may
// still serve if nothing better can be had.
func (r *Resolver) lookup(q question, s *settings) (k kept, ok bool, stale *Answer) {
	k, ok = r.answers.get(q)
	now := time.Now()
	switch {
	case ok && now.Before(k.until):
		r.metrics.CacheHits.Inc()
		return k, true, nil
	case ok:
		r.metrics.CacheExpires.Inc()
		if k.answer != nil && now.Before(k.answer.Expires.Add(s.ServeStale)) {
			stale = k.answer
		}
	}
	r.metrics.CacheMisses.Inc()
	return kept{}, false, stale
}

// keep dates an answer and puts it into the cache, unless it may not be kept.
func (r *Resolver) keep(q question, a *Answer, s *settings) {
	ttl, negative := a.lifetime()
	switch {
	case a.RCode != NoError && a.RCode != NXDomain:
		ttl = failureTTL
	case negative && s.NegativeTTL > 0:
		ttl = s.NegativeTTL
	default:
		ttl = min(max(ttl, s.MinTTL), s.MaxTTL)
	}
	a.Expires = time.Now().Add(ttl)
	if ttl <= 0 {
		r.metrics.CacheSkips.Inc()
		return
	}
	r.answers.set(q, kept{answer: a, until: a.Expires})
}

// keepStale serves an old answer once more, because err is all that the
// upstreams had to say.
func (r *Resolver) keepStale(q question, old *Answer) *Answer {
	a := *old
	a.Stale = true
	r.answers.set(q, kept{answer: &a, until: time.Now().Add(staleTTL)})
	return &a
}

// keepError remembers that no upstream could be asked.
func (r *Resolver) keepError(q question, err error) {
	r.answers.set(q, kept{err: err, until: time.Now().Add(failureTTL)})
}
