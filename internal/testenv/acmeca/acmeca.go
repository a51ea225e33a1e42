// Package acmeca is a certificate authority for tests: pebble within the
// process, with a DNS of its own in which every name leads to this host until a
// test says otherwise.
package acmeca

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	wire "github.com/miekg/dns"
)

// Options say what the authority is like.
type Options struct {
	HTTPPort, TLSPort int // where it looks for answers to challenges
	NonceReject       int // percentage of good nonces that it refuses
	AlwaysValid       bool
	Binding           map[string]string // external accounts that it wants, by key id
	CAAIdentities     []string
	// Profiles that it has besides classic. It chooses one at random for an order
	// that names none.
	Profiles []string
}

// CA is the authority. It is safe for concurrent use.
type CA struct {
	Directory string         // URL
	TLSRoots  *x509.CertPool // that its own server is certified by
	RootsPEM  []byte         // the same
	DNS       *Zone

	server, management *httptest.Server
	db                 *db.MemoryStore
	orders             atomic.Int64
	fault              atomic.Pointer[Fault]
}

// Fault is an answer that the authority gives in place of its own.
type Fault struct {
	Path       string // beginning of the path that it is for
	Status     int
	Type       string // last word of the problem type
	Detail     string
	RetryAfter string
	Down       bool // hang up instead
}

// lives are those of the certificates of each profile.
var lives = map[string]time.Duration{"classic": 90 * 24 * time.Hour, "shortlived": 160 * time.Hour, "tiny": 30 * time.Second}

// New starts an authority that ends with the test. It sets variables of the
// environment while it does, so that the test must not be parallel before.
func New(t testing.TB, o Options) *CA {
	t.Helper()
	for name, value := range map[string]string{
		"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_NONCEREJECT": fmt.Sprint(o.NonceReject),
		"PEBBLE_VA_ALWAYS_VALID": map[bool]string{true: "1"}[o.AlwaysValid],
	} {
		t.Setenv(name, value)
	}
	quiet := log.New(io.Discard, "", 0)
	c := &CA{DNS: NewZone(t), db: db.NewMemoryStore()}
	profiles := map[string]ca.Profile{}
	for _, name := range append([]string{"classic"}, o.Profiles...) {
		profiles[name] = ca.Profile{Description: name, ValidityPeriod: uint64(lives[name] / time.Second)}
	}
	for id, key := range o.Binding {
		if err := c.db.AddExternalAccountKeyByID(id, key); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.db.AddBlockedDomain("blocked.example"); err != nil {
		t.Fatal(err)
	}
	authority := ca.New(quiet, c.db, "", "ecdsa", 0, 1, profiles)
	validation := va.New(quiet, o.HTTPPort, o.TLSPort, true, c.DNS.Addr.String(), c.db)
	front := wfe.New(quiet, c.db, validation, authority, o.CAAIdentities, true, o.Binding != nil, 0, 0)
	c.server = httptest.NewUnstartedServer(c.faulty(front.Handler()))
	c.server.Config.ErrorLog = quiet
	c.server.StartTLS()
	t.Cleanup(c.server.Close)
	c.management = httptest.NewServer(front.ManagementHandler())
	t.Cleanup(c.management.Close)
	c.Directory = c.server.URL + wfe.DirectoryPath
	c.TLSRoots = x509.NewCertPool()
	c.TLSRoots.AddCert(c.server.Certificate())
	c.RootsPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.server.Certificate().Raw})
	return c
}

// Fail makes the authority give an answer in place of its own; nil mends it.
func (c *CA) Fail(f *Fault) { c.fault.Store(f) }

// Orders counts the orders that were asked for.
func (c *CA) Orders() int { return int(c.orders.Load()) }

func (c *CA) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := c.fault.Load(); f != nil && strings.HasPrefix(r.URL.Path, f.Path) {
			f.serve(w)
			return
		}
		if r.URL.Path == wfe.DirectoryPath || !strings.HasPrefix(r.URL.Path, "/order-plz") {
			next.ServeHTTP(w, r)
			return
		}
		counted := &statusWriter{ResponseWriter: w}
		next.ServeHTTP(counted, r)
		if counted.status == http.StatusCreated {
			c.orders.Add(1)
		}
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

func (f *Fault) serve(w http.ResponseWriter) {
	if f.Down {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			conn.Close()
		}
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	w.WriteHeader(f.Status)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "urn:ietf:params:acme:error:" + f.Type, "detail": f.Detail, "status": f.Status})
}

// Roots are those of the certificates that it issues.
func (c *CA) Roots(t testing.TB) *x509.CertPool {
	t.Helper()
	response, err := http.Get(c.management.URL + "/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		t.Fatalf("no roots in %q", data)
	}
	return pool
}

// SetWindow makes the authority want a certificate to be renewed in a window, or
// with the raw text give any answer.
func (c *CA) SetWindow(t testing.TB, serial *big.Int, text string) {
	t.Helper()
	if err := c.db.SetARIResponse(serial, text); err != nil {
		t.Fatal(err)
	}
}

// WindowText is what an authority says of a window.
func WindowText(start, end time.Time) string {
	return fmt.Sprintf(`{"suggestedWindow":{"start":%q,"end":%q},"explanationURL":"https://ca.test/why"}`,
		start.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339))
}

// Replaced reports whether the order of a certificate was named as replaced by a
// later one.
func (c *CA) Replaced(serial *big.Int) bool {
	order, err := c.db.GetOrderByIssuedSerial(hex.EncodeToString(serial.Bytes()))
	if err != nil {
		return false
	}
	return order.IsReplaced
}

// Zone is the DNS of the authority. Names that it does not know lead to
// 127.0.0.1. It takes dynamic updates.
type Zone struct {
	Addr netip.AddrPort

	mu      sync.Mutex
	hosts   map[string][]string // addresses by name
	aliases map[string]string
	texts   map[string][]string
	caa     map[string][]string // zone text
	broken  map[string]bool     // SERVFAIL
	missing map[string]bool     // NXDOMAIN
	refused int                 // updates without a good signature
}

// The key with which updates must be signed.
const (
	UpdateKey    = "updates.test."
	UpdateSecret = "c2VjcmV0IG9mIHRoZSB0ZXN0cyBmb3IgdXBkYXRlcy4="
)

// NewZone starts the server on loopback, TCP and UDP.
func NewZone(t testing.TB) *Zone {
	t.Helper()
	z := &Zone{
		hosts: map[string][]string{}, aliases: map[string]string{}, texts: map[string][]string{}, caa: map[string][]string{},
		broken: map[string]bool{}, missing: map[string]bool{},
	}
	packets, stream := listen(t)
	z.Addr = netip.MustParseAddrPort(packets.LocalAddr().String())
	secrets := map[string]string{UpdateKey: UpdateSecret}
	for _, s := range []*wire.Server{
		{PacketConn: packets, Handler: z, TsigSecret: secrets, MsgAcceptFunc: accept}, {Listener: stream, Handler: z, TsigSecret: secrets, MsgAcceptFunc: accept},
	} {
		started, ended := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { defer close(ended); _ = s.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = s.Shutdown(); <-ended })
	}
	return z
}

// accept takes updates besides questions.
func accept(h wire.Header) wire.MsgAcceptAction {
	if opcode := int(h.Bits>>11) & 0xF; opcode == wire.OpcodeUpdate {
		return wire.MsgAccept
	}
	return wire.DefaultMsgAcceptFunc(h)
}

func listen(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if stream, err := net.Listen("tcp", packets.LocalAddr().String()); err == nil {
			return packets, stream
		}
		packets.Close()
	}
	t.Fatal("acmeca: no port is free for both protocols")
	return nil, nil
}

func fold(name string) string { return strings.ToLower(wire.Fqdn(name)) }

func (z *Zone) edit(f func()) {
	z.mu.Lock()
	defer z.mu.Unlock()
	f()
}

// Host sets the addresses of a name; none makes it lead to 127.0.0.1 again.
func (z *Zone) Host(name string, addresses ...string) {
	z.edit(func() { z.hosts[fold(name)] = addresses })
}

// Alias makes a name a CNAME of another.
func (z *Zone) Alias(name, target string) { z.edit(func() { z.aliases[fold(name)] = fold(target) }) }

// Break makes questions about a name fail, or no longer.
func (z *Zone) Break(name string, broken bool) { z.edit(func() { z.broken[fold(name)] = broken }) }

// Miss makes a name not exist, or exist again.
func (z *Zone) Miss(name string, missing bool) { z.edit(func() { z.missing[fold(name)] = missing }) }

// CAA sets the records of a name, such as `0 issue "ca.test"`.
func (z *Zone) CAA(name string, records ...string) { z.edit(func() { z.caa[fold(name)] = records }) }

// AddText adds a TXT record.
func (z *Zone) AddText(name, value string) {
	z.edit(func() { z.texts[fold(name)] = append(z.texts[fold(name)], value) })
}

// Texts returns those of a name.
func (z *Zone) Texts(name string) []string {
	z.mu.Lock()
	defer z.mu.Unlock()
	return append([]string(nil), z.texts[fold(name)]...)
}

// RemoveText removes one.
func (z *Zone) RemoveText(name, value string) {
	z.edit(func() {
		var rest []string
		for _, v := range z.texts[fold(name)] {
			if v != value {
				rest = append(rest, v)
			}
		}
		z.texts[fold(name)] = rest
	})
}

// Refused counts updates without a good signature.
func (z *Zone) Refused() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.refused
}

// ServeDNS implements the handler of the wire library.
func (z *Zone) ServeDNS(w wire.ResponseWriter, request *wire.Msg) {
	m := new(wire.Msg).SetReply(request)
	if request.Opcode == wire.OpcodeUpdate {
		z.update(w, request, m)
	} else if len(request.Question) == 1 {
		z.answer(request.Question[0], m)
	}
	if tsig := request.IsTsig(); tsig != nil && w.TsigStatus() == nil {
		m.SetTsig(tsig.Hdr.Name, tsig.Algorithm, 300, time.Now().Unix())
	}
	_ = w.WriteMsg(m)
}

func (z *Zone) update(w wire.ResponseWriter, request, m *wire.Msg) {
	if request.IsTsig() == nil || w.TsigStatus() != nil {
		z.edit(func() { z.refused++ })
		m.Rcode = wire.RcodeRefused
		return
	}
	for _, rr := range request.Ns {
		text, ok := rr.(*wire.TXT)
		if !ok {
			continue
		}
		if text.Hdr.Class == wire.ClassINET {
			z.AddText(text.Hdr.Name, strings.Join(text.Txt, ""))
		} else {
			z.RemoveText(text.Hdr.Name, strings.Join(text.Txt, ""))
		}
	}
}

func (z *Zone) answer(q wire.Question, m *wire.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	name := fold(q.Name)
	if z.broken[name] {
		m.Rcode = wire.RcodeServerFailure
		return
	}
	if target := z.aliases[name]; target != "" {
		m.Answer = append(m.Answer, record("%s 1 IN CNAME %s", name, target))
		name = target
	}
	m.Answer = append(m.Answer, z.records(name, q.Qtype)...)
	if len(m.Answer) == 0 {
		if z.missing[name] {
			m.Rcode = wire.RcodeNameError
		}
		m.Ns = []wire.RR{record(". 1 IN SOA ns. root. 1 1 1 1 1")}
	}
}

func (z *Zone) records(name string, kind uint16) (out []wire.RR) {
	switch kind {
	case wire.TypeA, wire.TypeAAAA:
		addresses := z.hosts[name]
		if len(addresses) == 0 && !z.missing[name] {
			addresses = []string{"127.0.0.1"}
		}
		for _, a := range addresses {
			if strings.Contains(a, ":") == (kind == wire.TypeAAAA) {
				out = append(out, record("%s 1 IN %s %s", name, wire.TypeToString[kind], a))
			}
		}
	case wire.TypeTXT:
		for _, text := range z.texts[name] {
			out = append(out, record("%s 1 IN TXT %q", name, text))
		}
	case wire.TypeCAA:
		for _, text := range z.caa[name] {
			out = append(out, record("%s 1 IN CAA %s", name, text))
		}
	case wire.TypeSOA:
		if strings.Count(name, ".") == 2 { // every second level is a zone
			out = append(out, record("%s 1 IN SOA ns.%s root.%s 1 1 1 1 1", name, name, name))
		}
	}
	return out
}

func record(format string, args ...any) wire.RR {
	rr, err := wire.NewRR(fmt.Sprintf(format, args...))
	if err != nil {
		panic(err) // the text is a test's own
	}
	return rr
}
