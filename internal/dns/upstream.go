package dns

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	wire "github.com/miekg/dns"
)

// upstream is one recursive resolver.
type upstream struct {
	addr    string
	trusted bool // its AD bit is believed
	// misses counts time-outs in a row; after a few of them the upstream is
	// asked last until shunned, in Unix nanoseconds, has passed.
	misses  atomic.Int32
	shunned atomic.Int64
}

const (
	maxMisses = 3
	shunFor   = 30 * time.Second
	// udpSize is what passes without fragments nearly everywhere (RFC 9715 §3.2).
	udpSize = 1232
)

// upstreams lists the servers to ask, by the settings or by resolv.conf.
func upstreams(o *Options) ([]*upstream, error) {
	servers, trust := o.Servers, o.TrustAD
	if len(servers) == 0 {
		path := o.ResolvConf
		if path == "" {
			path = "/etc/resolv.conf"
		}
		found, trustAD, err := readResolvConf(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("dns: %w", err)
		}
		servers, trust = found, trust || trustAD
	}
	if len(servers) == 0 {
		servers = []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 53)}
	}
	var out []*upstream
	for _, s := range servers {
		out = append(out, &upstream{addr: s.String(), trusted: trust || s.Addr().IsLoopback()})
	}
	return out, nil
}

// readResolvConf reads the nameserver lines and the option trust-ad of a file
// in the form of resolv.conf(5). Lines that it does not understand are passed
// over, as every reader of that file does.
func readResolvConf(path string) (servers []netip.AddrPort, trustAD bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) < 2:
		case fields[0] == "nameserver":
			if a, err := netip.ParseAddr(fields[1]); err == nil {
				servers = append(servers, netip.AddrPortFrom(a, 53))
			}
		case fields[0] == "options":
			trustAD = trustAD || slices.Contains(fields, "trust-ad")
		}
	}
	return servers, trustAD, lines.Err()
}

// ask tries the upstreams in turn until one gives a usable answer. When all
// that were heard refuse or fail, the last such answer is returned.
func (s *settings) ask(ctx context.Context, q question) (*Answer, error) {
	order := s.order()
	tries := max(1+s.Retries, len(order))
	var failed *Answer
	var lastErr error
	refusals := 0
	for i := 0; i < tries && ctx.Err() == nil; i++ {
		u := order[i%len(order)]
		m, err := s.try(ctx, u, q)
		if err != nil {
			lastErr = &Error{Name: q.name, Type: q.typ, Reason: reasonOf(err), Server: u.addr, Cause: err}
			continue
		}
		a := newAnswer(q, m, u)
		if a.RCode == NoError || a.RCode == NXDomain {
			return a, nil
		}
		failed = a
		if refusals++; refusals >= len(order) {
			break // each has had its say; asking again at once changes nothing
		}
	}
	if failed != nil {
		return failed, nil
	}
	if lastErr == nil {
		lastErr = &Error{Name: q.name, Type: q.typ, Reason: ErrTimeout, Cause: ctx.Err()}
	}
	return nil, lastErr
}

// order puts the upstreams that answer before those that have not for a while.
func (s *settings) order() []*upstream {
	if len(s.upstreams) == 1 {
		return s.upstreams
	}
	now := time.Now().UnixNano()
	shunned := func(u *upstream) bool { return u.shunned.Load() > now }
	out := make([]*upstream, 0, len(s.upstreams))
	for _, u := range s.upstreams {
		if !shunned(u) {
			out = append(out, u)
		}
	}
	for _, u := range s.upstreams {
		if !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

// try asks one upstream: by UDP, by TCP if the answer was cut, and without EDNS
// if it is not understood (RFC 6891 §7).
func (s *settings) try(ctx context.Context, u *upstream, q question) (*wire.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	request := newRequest(q)
	m, err := s.exchange(ctx, "udp", u.addr, request)
	if err == nil && m.Rcode == wire.RcodeFormatError {
		request.Extra = nil
		m, err = s.exchange(ctx, "udp", u.addr, request)
	}
	if err == nil && m.Truncated {
		m, err = s.exchange(ctx, "tcp", u.addr, request)
	}
	if err == nil {
		u.misses.Store(0)
	} else if u.misses.Add(1) >= maxMisses {
		u.shunned.Store(time.Now().Add(shunFor).UnixNano())
	}
	return m, err
}

// newRequest asks with EDNS, with DO and with AD, so that a validating upstream
// says what it found (RFC 6840 §5.7).
func newRequest(q question) *wire.Msg {
	m := new(wire.Msg)
	m.SetQuestion(wire.Fqdn(q.name), uint16(q.typ))
	m.AuthenticatedData = true
	m.SetEdns0(udpSize, true)
	return m
}

// exchange sends one message over a connection of its own, whose random source
// port is, with the random id, what a forger has to guess (RFC 5452 §4).
func (s *settings) exchange(ctx context.Context, network, addr string, request *wire.Msg) (*wire.Msg, error) {
	request.Id = wire.Id()
	c, err := s.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) }) // wakes who reads or writes
	defer stop()
	conn := &wire.Conn{Conn: c, UDPSize: udpSize}
	if err := conn.WriteMsg(request); err != nil {
		return nil, err
	}
	return receive(conn, request)
}

// receive reads until the answer to request comes. Over UDP anything else is a
// forgery or a late answer and is passed over.
func receive(conn *wire.Conn, request *wire.Msg) (*wire.Msg, error) {
	_, datagrams := conn.Conn.(net.PacketConn)
	for {
		b, err := conn.ReadMsgHeader(nil)
		if err != nil && (!datagrams || !errors.Is(err, wire.ErrShortRead)) {
			return nil, err
		}
		m := new(wire.Msg)
		err = m.Unpack(b) // fails for one cut within a record, which TCP will mend
		if (err == nil || m.Truncated) && answers(m, request) {
			return m, nil
		}
		if !datagrams {
			return nil, errors.New("answer to another question")
		}
	}
}

// answers reports whether m is a response to request. A server that does not
// understand the request may leave the question out.
func answers(m, request *wire.Msg) bool {
	if !m.Response || m.Id != request.Id {
		return false
	}
	if len(m.Question) == 0 {
		return m.Rcode != wire.RcodeSuccess && m.Rcode != wire.RcodeNameError
	}
	asked, echoed := request.Question[0], m.Question[0]
	return len(m.Question) == 1 && echoed.Qtype == asked.Qtype && echoed.Qclass == asked.Qclass &&
		strings.EqualFold(echoed.Name, asked.Name)
}

func newAnswer(q question, m *wire.Msg, u *upstream) *Answer {
	return &Answer{
		Name: q.name, Type: q.typ, RCode: RCode(m.Rcode),
		Records: records(m.Answer), Authority: records(m.Ns),
		AuthenticData: m.AuthenticatedData,
		Secure:        m.AuthenticatedData && u.trusted,
		Server:        u.addr,
	}
}
