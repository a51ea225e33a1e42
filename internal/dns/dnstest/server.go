// Package dnstest is a DNS server for tests. It answers from zone text, follows
// aliases as a recursive resolver does, counts what it is asked, and misbehaves
// on request.
//
//	srv := dnstest.New(t, `
//		example.com.    300 IN MX 10 mx.example.com.
//		mx.example.com. 300 IN A  127.0.0.1
//	`)
//	srv.Fault("mx.example.com", "AAAA", dnstest.Fault{RCode: "SERVFAIL"})
//
// A name with no records of its own and none beneath it does not exist. The
// server never looks further than its text.
package dnstest

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	wire "github.com/miekg/dns"
)

// Server answers questions. It is safe for concurrent use.
type Server struct {
	addr netip.AddrPort
	done chan struct{} // closed by the test's clean-up

	mu     sync.Mutex
	zone   []wire.RR
	ad     bool
	faults map[key]*Fault
	counts map[key]int
	wg     sync.WaitGroup // connections of Dial
}

type key struct{ name, typ string }

// Fault is how to answer one question wrongly. Zero fields do no harm.
type Fault struct {
	Times    int           // how often; zero: always
	Drop     bool          // do not answer at all
	RCode    string        // answer with this code, such as "SERVFAIL", and no records
	Truncate bool          // over UDP, answer with TC and no records
	NoEDNS   bool          // answer FORMERR to a question with EDNS
	Forge    bool          // over UDP, send a wrong id and then a wrong question first
	Delay    time.Duration // before the answer
}

// New starts a server on loopback, UDP and TCP, that stops with the test.
func New(t testing.TB, zone string) *Server {
	t.Helper()
	s := Pipe(t, zone)
	pc, l := listen(t)
	s.addr = netip.MustParseAddrPort(pc.LocalAddr().String())
	for _, srv := range []*wire.Server{{PacketConn: pc, Handler: s}, {Listener: l, Handler: s}} {
		started := make(chan struct{})
		srv.NotifyStartedFunc = func() { close(started) }
		ended := make(chan struct{})
		go func() { defer close(ended); _ = srv.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = srv.Shutdown(); <-ended })
	}
	return s
}

// Pipe returns a server without sockets that is reached through Dial only, for
// tests with synthetic time.
func Pipe(t testing.TB, zone string) *Server {
	t.Helper()
	s := &Server{faults: map[key]*Fault{}, counts: map[key]int{}, done: make(chan struct{})}
	s.SetZone(t, zone)
	t.Cleanup(func() { close(s.done); s.wg.Wait() })
	return s
}

// listen finds a port that is free for both protocols.
func listen(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	var err error
	for range 20 {
		var pc net.PacketConn
		if pc, err = net.ListenPacket("udp", "127.0.0.1:0"); err != nil {
			break
		}
		var l net.Listener
		if l, err = net.Listen("tcp", pc.LocalAddr().String()); err == nil {
			return pc, l
		}
		pc.Close()
	}
	t.Fatalf("dnstest: %v", err)
	return nil, nil
}

// Addr is where the server listens.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// SetZone replaces all records.
func (s *Server) SetZone(t testing.TB, zone string) {
	t.Helper()
	lines := strings.Split(zone, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line) // an indented line would inherit the name above
	}
	var rrs []wire.RR
	p := wire.NewZoneParser(strings.NewReader(strings.Join(lines, "\n")), ".", "zone")
	p.SetDefaultTTL(300)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		rrs = append(rrs, rr)
	}
	if err := p.Err(); err != nil {
		t.Fatalf("dnstest: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone = rrs
}

// Validate makes the server set the AD bit in all answers, or no longer.
func (s *Server) Validate(ad bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ad = ad
}

// Fault makes answers to one question go wrong. The type "*" stands for all.
// A zero Fault mends them.
func (s *Server) Fault(name, typ string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[key{fold(name), typ}] = &f
}

// Count returns how often a question came, over UDP and TCP. The type "*"
// stands for all.
func (s *Server) Count(name, typ string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if typ != "*" {
		return s.counts[key{fold(name), typ}]
	}
	n := 0
	for k, c := range s.counts {
		if k.name == fold(name) {
			n += c
		}
	}
	return n
}

func fold(name string) string { return strings.ToLower(wire.Fqdn(name)) }

// Dial returns a connection to the server that needs no socket, whatever the
// address. It has the shape of net.Dialer.DialContext.
func (s *Server) Dial(_ context.Context, network, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	s.wg.Go(func() {
		defer server.Close()
		conn := &wire.Conn{Conn: server}
		request, err := conn.ReadMsg()
		if err != nil {
			return
		}
		for _, m := range s.respond(request, network == "udp") {
			if conn.WriteMsg(m) != nil {
				return
			}
		}
		// The client hangs up, also when there was no answer.
		_, _ = server.Read(make([]byte, 1))
	})
	return client, nil
}

// ServeDNS implements the handler of the wire library.
func (s *Server) ServeDNS(w wire.ResponseWriter, request *wire.Msg) {
	_, udp := w.LocalAddr().(*net.UDPAddr)
	for _, m := range s.respond(request, udp) {
		_ = w.WriteMsg(m)
	}
}

// respond returns the messages with which to answer, none for a dropped one.
func (s *Server) respond(request *wire.Msg, udp bool) []*wire.Msg {
	if len(request.Question) != 1 {
		return nil
	}
	q := request.Question[0]
	f := s.note(key{fold(q.Name), wire.TypeToString[q.Qtype]})
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-s.done:
		}
	}
	if f.Drop {
		return nil
	}
	m := s.answer(request)
	switch {
	case f.NoEDNS && request.IsEdns0() != nil:
		m = new(wire.Msg).SetRcode(request, wire.RcodeFormatError)
	case f.RCode != "":
		m = new(wire.Msg).SetRcode(request, wire.StringToRcode[f.RCode])
	}
	if udp {
		fit(m, request, f.Truncate)
	}
	if udp && f.Forge {
		return append(forgeries(request), m)
	}
	return []*wire.Msg{m}
}

// fit cuts an answer to what the client can take over UDP.
func fit(m, request *wire.Msg, cut bool) {
	size := wire.MinMsgSize
	if opt := request.IsEdns0(); opt != nil {
		size = int(opt.UDPSize())
	}
	m.Truncate(size)
	if cut {
		m.Answer, m.Truncated = nil, true
	}
}

// note counts a question and returns the fault to apply.
func (s *Server) note(k key) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[k]++
	for _, k := range []key{k, {k.name, "*"}} {
		f := s.faults[k]
		if f == nil {
			continue
		}
		now := *f
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				delete(s.faults, k)
			}
		}
		return now
	}
	return Fault{}
}

// forgeries are answers such as somebody sends who has to guess.
func forgeries(request *wire.Msg) []*wire.Msg {
	id := new(wire.Msg).SetReply(request)
	id.Id++
	name := new(wire.Msg).SetReply(request)
	name.Question = []wire.Question{{Name: "forged.example.", Qtype: wire.TypeA, Qclass: wire.ClassINET}}
	return []*wire.Msg{id, name}
}

// answer looks the question up in the zone.
func (s *Server) answer(request *wire.Msg) *wire.Msg {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := new(wire.Msg).SetReply(request)
	m.RecursionAvailable = true
	m.AuthenticatedData = s.ad
	name, typ := fold(request.Question[0].Name), request.Question[0].Qtype
	for range 10 {
		alias, exists := "", false
		for _, rr := range s.zone {
			h := rr.Header()
			owner := fold(h.Name)
			exists = exists || owner == name || strings.HasSuffix(owner, "."+name)
			if owner != name {
				continue
			}
			if h.Rrtype == typ || typ == wire.TypeANY {
				m.Answer = append(m.Answer, rr)
			} else if c, ok := rr.(*wire.CNAME); ok {
				m.Answer = append(m.Answer, rr)
				alias = fold(c.Target)
			}
		}
		if !exists {
			m.Rcode = wire.RcodeNameError
		}
		if alias == "" {
			break
		}
		name = alias
	}
	if m.Rcode != wire.RcodeSuccess || len(m.Answer) == 0 || m.Answer[len(m.Answer)-1].Header().Rrtype != typ && typ != wire.TypeANY {
		m.Ns = s.authority(name)
	}
	return m
}

// authority returns the SOA record of the closest zone, made up where the text
// has none.
func (s *Server) authority(name string) []wire.RR {
	var best wire.RR
	for _, rr := range s.zone {
		if owner := fold(rr.Header().Name); rr.Header().Rrtype == wire.TypeSOA && wire.IsSubDomain(owner, name) &&
			(best == nil || len(owner) > len(best.Header().Name)) {
			best = rr
		}
	}
	if best == nil {
		best, _ = wire.NewRR(". 60 IN SOA ns. root. 1 3600 600 86400 60")
	}
	return []wire.RR{best}
}
