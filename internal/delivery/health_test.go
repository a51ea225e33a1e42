package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
)

// refused is what a connect to a port that nobody listens on gives.
var refused = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}

// watched is a courier whose proxies are watched, and what it tells of them.
func watched(t *testing.T, o delivery.Options) (*delivery.Courier, <-chan delivery.ProxyStatus) {
	t.Helper()
	changes := make(chan delivery.ProxyStatus, 10)
	c := delivery.New(noDNS{}, o, delivery.Events{ProxyChanged: func(s delivery.ProxyStatus) { changes <- s }})
	c.Start(context.Background())
	t.Cleanup(c.Stop)
	return c, changes
}

func next[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came within 30 s")
	}
	return v
}

// A proxy that refuses is not asked again until a look has found it there.
func TestProxyDownAndUp(t *testing.T) {
	px, p := newOutbound(t), newPeer(t)
	var there atomic.Bool
	var dials atomic.Int32
	c, changes := watched(t, delivery.Options{
		ProxyHoldDown: time.Millisecond, Proxies: []delivery.Proxy{*px.proxy(1)},
		Dial: func(ctx context.Context, _ *delivery.Source, at netip.AddrPort) (net.Conn, error) {
			dials.Add(1)
			if !there.Load() {
				return nil, refused
			}
			return new(net.Dialer).DialContext(ctx, "tcp", at.String())
		},
	})
	if all := c.Proxies(); len(all) != 1 || all[0].Down || !all[0].Since.IsZero() || all[0].Proxy != px.proxy(1).String() {
		t.Errorf("before: %+v", all)
	}
	tr := &delivery.Transport{Proxy: px.proxy(1)}
	out := c.Deliver(t.Context(), attempt(t, tr), p.destination())
	if out.Status != delivery.Deferred || !errors.Is(out.Err, delivery.ErrProxy) || !strings.Contains(out.Reply.Text(), "connection refused") {
		t.Errorf("%v %v %v", out.Status, out.Reply, out.Err)
	}
	if s := next(t, changes); !s.Down || s.Reason != "connection refused" || s.Next.IsZero() || s.Failures != 1 {
		t.Errorf("told %+v", s)
	}
	out = c.Deliver(t.Context(), attempt(t, tr), p.destination())
	if !errors.Is(out.Err, delivery.ErrProxy) || !strings.Contains(out.Reply.Text(), "connection refused") {
		t.Errorf("while it was down: %v %v", out.Reply, out.Err)
	}
	if n := c.Metrics().ProxiesDown.Load(); n != 1 {
		t.Errorf("%d are down", n)
	}
	there.Store(true)
	if s := next(t, changes); s.Down || s.Reason != "" || !s.Next.IsZero() {
		t.Errorf("told %+v", s)
	}
	if out := c.Deliver(t.Context(), attempt(t, tr), p.destination()); out.Status != delivery.Delivered {
		t.Errorf("%v %v", out.Status, out.Err)
	}
	m := c.Metrics()
	if m.ProxiesDown.Load() != 0 || m.ProxyFailures.Load() != 1 || m.ProxyProbes.Load() < 1 || int64(dials.Load()) != m.ProxyProbes.Load()+2 {
		t.Errorf("%d down, %d failures, %d probes, %d connects", m.ProxiesDown.Load(), m.ProxyFailures.Load(), m.ProxyProbes.Load(), dials.Load())
	}
}

// The waits between looks double up to a minute.
func TestHoldDownGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var looks []time.Duration
		c, changes := watched(t, delivery.Options{Dial: func(context.Context, *delivery.Source, netip.AddrPort) (net.Conn, error) {
			mu.Lock()
			defer mu.Unlock()
			looks = append(looks, time.Since(start))
			return nil, refused
		}, Proxies: []delivery.Proxy{{Server: "192.0.2.1", Port: 2525}}})
		tr := &delivery.Transport{Proxy: &delivery.Proxy{Server: "192.0.2.1", Port: 2525}}
		to := &delivery.Destination{Hosts: []delivery.Host{{Addr: netip.MustParseAddrPort("192.0.2.9:25")}}}
		c.Deliver(t.Context(), attempt(t, tr), to)
		next(t, changes)
		time.Sleep(200 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if got := fmt.Sprint(looks); got != "[0s 10s 30s 1m10s 2m10s 3m10s]" {
			t.Errorf("looked at %s", got)
		}
	})
}

// A proxy that neither answers nor refuses costs three seconds, once: whoever
// else is connecting at that moment is told at the same time.
func TestProxyThatDropsPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, changes := watched(t, delivery.Options{Dial: func(ctx context.Context, _ *delivery.Source, _ netip.AddrPort) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		tr := &delivery.Transport{Proxy: &delivery.Proxy{Server: "192.0.2.1", Port: 2525}}
		to := &delivery.Destination{Hosts: []delivery.Host{{Addr: netip.MustParseAddrPort("192.0.2.9:25")}}}
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 5 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Second / 2)
				out := c.Deliver(t.Context(), attempt(t, tr), to)
				if took := time.Since(start); took != 3*time.Second || !errors.Is(out.Err, delivery.ErrProxy) || !strings.Contains(out.Reply.Text(), "timed out") {
					t.Errorf("%d: after %s: %v %v", i, took, out.Reply, out.Err)
				}
			})
		}
		wg.Wait()
		if s := next(t, changes); !s.Down || s.Reason != "timed out" || len(changes) > 0 {
			t.Errorf("told %+v and %d more", s, len(changes))
		}
	})
}

// An attempt that is given up says nothing about the proxy.
func TestProxyOfAnAttemptGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, changes := watched(t, delivery.Options{Dial: func(ctx context.Context, _ *delivery.Source, _ netip.AddrPort) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		tr := &delivery.Transport{Proxy: &delivery.Proxy{Server: "192.0.2.1", Port: 2525}}
		to := &delivery.Destination{Hosts: []delivery.Host{{Addr: netip.MustParseAddrPort("192.0.2.9:25")}}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		out := c.Deliver(ctx, attempt(t, tr), to)
		if !errors.Is(out.Err, delivery.ErrInterrupted) || len(changes) > 0 || c.Proxies()[0].Down {
			t.Errorf("%v, %d changes", out.Err, len(changes))
		}
	})
}

// A reset before the first byte of SMTP is the proxy's.
func TestProxyThatResets(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	at := netip.MustParseAddrPort(l.Addr().String())
	c, changes := watched(t, delivery.Options{ProxyHoldDown: time.Hour})
	p := newPeer(t)
	tr := &delivery.Transport{Proxy: &delivery.Proxy{Server: at.Addr().String(), Port: at.Port()}}
	out := c.Deliver(t.Context(), attempt(t, tr), p.destination())
	if out.Status != delivery.Deferred || !errors.Is(out.Err, delivery.ErrProxy) || out.Stage != delivery.StageConnect {
		t.Errorf("%v %v %v", out.Status, out.Stage, out.Err)
	}
	if s := next(t, changes); !s.Down || s.Reason == "" {
		t.Errorf("told %+v", s)
	}
}

// An address that reaches nobody at three hosts in a row is left alone, and the
// proxy is not to blame. One host that is down does not do that, however often.
func TestSilentSource(t *testing.T) {
	mute := newOutbound(t, func(p *outbound) { p.mute = true })
	type silence struct {
		source netip.Addr
		wait   time.Duration
	}
	silences := make(chan silence, 10)
	c := delivery.New(noDNS{}, delivery.Options{ProxyHoldDown: 7 * time.Second}, delivery.Events{
		ProxyChanged: func(s delivery.ProxyStatus) { t.Errorf("told %+v", s) },
		SourceSilent: func(a netip.Addr, wait time.Duration) { silences <- silence{a, wait} },
	})
	c.Start(context.Background())
	t.Cleanup(c.Stop)
	from := netip.MustParseAddr("127.0.3.1")
	send := func(host string, px *outbound) delivery.Status {
		tr := &delivery.Transport{Sources: []delivery.Source{{Addr: from, Proxy: px.proxy(1)}}}
		to := &delivery.Destination{Hosts: []delivery.Host{{Addr: netip.MustParseAddrPort(host)}}}
		return c.Deliver(t.Context(), attempt(t, tr), to).Status
	}
	for range 4 {
		send("192.0.2.1:25", mute)
	}
	send("192.0.2.2:25", mute)
	if len(silences) > 0 {
		t.Errorf("left alone after two hosts: %v", <-silences)
	}
	works := newOutbound(t)
	if got := send(newPeer(t).addr.String(), works); got != delivery.Delivered {
		t.Error(got)
	}
	send("192.0.2.3:25", mute)
	send("192.0.2.4:25", mute)
	if len(silences) > 0 {
		t.Errorf("left alone though it had worked: %v", <-silences)
	}
	send("192.0.2.5:25", mute)
	if s := next(t, silences); s != (silence{from, 7 * time.Second}) {
		t.Errorf("%v", s)
	}
	for i := range 3 {
		send(fmt.Sprintf("192.0.2.%d:25", 10+i), mute)
	}
	if s := next(t, silences); s != (silence{from, 14 * time.Second}) {
		t.Errorf("the second time: %v", s)
	}
}

// What idles through a proxy is closed when that goes down, and is counted until
// then.
func TestDownProxyLosesItsPool(t *testing.T) {
	px, p := newOutbound(t), newPeer(t)
	var gone atomic.Bool
	c, changes := watched(t, delivery.Options{
		PoolSize: 5, ProxyHoldDown: time.Hour,
		Dial: func(ctx context.Context, _ *delivery.Source, at netip.AddrPort) (net.Conn, error) {
			if gone.Load() {
				return nil, refused
			}
			return new(net.Dialer).DialContext(ctx, "tcp", at.String())
		},
	})
	pooling := delivery.Pooling{Enabled: true}
	tr := &delivery.Transport{Proxy: px.proxy(1), Pooling: pooling}
	if out := c.Deliver(t.Context(), attempt(t, tr), p.destination()); out.Status != delivery.Delivered {
		t.Fatal(out.Err)
	}
	if s := c.Proxies()[0]; s.Connections != 1 || s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
	gone.Store(true)
	c.Deliver(t.Context(), attempt(t, tr), &delivery.Destination{Hosts: []delivery.Host{{Addr: netip.MustParseAddrPort("192.0.2.9:25")}}})
	next(t, changes)
	if s := c.Proxies()[0]; s.Connections != 0 || !s.Down {
		t.Errorf("%+v", s)
	}
	if n := c.Metrics().PoolSize.Load(); n != 0 {
		t.Errorf("%d idle", n)
	}
}
