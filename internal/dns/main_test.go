package dns_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// resolver asks the given server over loopback.
func resolver(t *testing.T, srv *dnstest.Server, change ...func(*dns.Options)) *dns.Resolver {
	t.Helper()
	o := dns.Options{Servers: []netip.AddrPort{srv.Addr()}, CacheSize: 1000, DomainCacheSize: 1000}
	for _, c := range change {
		c(&o)
	}
	return start(t, o)
}

func start(t *testing.T, o dns.Options) *dns.Resolver {
	t.Helper()
	r, err := dns.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

// piped asks servers without sockets: the n-th at address 192.0.2.n.
func piped(t *testing.T, o dns.Options, servers ...*dnstest.Server) *dns.Resolver {
	t.Helper()
	byAddr := map[string]*dnstest.Server{}
	for i, srv := range servers {
		a := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 53)
		o.Servers = append(o.Servers, a)
		byAddr[a.String()] = srv
	}
	o.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		return byAddr[address].Dial(ctx, network, address)
	}
	return start(t, o)
}

func short(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
