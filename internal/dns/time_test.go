package dns_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
)

// asks queries and reports how often the server was asked in all.
func asks(t *testing.T, r *dns.Resolver, srv *dnstest.Server, name string, typ dns.Type) int {
	t.Helper()
	if _, err := r.Query(t.Context(), name, typ); err != nil {
		t.Fatal(err)
	}
	return srv.Count(name, typ.String())
}

func TestCacheLifetime(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		options dns.Options
		ask     string
		typ     dns.Type
		good    time.Duration // for which the answer is kept
	}{
		"TTL":             {dns.Options{}, "mx.example.com", dns.TypeA, 300 * time.Second},
		"least of chain":  {dns.Options{}, "www.example.com", dns.TypeA, 100 * time.Second},
		"floor":           {dns.Options{MinTTL: time.Hour}, "mx.example.com", dns.TypeA, time.Hour},
		"ceiling":         {dns.Options{MaxTTL: time.Minute}, "mx.example.com", dns.TypeA, time.Minute},
		"NODATA":          {dns.Options{}, "backup.example.com", dns.TypeAAAA, 120 * time.Second},
		"NXDOMAIN":        {dns.Options{}, "nowhere.example.com", dns.TypeA, 120 * time.Second},
		"lost alias":      {dns.Options{}, "lost.example.com", dns.TypeA, 60 * time.Second},
		"negative":        {dns.Options{NegativeTTL: time.Hour}, "nowhere.example.com", dns.TypeA, time.Hour},
		"server failure":  {dns.Options{MaxTTL: day}, "broken.example.com", dns.TypeA, 5 * time.Second},
		"floor, negative": {dns.Options{MinTTL: time.Hour}, "nowhere.example.com", dns.TypeA, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := dnstest.Pipe(t, zone)
				srv.Fault("broken.example.com", "*", dnstest.Fault{RCode: "SERVFAIL"})
				c.options.CacheSize = 10
				r := piped(t, c.options, srv)
				asks(t, r, srv, c.ask, c.typ)
				time.Sleep(c.good - time.Second)
				if n := asks(t, r, srv, c.ask, c.typ); n != 1 {
					t.Errorf("asked %d times within %v", n, c.good)
				}
				time.Sleep(2 * time.Second)
				if n := asks(t, r, srv, c.ask, c.typ); n != 2 {
					t.Errorf("asked %d times after %v", n, c.good)
				}
				m := r.Metrics()
				if m.CacheHits.Load() != 1 || m.CacheMisses.Load() != 2 || m.CacheExpires.Load() != 1 {
					t.Errorf("hits %d misses %d expires %d", m.CacheHits.Load(), m.CacheMisses.Load(), m.CacheExpires.Load())
				}
			})
		})
	}
}

func TestCacheOffAndZeroTTL(t *testing.T) {
	srv := dnstest.Pipe(t, "zero.example. 0 IN A 192.0.2.1\nmx.example.com. 300 IN A 192.0.2.1")
	off := piped(t, dns.Options{}, srv)
	asks(t, off, srv, "mx.example.com", dns.TypeA)
	if n := asks(t, off, srv, "mx.example.com", dns.TypeA); n != 2 {
		t.Errorf("asked %d times without a cache", n)
	}
	on := piped(t, dns.Options{CacheSize: 10}, srv)
	asks(t, on, srv, "zero.example", dns.TypeA)
	if n := asks(t, on, srv, "zero.example", dns.TypeA); n != 2 || on.Metrics().CacheSkips.Load() != 2 {
		t.Errorf("asked %d times for a TTL of zero, %d skips", n, on.Metrics().CacheSkips.Load())
	}
}

func TestCacheBoundAndClear(t *testing.T) {
	srv := dnstest.Pipe(t, "example. 300 IN A 192.0.2.1")
	r := piped(t, dns.Options{CacheSize: 50, NegativeTTL: time.Hour}, srv)
	for i := range 200 {
		asks(t, r, srv, fmt.Sprintf("n%d.example", i), dns.TypeA)
	}
	m := r.Metrics()
	if size := m.CacheSize(); size > 60 || m.CacheEvicts.Load() < 100 || m.CacheMaxSize() != 50 {
		t.Errorf("size %v, evicts %d, maximum %v", size, m.CacheEvicts.Load(), m.CacheMaxSize())
	}
	asks(t, r, srv, "example", dns.TypeA)
	if n := r.Clear("other"); n != 0 {
		t.Errorf("%d answers for other", n)
	}
	asks(t, r, srv, "example", dns.TypeA)
	listed := 0
	for c := range r.Cached() {
		if c.Answer == nil || c.Err != nil || !c.Until.After(time.Now()) {
			t.Errorf("%+v", c)
		}
		listed++
	}
	if n := r.Clear("Example."); n != listed || n < 40 {
		t.Errorf("%d listed, %d cleared", listed, n)
	}
	if n := asks(t, r, srv, "example", dns.TypeA); n != 2 || m.CacheSize() != 1 {
		t.Errorf("asked %d times, %v left", n, m.CacheSize())
	}
}

func TestServeStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := dnstest.Pipe(t, zone)
		r := piped(t, dns.Options{CacheSize: 10, ServeStale: time.Hour}, srv)
		asks(t, r, srv, "mx.example.com", dns.TypeA)
		for _, f := range []dnstest.Fault{{RCode: "SERVFAIL"}, {Drop: true}} {
			srv.Fault("mx.example.com", "A", f)
			time.Sleep(10 * time.Minute)
			a, err := r.Query(t.Context(), "mx.example.com", dns.TypeA)
			if err != nil || !a.Stale || a.Err() != nil {
				t.Fatalf("%+v: %v", f, err)
			}
		}
		before := srv.Count("mx.example.com", "A")
		if n := asks(t, r, srv, "mx.example.com", dns.TypeA); n != before {
			t.Error("a stale answer was not kept for a while")
		}
		time.Sleep(time.Hour)
		if a, err := r.Query(t.Context(), "mx.example.com", dns.TypeA); !errors.Is(err, dns.ErrTimeout) {
			t.Errorf("got %v, %v after the stale time", a, err)
		}
	})
}

func TestIdenticalQuestions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := dnstest.Pipe(t, zone)
		srv.Fault("mx.example.com", "A", dnstest.Fault{Delay: time.Second})
		r := piped(t, dns.Options{CacheSize: 10}, srv)
		impatient, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := r.Query(impatient, "mx.example.com", dns.TypeA); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v after cancel", err)
			}
		})
		for range 9 {
			wg.Go(func() {
				if a, err := r.Query(t.Context(), "mx.example.com", dns.TypeA); err != nil || a.Err() != nil {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		if d, n := r.Metrics().Dedup.Load(), r.Metrics().Running.Load(); d != 9 || n != 1 {
			t.Errorf("%d joined %d running", d, n)
		}
		cancel()
		wg.Wait()
		if n := srv.Count("mx.example.com", "A"); n != 1 {
			t.Errorf("asked %d times", n)
		}
		if d, n := r.Metrics().Dedup.Load(), r.Metrics().Running.Load(); d != 0 || n != 0 {
			t.Errorf("%d joined %d running at the end", d, n)
		}
	})
}

// When all who asked have left, the query ends and leaves nothing behind.
func TestAbandonedQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := dnstest.Pipe(t, zone)
		srv.Fault("mx.example.com", "A", dnstest.Fault{Drop: true, Times: 1})
		r := piped(t, dns.Options{CacheSize: 10}, srv)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Query(ctx, "mx.example.com", dns.TypeA); !errors.Is(err, dns.ErrTimeout) {
			t.Errorf("got %v", err)
		}
		synctest.Wait()
		if n := r.Metrics().Running.Load(); n != 0 {
			t.Errorf("%d still run", n)
		}
		if a, err := r.Query(t.Context(), "mx.example.com", dns.TypeA); err != nil || a.Err() != nil {
			t.Errorf("got %v", err)
		}
	})
}

func TestConcurrencyCap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := dnstest.Pipe(t, zone)
		r := piped(t, dns.Options{Concurrency: 2}, srv)
		var wg sync.WaitGroup
		start := time.Now()
		for i := range 6 {
			name := fmt.Sprintf("n%d.example.com", i)
			srv.Fault(name, "A", dnstest.Fault{Delay: time.Second})
			wg.Go(func() { _, _ = r.Query(t.Context(), name, dns.TypeA) })
		}
		synctest.Wait()
		m := r.Metrics()
		if m.Running.Load() != 2 || m.Pending.Load() != 4 || m.MaxRunning() != 2 {
			t.Errorf("running %d pending %d", m.Running.Load(), m.Pending.Load())
		}
		wg.Wait()
		if d := time.Since(start); d != 3*time.Second {
			t.Errorf("took %v, want three turns of a second", d)
		}
		if m.Running.Load() != 0 || m.Pending.Load() != 0 {
			t.Errorf("running %d pending %d at the end", m.Running.Load(), m.Pending.Load())
		}
	})
}

func TestUpstreamsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := dnstest.Pipe(t, zone), dnstest.Pipe(t, zone)
		for i := range 10 {
			first.Fault(fmt.Sprintf("n%d.example.com", i), "A", dnstest.Fault{Drop: true})
		}
		r := piped(t, dns.Options{Timeout: time.Second}, first, second)
		ask := func(i int) (took time.Duration) {
			start := time.Now()
			if _, err := r.Query(t.Context(), fmt.Sprintf("n%d.example.com", i), dns.TypeA); err != nil {
				t.Error(err)
			}
			return time.Since(start)
		}
		for i := range 3 {
			if d := ask(i); d != time.Second {
				t.Errorf("query %d took %v, want the time-out of the first upstream", i, d)
			}
		}
		if d := ask(4); d != 0 {
			t.Errorf("took %v though the first upstream is known to be down", d)
		}
		time.Sleep(time.Minute)
		if d := ask(5); d != time.Second {
			t.Errorf("took %v, want the first upstream to be tried again", d)
		}

		second.Fault("mx.example.com", "A", dnstest.Fault{})
		first.Fault("mx.example.com", "A", dnstest.Fault{RCode: "SERVFAIL"})
		if a, err := r.Query(t.Context(), "mx.example.com", dns.TypeA); err != nil || a.Err() != nil {
			t.Errorf("a failing upstream was not passed over: %v", err)
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := dnstest.Pipe(t, zone)
		srv.Fault("mx.example.com", "A", dnstest.Fault{Drop: true})
		r := piped(t, dns.Options{CacheSize: 10}, srv)
		ended := make(chan error)
		go func() {
			_, err := r.Query(context.Background(), "mx.example.com", dns.TypeA)
			ended <- err
		}()
		synctest.Wait()
		go r.Stop()
		if err := <-ended; err == nil {
			t.Error("a query survived Stop")
		}
		if _, err := r.Query(t.Context(), "mx.example.com", dns.TypeA); !errors.Is(err, dns.ErrStopped) {
			t.Errorf("got %v after Stop", err)
		}
	})
}
