package dane

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	wire "github.com/miekg/dns"

	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// harm is what is wrong with the signatures over one set of records.
type harm int

const (
	sound      harm = iota
	expired         // out of date since yesterday
	premature       // in date from tomorrow
	corrupt         // the signature is damaged
	stripped        // there is none
	foreign         // made with a key that the zone does not publish
	forged          // the records were changed after they were signed
	unproven        // the records are denied without a proof
	failing         // the server of the zone answers SERVFAIL
	misnamed        // the signature names another zone as the signer
	unknownKey      // the signature names a key that the zone does not have
)

// zones is the authoritative server of signed.example, which signs each answer as
// it goes out, and of plain.example, which is not signed.
type zones struct {
	key, other       *wire.DNSKEY
	signer, stranger crypto.Signer
	records          []wire.RR
	harms            map[string]harm // by name and type
}

const (
	signedZone = "signed.example."
	plainZone  = "plain.example."
)

func newZones(t *testing.T, text string, harms map[string]harm) *zones {
	t.Helper()
	z := &zones{harms: harms}
	z.key, z.signer = zoneKey(t)
	z.other, z.stranger = zoneKey(t)
	soa := " 60 IN SOA ns. hostmaster. 1 3600 600 86400 60\n"
	text = signedZone + soa + plainZone + soa + signedZone + " NS ns." + signedZone + "\n" + plainZone + " NS ns." + plainZone + "\n" + text
	p := wire.NewZoneParser(strings.NewReader(text), ".", "")
	p.SetDefaultTTL(60)
	for rr, ok := p.Next(); ok; rr, ok = p.Next() {
		z.records = append(z.records, rr)
	}
	if p.Err() != nil {
		t.Fatal(p.Err())
	}
	z.records = append(z.records, z.key)
	return z
}

func zoneKey(t *testing.T) (*wire.DNSKEY, crypto.Signer) {
	t.Helper()
	k := &wire.DNSKEY{
		Hdr:   wire.RR_Header{Name: signedZone, Rrtype: wire.TypeDNSKEY, Class: wire.ClassINET, Ttl: 60},
		Flags: 257, Protocol: 3, Algorithm: wire.ECDSAP256SHA256,
	}
	private, err := k.Generate(256)
	if err != nil {
		t.Fatal(err)
	}
	return k, private.(*ecdsa.PrivateKey)
}

// ServeDNS answers one question with what the zone has at the name, or with a
// proof that it has no such thing there.
func (z *zones) ServeDNS(w wire.ResponseWriter, q *wire.Msg) {
	name, typ := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
	m := new(wire.Msg).SetReply(q)
	m.Authoritative = true
	m.SetEdns0(1232, true)
	found := z.set(name, typ)
	if len(found) == 0 && typ != wire.TypeCNAME {
		found = z.set(name, wire.TypeCNAME)
	}
	wrong := z.harms[strings.TrimSuffix(name, ".")+" "+wire.TypeToString[typ]]
	switch {
	case wrong == failing:
		m.Rcode = wire.RcodeServerFailure
	case len(found) > 0 && wrong != unproven:
		m.Answer = z.signed(found, wrong)
	default:
		m.Ns = z.denial(name, wrong)
	}
	_ = w.WriteMsg(m)
}

func (z *zones) set(name string, typ uint16) (out []wire.RR) {
	for _, rr := range z.records {
		if rr.Header().Name == name && rr.Header().Rrtype == typ {
			out = append(out, rr)
		}
	}
	return out
}

// denial proves by a record that covers nothing but the name which types it has
// (RFC 4470).
func (z *zones) denial(name string, wrong harm) []wire.RR {
	zone := signedZone
	if strings.HasSuffix(name, plainZone) {
		zone = plainZone
	}
	out := z.signed(z.set(zone, wire.TypeSOA), sound)
	if wrong == unproven || zone == plainZone {
		return out
	}
	types := []uint16{wire.TypeRRSIG, wire.TypeNSEC}
	for _, rr := range z.records {
		if rr.Header().Name == name && !slices.Contains(types, rr.Header().Rrtype) {
			types = append(types, rr.Header().Rrtype)
		}
	}
	slices.Sort(types)
	proof := &wire.NSEC{
		Hdr:        wire.RR_Header{Name: name, Rrtype: wire.TypeNSEC, Class: wire.ClassINET, Ttl: 60},
		NextDomain: `\000.` + name, TypeBitMap: types,
	}
	return append(out, z.signed([]wire.RR{proof}, wrong)...)
}

// signed adds the signature to a set.
func (z *zones) signed(set []wire.RR, wrong harm) []wire.RR {
	if !strings.HasSuffix(set[0].Header().Name, signedZone) || wrong == stripped {
		return set
	}
	now := time.Now()
	from, until := now.Add(-time.Hour), now.Add(24*time.Hour)
	key, signer := z.key, z.signer
	switch wrong {
	case expired:
		from, until = now.Add(-72*time.Hour), now.Add(-24*time.Hour)
	case premature:
		from, until = now.Add(24*time.Hour), now.Add(72*time.Hour)
	case foreign:
		signer = z.stranger
	case unknownKey:
		key, signer = z.other, z.stranger
	}
	sig := &wire.RRSIG{
		Algorithm: key.Algorithm, KeyTag: key.KeyTag(), SignerName: signedZone,
		Inception: uint32(from.Unix()), Expiration: uint32(until.Unix()),
	}
	if wrong == misnamed {
		sig.SignerName = plainZone
	}
	if err := sig.Sign(signer, set); err != nil {
		panic(err)
	}
	switch wrong {
	case corrupt:
		raw, _ := base64.StdEncoding.DecodeString(sig.Signature)
		raw[7] ^= 1
		sig.Signature = base64.StdEncoding.EncodeToString(raw)
	case forged:
		set = []wire.RR{wire.Copy(set[0])}
		if r, ok := set[0].(*wire.TLSA); ok {
			r.Certificate = digest256
		}
	}
	return append(slices.Clone(set), sig)
}

// serve starts the server on loopback until the test ends.
func (z *zones) serve(t *testing.T) netip.AddrPort {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan struct{}), make(chan struct{})
	srv := &wire.Server{PacketConn: pc, Handler: z, NotifyStartedFunc: func() { close(started) }}
	go func() { defer close(ended); _ = srv.ActivateAndServe() }()
	<-started
	t.Cleanup(func() { _ = srv.Shutdown(); <-ended })
	return netip.MustParseAddrPort(pc.LocalAddr().String())
}

// validator starts unbound as the resolver of this machine would run, with the
// key of signed.example as its trust anchor, and returns our resolver that asks it.
func validator(t *testing.T, z *zones) *dns.Resolver {
	t.Helper()
	program := testenv.Program(t, "unbound")
	zone := z.serve(t)
	// An address of our own among the loopback ones, so that nobody takes the port
	// between its choice and its use.
	ip := netip.AddrFrom4([4]byte{127, byte(1 + rand.IntN(250)), byte(rand.IntN(256)), byte(1 + rand.IntN(250))})
	l, err := net.Listen("tcp", netip.AddrPortFrom(ip, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(l.Addr().String())
	l.Close()
	dir := t.TempDir()
	config := fmt.Sprintf(`server:
  interface: %s@%d
  port: %d
  directory: %q
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  do-ip6: no
  num-threads: 1
  do-not-query-localhost: no
  qname-minimisation: no
  module-config: "validator iterator"
  val-log-level: 2
  access-control: 127.0.0.0/8 allow
  trust-anchor: "%s"
remote-control:
  control-enable: no
`, addr.Addr(), addr.Port(), addr.Port(), dir, strings.Join(strings.Fields(z.key.String()), " "))
	for _, name := range []string{signedZone, plainZone} {
		config += fmt.Sprintf("stub-zone:\n  name: %q\n  stub-addr: %s@%d\n", name, zone.Addr(), zone.Port())
	}
	file := filepath.Join(dir, "unbound.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, exec.Command(program, "-d", "-c", file))
	r, err := dns.New(dns.Options{Servers: []netip.AddrPort{addr}, Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	awaitAnswer(t, addr)
	return r
}

func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	log := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log)
		}
	})
}

// awaitAnswer waits until the resolver answers.
func awaitAnswer(t *testing.T, addr netip.AddrPort) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, question := &wire.Client{Net: "tcp"}, new(wire.Msg).SetQuestion(plainZone, wire.TypeSOA)
	for {
		m, _, err := client.ExchangeContext(ctx, question, addr.String())
		if err == nil && m.Rcode == wire.RcodeSuccess {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the resolver does not answer: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
