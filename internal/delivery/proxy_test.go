package delivery_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/pires/go-proxyproto"

	"github.com/posthaste-mta/posthaste/internal/delivery"
)

// outbound is a proxy that connects onward as the header says, from the address
// in it, as HAProxy does with "usesrc clientip". The header is read by another
// implementation.
type outbound struct {
	addr netip.AddrPort
	mute bool // accepts and closes
	wg   sync.WaitGroup

	mu      sync.Mutex
	headers []string
}

func newOutbound(t testing.TB, change ...func(*outbound)) *outbound {
	t.Helper()
	p := &outbound{}
	for _, c := range change {
		c(p)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = netip.MustParseAddrPort(l.Addr().String())
	p.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); p.wg.Wait() })
	return p
}

func (p *outbound) serve(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	h, err := proxyproto.Read(r)
	if err != nil || p.mute {
		return
	}
	from, to, _ := h.TCPAddrs()
	p.mu.Lock()
	p.headers = append(p.headers, strings.Join([]string{string('0' + h.Version), from.IP.String(), to.String()}, " "))
	p.mu.Unlock()
	far, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from.IP}}).Dial("tcp", to.String())
	if err != nil {
		return
	}
	defer far.Close()
	p.wg.Go(func() {
		_, _ = io.Copy(far, r)
		_ = far.(*net.TCPConn).CloseWrite()
	})
	_, _ = io.Copy(conn, far)
}

func (p *outbound) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.headers
}

// named is the proxy under a name.
func (p *outbound) proxy(version int) *delivery.Proxy {
	return &delivery.Proxy{Server: p.addr.Addr().String(), Port: p.addr.Port(), Version: version}
}

// refusing is the address of a port that nobody listens on.
func refusing(t *testing.T) *delivery.Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a := netip.MustParseAddrPort(l.Addr().String())
	return &delivery.Proxy{Server: a.Addr().String(), Port: a.Port()}
}

// A message goes through the proxy of its transport from an address of the
// proxy, in both versions of the header, and with TLS end to end.
func TestThroughProxy(t *testing.T) {
	for version := range 3 {
		px := newOutbound(t)
		p := newPeer(t, func(p *peer) { p.TLSConfig = newAuthority(t).server(t, "mx.example.net") })
		var told string
		c := delivery.New(noDNS{}, delivery.Options{Hostname: "client.example"},
			delivery.Events{Connecting: func(_ *delivery.Attempt, w delivery.Way) { told = w.String() }})
		tr := &delivery.Transport{
			Proxy: px.proxy(version), TLS: delivery.TLS{Mode: delivery.TLSRequire},
			Sources: []delivery.Source{{ID: "public", Addr: netip.MustParseAddr("127.0.3.7"), Hostname: "public.example"}},
		}
		out := c.Deliver(t.Context(), attempt(t, tr), p.destination())
		info := out.Connection
		if out.Status != delivery.Delivered || info.LocalIP != tr.Sources[0].Addr || info.LocalID != "public" || info.Helo != "public.example" ||
			info.Proxy != px.addr || info.RemoteIP != p.addr.Addr() || !info.TLS.Started {
			t.Errorf("version %d: %v %v %v %+v", version, out.Status, out.Reply, out.Err, info)
		}
		want := string('0'+byte(max(version, 1))) + " 127.0.3.7 " + p.addr.String()
		if got := px.seen(); len(got) != 1 || got[0] != want {
			t.Errorf("version %d: the proxy read %q, want %q", version, got, want)
		}
		if want := "from [127.0.3.7] to [127.0.0.1]:" + portOf(p.addr) + " via [127.0.0.1]:" + portOf(px.addr); told != want {
			t.Errorf("told %q, want %q", told, want)
		}
	}
}

func portOf(a netip.AddrPort) string {
	_, port, _ := net.SplitHostPort(a.String())
	return port
}

// Without a source address the header has that of the socket.
func TestThroughProxyFromAnywhere(t *testing.T) {
	px, p := newOutbound(t), newPeer(t)
	out := courier(t, delivery.Options{}).Deliver(t.Context(), attempt(t, &delivery.Transport{Proxy: px.proxy(1)}), p.destination())
	if out.Status != delivery.Delivered || out.Connection.LocalIP.String() != "127.0.0.1" || out.Connection.LocalID != "" {
		t.Errorf("%v %v %+v", out.Status, out.Err, out.Connection)
	}
	six := &delivery.Destination{Hosts: []delivery.Host{{Addr: netip.MustParseAddrPort("[2001:db8::1]:25")}}}
	out = courier(t, delivery.Options{}).Deliver(t.Context(), attempt(t, &delivery.Transport{Proxy: px.proxy(1)}), six)
	if out.Status != delivery.Deferred || out.Kind != delivery.KindConfig || !strings.Contains(out.Reply.Text(), "no source address") {
		t.Errorf("to another family: %v %v %v", out.Status, out.Reply, out.Err)
	}
}

// Each address has a proxy of its own, which goes before that of the transport.
// One whose proxy is down is passed over; none is used without its proxy.
func TestProxyOfAddress(t *testing.T) {
	first, second, common := newOutbound(t), newOutbound(t), newOutbound(t)
	p := newPeer(t)
	a := netip.MustParseAddr
	tr := &delivery.Transport{Ordered: true, Proxy: common.proxy(1), Sources: []delivery.Source{
		{ID: "down", Addr: a("127.0.3.1"), Proxy: refusing(t)},
		{ID: "first", Addr: a("127.0.3.2"), Proxy: first.proxy(2)},
	}}
	c := courier(t, delivery.Options{})
	if out := c.Deliver(t.Context(), attempt(t, tr), p.destination()); out.Status != delivery.Delivered || out.Connection.LocalID != "first" {
		t.Errorf("%v %v %+v", out.Status, out.Err, out.Connection)
	}
	tr = &delivery.Transport{Proxy: common.proxy(1), Sources: []delivery.Source{
		{ID: "second", Addr: a("127.0.3.3"), Proxy: second.proxy(1)},
		{ID: "common", Addr: a("127.0.3.4")},
	}}
	for range 2 {
		if out := c.Deliver(t.Context(), attempt(t, tr), p.destination()); out.Status != delivery.Delivered {
			t.Errorf("%v %v", out.Status, out.Err)
		}
	}
	for name, px := range map[string]struct {
		*outbound
		want string
	}{"first": {first, "2 127.0.3.2 "}, "second": {second, "1 127.0.3.3 "}, "common": {common, "1 127.0.3.4 "}} {
		if got := px.seen(); len(got) != 1 || !strings.HasPrefix(got[0], px.want) {
			t.Errorf("%s read %q", name, got)
		}
	}
	alone := &delivery.Transport{Sources: []delivery.Source{{ID: "down", Addr: a("127.0.0.1"), Proxy: refusing(t)}}}
	out := c.Deliver(t.Context(), attempt(t, alone), p.destination())
	if out.Status != delivery.Deferred || !errors.Is(out.Err, delivery.ErrProxy) || !out.Connection.Proxy.IsValid() || out.Connection.ID != 0 {
		t.Errorf("%v %v %+v", out.Status, out.Err, out.Connection)
	}
	if n := len(p.received()); n != 3 {
		t.Errorf("%d messages came", n)
	}
}

// A proxy that accepts and closes has not reached the destination: that is no
// failure of the proxy.
func TestProxyThatHangsUp(t *testing.T) {
	px, p := newOutbound(t, func(p *outbound) { p.mute = true }), newPeer(t)
	out := courier(t, delivery.Options{}).Deliver(t.Context(), attempt(t, &delivery.Transport{Proxy: px.proxy(1)}), p.destination())
	if out.Status != delivery.Deferred || errors.Is(out.Err, delivery.ErrProxy) || out.Stage != delivery.StageBanner {
		t.Errorf("%v %v %v", out.Status, out.Stage, out.Err)
	}
}

// Connections through different proxies do not stand for each other.
func TestPoolTellsProxiesApart(t *testing.T) {
	one, two, p := newOutbound(t), newOutbound(t), newPeer(t)
	c := courier(t, delivery.Options{PoolSize: 5})
	for i, px := range []*outbound{one, two, one, two} {
		tr := &delivery.Transport{Pooling: delivery.Pooling{Enabled: true}, Sources: []delivery.Source{{Addr: netip.MustParseAddr("127.0.3.9"), Proxy: px.proxy(1)}}}
		out := c.Deliver(t.Context(), attempt(t, tr), p.destination())
		if want := i/2 + 1; out.Status != delivery.Delivered || out.Connection.Transactions != want || out.Connection.Proxy != px.addr {
			t.Errorf("message %d: %v, transaction %d of %v", i, out.Status, out.Connection.Transactions, out.Connection.Proxy)
		}
	}
}

// A proxy can be given by its name.
func TestProxyByName(t *testing.T) {
	px, p := newOutbound(t), newPeer(t)
	c := resolving(t, delivery.Options{}, "proxy.example. 300 IN A 127.0.0.1")
	tr := &delivery.Transport{Proxy: &delivery.Proxy{Server: "proxy.example", Port: px.addr.Port()}}
	if out := c.Deliver(t.Context(), attempt(t, tr), p.destination()); out.Status != delivery.Delivered || out.Connection.Proxy != px.addr {
		t.Errorf("%v %v", out.Status, out.Err)
	}
	tr = &delivery.Transport{Proxy: &delivery.Proxy{Server: "nowhere.example", Port: 1}}
	if out := c.Deliver(t.Context(), attempt(t, tr), p.destination()); out.Status != delivery.Deferred || !errors.Is(out.Err, delivery.ErrProxy) {
		t.Errorf("%v %v", out.Status, out.Err)
	}
}
