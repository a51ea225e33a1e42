package acme_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/pki/acme"
	"github.com/posthaste-mta/posthaste/internal/testenv/acmeca"
)

// bench is a manager, the authority that it asks, and the listeners on which the
// authority looks for answers.
type bench struct {
	t         testing.TB
	ca        *acmeca.CA
	dir       string
	resolver  *dns.Resolver
	manager   *acme.Keeper
	responder atomic.Pointer[acme.Responder]
	connect   string // the HTTP listener
	options   *acme.Options
	warned    chan string
	moved     chan string
}

func newBench(t *testing.T, o acmeca.Options) *bench {
	t.Helper()
	b := &bench{t: t, dir: filepath.Join(t.TempDir(), "acme"), warned: make(chan string, 1000), moved: make(chan string, 10)}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if responder := b.responder.Load(); responder != nil {
			responder.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(web.Close)
	b.connect = web.Listener.Addr().String()
	secure, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go b.serveTLS(secure)
	t.Cleanup(func() { secure.Close() })
	o.HTTPPort, o.TLSPort = port(web.Listener), port(secure)
	b.ca = acmeca.New(t, o)
	b.resolver, err = dns.New(dns.Options{Servers: dnsServers(b.ca), Timeout: 2 * time.Second})
	must(t, err)
	t.Cleanup(b.resolver.Stop)
	b.options = &acme.Options{
		Agreed: true, Email: "ops@example.com", Authorities: []acme.Authority{{Directory: b.ca.Directory, Roots: b.ca.TLSRoots}},
		Check:  acme.Check{Mode: acme.CheckRequire, Connect: b.connect, AllowPrivate: true},
		Budget: acme.Budget{Burst: 1000, Every: time.Millisecond, New: 10000, Window: time.Hour},
	}
	return b
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func (b *bench) serveTLS(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			if responder := b.responder.Load(); responder != nil {
				_ = tls.Server(conn, responder.Config()).Handshake()
			}
		}()
	}
}

// want replaces the names that want a certificate.
func (b *bench) want(names ...string) *bench {
	b.options.Wants = nil
	for _, n := range names {
		b.options.Wants = append(b.options.Wants, acme.Want{Name: n})
	}
	if b.manager != nil {
		o := *b.options
		b.manager.Configure(&o)
	}
	return b
}

// start runs a manager on the folder of the bench.
func (b *bench) start() *bench {
	b.t.Helper()
	store, err := acme.OpenFileStore(b.dir)
	must(b.t, err)
	b.manager = acme.New(acme.Parts{
		Resolver: b.resolver, Agent: "posthaste-test",
		Events: acme.Events{
			Warned: func(text string) { b.warned <- text },
			Moved:  func(name string, _ time.Time, url string) { b.moved <- name + " " + url },
		},
	})
	b.responder.Store(b.manager.Responder())
	o := *b.options
	b.manager.Configure(&o)
	must(b.t, b.manager.Start(context.Background(), store))
	b.t.Cleanup(b.manager.Stop)
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// state waits until a name is in one of some states and returns its status.
func (b *bench) state(name string, states ...acme.State) acme.Status {
	b.t.Helper()
	var last acme.Status
	for range ticks(b.t, 30*time.Second) {
		all, _, _ := b.manager.Status()
		for _, s := range all {
			if s.Name != name {
				continue
			}
			last = s
			for _, want := range states {
				if s.State == want {
					return s
				}
			}
		}
	}
	b.t.Fatalf("%s is %s, want %v; %+v", name, last.State, states, last.LastFailure)
	return last
}

// verify checks what a handshake would get against the roots of the authority.
func (b *bench) verify(name, asked string) *x509.Certificate {
	b.t.Helper()
	certificates := b.manager.Certificates(name)
	if len(certificates) != 1 {
		b.t.Fatalf("%d certificates for %s", len(certificates), name)
	}
	c := certificates[0]
	between := x509.NewCertPool()
	for _, der := range c.Certificate[1:] {
		parsed, err := x509.ParseCertificate(der)
		must(b.t, err)
		between.AddCert(parsed)
	}
	if _, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: asked, Roots: b.ca.Roots(b.t), Intermediates: between}); err != nil {
		b.t.Error(err)
	}
	return c.Leaf
}

// TestHTTP01 obtains a certificate while the authority refuses one of five good
// nonces, serves it after a restart without another order, and leaves certbot's
// files behind.
func TestHTTP01(t *testing.T) {
	b := newBench(t, acmeca.Options{NonceReject: 20}).want("mx.posthaste.net").start()
	b.state("mx.posthaste.net", acme.Valid)
	first := b.verify("mx.posthaste.net", "mx.posthaste.net")
	for _, file := range []string{"fullchain.pem", "chain.pem", "cert.pem", "privkey.pem", "meta.json"} {
		if _, err := os.Stat(filepath.Join(b.dir, "certs/mx.posthaste.net", file)); err != nil {
			t.Error(err)
		}
	}
	b.manager.Stop()
	orders := b.ca.Orders()
	b.start()
	if got := b.verify("mx.posthaste.net", "mx.posthaste.net"); !got.Equal(first) || b.ca.Orders() != orders {
		t.Errorf("%d orders after a restart", b.ca.Orders()-orders)
	}
	// A renewal by hand replaces it and says so.
	done, err := b.manager.Retry("mx.posthaste.net", true)
	must(t, err)
	if r := <-done; r.Failure != nil {
		t.Fatalf("%+v", r.Failure)
	}
	if got := b.verify("mx.posthaste.net", "mx.posthaste.net"); got.Equal(first) {
		t.Error("a renewal changed nothing")
	}
}

func TestTLSALPN01(t *testing.T) {
	b := newBench(t, acmeca.Options{})
	b.options.Challenges = []string{acme.TLSALPN01}
	b.options.KeyType = acme.RSA2048
	b.want("mx.posthaste.net").start()
	b.state("mx.posthaste.net", acme.Valid)
	if got := b.verify("mx.posthaste.net", "mx.posthaste.net").PublicKeyAlgorithm; got != x509.RSA {
		t.Errorf("a key of %s", got)
	}
}

// TestDNS01 obtains a wildcard by dynamic updates, through an alias to another
// zone, and cleans up.
func TestDNS01(t *testing.T) {
	b := newBench(t, acmeca.Options{})
	b.ca.DNS.Alias("_acme-challenge.posthaste.net", "challenges.delegated.net")
	b.options.Challenges = []string{acme.HTTP01, acme.DNS01}
	b.options.Publisher = &acme.Updated{
		Updater: &dns.Updater{
			Server: b.ca.DNS.Addr, KeyName: acmeca.UpdateKey, Algorithm: "hmac-sha256", Secret: acmeca.UpdateSecret,
		},
		Resolver: b.resolver, Wait: 10 * time.Second,
	}
	b.want("*.posthaste.net", "posthaste.net").start()
	b.state("*.posthaste.net", acme.Valid)
	b.verify("*.posthaste.net", "news.posthaste.net")
	b.state("posthaste.net", acme.Valid)
	if left := b.ca.DNS.Texts("challenges.delegated.net"); len(left) > 0 {
		t.Errorf("records are left: %q", left)
	}
}

// TestDNS01Refused: an update with a wrong key is a failure that says so.
func TestDNS01Refused(t *testing.T) {
	b := newBench(t, acmeca.Options{})
	b.options.Challenges = []string{acme.DNS01}
	b.options.Publisher = &acme.Updated{
		Updater: &dns.Updater{
			Server: b.ca.DNS.Addr, KeyName: acmeca.UpdateKey, Algorithm: "hmac-sha256", Secret: base64.StdEncoding.EncodeToString([]byte("wrong")),
		},
		Resolver: b.resolver,
	}
	b.want("*.posthaste.net").start()
	got := b.state("*.posthaste.net", acme.Failed)
	if got.LastFailure.Code != "dns:publish" || b.ca.DNS.Refused() == 0 {
		t.Errorf("%+v", got.LastFailure)
	}
}

// TestDNS01Program has a program publish the record. The program writes into a
// file what it was called with, which the test takes over.
func TestDNS01Program(t *testing.T) {
	b := newBench(t, acmeca.Options{})
	calls := filepath.Join(t.TempDir(), "calls")
	program := filepath.Join(t.TempDir(), "publish")
	must(t, os.WriteFile(program, []byte("#!/bin/sh\necho \"$1 $CERT_DNS_NAME $CERT_DNS_VALUE\" >>"+calls+"\n"), 0o755))
	b.options.Challenges = []string{acme.DNS01}
	b.options.Publisher = &acme.Program{Path: program, Resolver: b.resolver, Wait: 20 * time.Second}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.publish(ctx, calls) }()
	defer func() { cancel(); <-done }()
	b.want("*.posthaste.net").start()
	b.state("*.posthaste.net", acme.Valid)
	data, err := os.ReadFile(calls)
	must(t, err)
	if !strings.Contains(string(data), "cleanup _acme-challenge.posthaste.net ") {
		t.Errorf("the program was called with %q", data)
	}
}

// publish takes what the program was asked for into the zone.
func (b *bench) publish(ctx context.Context, calls string) {
	seen := 0
	for ctx.Err() == nil {
		data, _ := os.ReadFile(calls)
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		for ; seen < len(lines) && lines[seen] != ""; seen++ {
			if f := strings.Fields(lines[seen]); len(f) == 3 && f[0] == "present" {
				b.ca.DNS.AddText(f[1], f[2])
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// TestBinding: without the external account nothing is obtained, with it all is.
func TestBinding(t *testing.T) {
	key := base64.RawURLEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	b := newBench(t, acmeca.Options{Binding: map[string]string{"customer": key}}).want("mx.posthaste.net").start()
	got := b.state("mx.posthaste.net", acme.Failed)
	if got.LastFailure.Code != "acme:externalAccountRequired" || got.Next.Sub(got.LastFailure.Time) != 12*time.Hour {
		t.Errorf("%+v, next in %s", got.LastFailure, got.Next.Sub(got.LastFailure.Time))
	}
	b.options.Authorities[0].Binding = &acme.Binding{KeyID: "customer", HMACKey: key}
	b.want("mx.posthaste.net")
	done, err := b.manager.Retry("mx.posthaste.net", false)
	must(t, err)
	if r := <-done; r.Failure != nil {
		t.Errorf("%+v", r.Failure)
	}
}

// TestProfiles: a short life is renewed after half of it; an unknown profile is
// refused before an order.
func TestProfiles(t *testing.T) {
	b := newBench(t, acmeca.Options{Profiles: []string{"shortlived"}})
	b.options.Profile = "shortlived"
	b.want("mx.posthaste.net").start()
	got := b.state("mx.posthaste.net", acme.Valid)
	if life := got.NotAfter.Sub(got.NotBefore).Round(time.Minute); life != 160*time.Hour || got.Profile != "shortlived" ||
		got.NotAfter.Sub(got.RenewAt).Round(time.Minute) != 80*time.Hour {
		t.Errorf("life %s, renewal %s before its end, profile %q", life, got.NotAfter.Sub(got.RenewAt), got.Profile)
	}
	b.options.Profile = "imaginary"
	b.want("mx.posthaste.net", "new.posthaste.net")
	if f := b.state("new.posthaste.net", acme.Failed).LastFailure; f.Code != "acme:invalidProfile" || !strings.Contains(f.Message, "shortlived") {
		t.Errorf("%+v", f)
	}
	if n := b.ca.Orders(); n != 1 {
		t.Errorf("%d orders", n)
	}
}

// TestTinyLife plans the renewal of a certificate that lasts thirty seconds.
func TestTinyLife(t *testing.T) {
	b := newBench(t, acmeca.Options{Profiles: []string{"tiny"}})
	b.options.Profile = "tiny"
	b.want("mx.posthaste.net").start()
	first := b.state("mx.posthaste.net", acme.Valid)
	if wait := time.Until(first.RenewAt); wait > 16*time.Second {
		t.Errorf("renewal in %s", wait)
	}
}

// TestRenewsAsTold: the authority moves the window of a certificate to the past,
// and it is renewed, with a word of what it replaces.
func TestRenewsAsTold(t *testing.T) {
	b := newBench(t, acmeca.Options{})
	b.options.ARI = true
	b.want("mx.posthaste.net").start()
	b.state("mx.posthaste.net", acme.Valid)
	first := b.verify("mx.posthaste.net", "mx.posthaste.net")
	b.manager.Stop()
	b.ca.SetWindow(t, first.SerialNumber, acmeca.WindowText(time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)))
	// A start asks when it has not asked for long: make it so.
	meta := filepath.Join(b.dir, "certs/mx.posthaste.net/meta.json")
	data, err := os.ReadFile(meta)
	must(t, err)
	must(t, os.WriteFile(meta, []byte(strings.ReplaceAll(string(data), `"retry_after": "2`, `"retry_after": "1`)), 0o640))
	b.start()
	eventually(t, "another certificate", func() bool {
		all := b.manager.Certificates("mx.posthaste.net")
		return len(all) == 1 && !all[0].Leaf.Equal(first)
	})
	if !b.ca.Replaced(first.SerialNumber) {
		t.Error("the authority does not know what was replaced")
	}
}

func eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for range ticks(t, 30*time.Second) {
		if happened() {
			return
		}
	}
	t.Fatalf("not within 30 s: %s", what)
}

// ticks yields now and every few milliseconds until the time is up.
func ticks(t testing.TB, limit time.Duration) iter.Seq[struct{}] {
	return func(yield func(struct{}) bool) {
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for end := time.After(limit); yield(struct{}{}); {
			select {
			case <-ticker.C:
			case <-end:
				return
			case <-t.Context().Done():
				return
			}
		}
	}
}

// TestRefusals are what goes wrong at the authority, and when each is tried
// again. One broken name does not keep another from its certificate.
func TestRefusals(t *testing.T) {
	b := newBench(t, acmeca.Options{})
	b.options.Check.Mode = acme.CheckOff
	b.ca.DNS.Break("broken.posthaste.net", true)
	b.ca.DNS.Host("dead.posthaste.net", "127.255.255.254")
	b.want("blocked.example", "broken.posthaste.net", "dead.posthaste.net", "good.posthaste.net").start()
	for name, want := range map[string]struct {
		code string
		wait time.Duration
	}{
		"blocked.example":      {"acme:rejectedIdentifier", 12 * time.Hour},
		"broken.posthaste.net": {"acme:connection", time.Minute}, // pebble's word for a failed look-up
		"dead.posthaste.net":   {"acme:connection", time.Minute},
	} {
		got := b.state(name, acme.Failed)
		if f := got.LastFailure; f.Code != want.code || got.Next.Sub(f.Time) != want.wait ||
			!strings.HasPrefix(f.Message, "Registration failed: ") || f.SelfCheck {
			t.Errorf("%s: %+v, again after %s", name, f, got.Next.Sub(f.Time))
		}
	}
	b.state("good.posthaste.net", acme.Valid)
}

// TestAuthorityFails: overloaded, limiting, pausing, down. What it asks for is
// heeded.
func TestAuthorityFails(t *testing.T) {
	b := newBench(t, acmeca.Options{}).want("first.posthaste.net").start()
	b.state("first.posthaste.net", acme.Valid) // there is an account
	for i, c := range []struct {
		fault acmeca.Fault
		code  string
		state acme.State
		least time.Duration
	}{
		{acmeca.Fault{Status: 503, Type: "serverInternal", Detail: "busy", RetryAfter: "7200"}, "acme:serverInternal", acme.Failed, 2 * time.Hour},
		{acmeca.Fault{Status: 429, Type: "rateLimited", Detail: "too many", RetryAfter: "3600"}, "acme:rateLimited", acme.Failed, time.Hour},
		{acmeca.Fault{Status: 429, Type: "rateLimited", Detail: "temporarily prevented, visit https://ca.test/unpause"}, "acme:paused", acme.Paused, 12 * time.Hour},
		{acmeca.Fault{Down: true}, "acme:network", acme.Failed, time.Minute},
	} {
		name := fmt.Sprintf("n%d.posthaste.net", i)
		c.fault.Path = "/order-plz"
		b.ca.Fail(&c.fault)
		b.want(name)
		got := b.state(name, c.state)
		if f := got.LastFailure; f.Code != c.code || !strings.Contains(f.Message, c.fault.Detail) || got.Next.Sub(f.Time) < c.least-time.Minute {
			t.Errorf("%+v: %+v, next in %s", c.fault, f, got.Next.Sub(f.Time))
		}
	}
	b.ca.Fail(nil)
}

// TestForgottenAccount registers again with the same key when the authority has
// lost the account.
func TestForgottenAccount(t *testing.T) {
	b := newBench(t, acmeca.Options{}).want("a.posthaste.net").start()
	b.state("a.posthaste.net", acme.Valid)
	b.manager.Stop()
	found, err := filepath.Glob(filepath.Join(b.dir, "*/accounts/*/account.json"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	data, err := os.ReadFile(found[0])
	must(t, err)
	must(t, os.WriteFile(found[0], []byte(strings.Replace(string(data), "/my-account/", "/my-account/ffff", 1)), 0o640))
	b.want("b.posthaste.net")
	b.start()
	b.state("b.posthaste.net", acme.Valid)
}

// TestContact keeps the account when the address changes: certificates can only
// be replaced by the account that ordered them.
func TestContact(t *testing.T) {
	b := newBench(t, acmeca.Options{}).want("a.posthaste.net").start()
	before := b.state("a.posthaste.net", acme.Valid).Account
	b.manager.Stop()
	b.options.Email = "new@example.com"
	b.want("b.posthaste.net").start()
	if got := b.state("b.posthaste.net", acme.Valid).Account; got != before {
		t.Errorf("the account changed from %s to %s", before, got)
	}
}

// TestSelfCheck is the table of spec tls.md 7: what is wrong, in the documented
// words, and the authority sees no order.
func TestSelfCheck(t *testing.T) {
	b := newBench(t, acmeca.Options{CAAIdentities: []string{"ca.test"}})
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "other/1.0")
		switch r.Host {
		case "loop.posthaste.net":
			http.Redirect(w, r, "http://loop.posthaste.net"+r.URL.Path, http.StatusFound)
		case "port.posthaste.net":
			http.Redirect(w, r, "http://port.posthaste.net:8080/", http.StatusFound)
		default:
			http.Error(w, "who?", http.StatusNotFound)
		}
	}))
	t.Cleanup(other.Close)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { silent.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	closed.Close()
	b.ca.DNS.Miss("missing.posthaste.net", true)
	b.ca.DNS.Host("private.posthaste.net", "10.1.2.3", "fd00::1")
	b.ca.DNS.CAA("caa.posthaste.net", `0 issue "elsewhere.test"`)
	for _, c := range []struct {
		name, connect, code string
		private             bool
		parts               []string
	}{
		{"missing.posthaste.net", "", "selfcheck:dns", true,
			[]string{`Registration failed: Self-check failed: DNS lookup failed. Check DNS and verify that "missing.posthaste.net" resolves to an IP address on this host.`}},
		{"private.posthaste.net", "", "selfcheck:private", false, []string{"Self-check failed: ", "resolves only to private addresses", "10.1.2.3, fd00::1"}},
		{"www.caa.posthaste.net", b.connect, "selfcheck:caa", true, []string{"CAA record forbids", "caa.posthaste.net", "elsewhere.test", "ca.test"}},
		{"closed.posthaste.net", closed.Addr().String(), "selfcheck:connect", true, []string{"could not connect to 127.0.0.1 port ", "connection refused"}},
		{"silent.posthaste.net", silent.Addr().String(), "selfcheck:timeout", true, []string{"timed out", "127.0.0.1"}},
		{"other.posthaste.net", other.Listener.Addr().String(), "selfcheck:wronghost", true, []string{"reached a different server", "404", "other/1.0"}},
		{"loop.posthaste.net", other.Listener.Addr().String(), "selfcheck:redirect", true, []string{"redirect", "loop.posthaste.net"}},
		{"port.posthaste.net", other.Listener.Addr().String(), "selfcheck:redirect", true, []string{"redirect", ":8080"}},
	} {
		t.Run(strings.TrimPrefix(c.code, "selfcheck:")+" "+c.name, func(t *testing.T) {
			patience := 30 * time.Second
			if c.code == "selfcheck:timeout" {
				patience = time.Second
			}
			b.options.Check = acme.Check{Mode: acme.CheckRequire, Connect: c.connect, AllowPrivate: c.private, Timeout: patience}
			b.want(c.name)
			if b.manager == nil {
				b.start()
			}
			got := b.state(c.name, acme.Failed)
			f := got.LastFailure
			if want := map[bool]time.Duration{true: 12 * time.Hour, false: time.Minute}[c.code == "selfcheck:caa"]; got.Next.Sub(f.Time) != want {
				t.Errorf("again after %s", got.Next.Sub(f.Time))
			}
			if f.Code != c.code || !f.SelfCheck {
				t.Errorf("code %q", f.Code)
			}
			for _, part := range c.parts {
				if !strings.Contains(f.Message, part) {
					t.Errorf("want %q in %q", part, f.Message)
				}
			}
		})
	}
	if n := b.ca.Orders(); n != 0 {
		t.Errorf("the authority saw %d orders", n)
	}
	b.options.Check = acme.Check{Mode: acme.CheckWarn, Connect: closed.Addr().String()}
	b.want("warn.posthaste.net")
	b.state("warn.posthaste.net", acme.Valid)
	eventually(t, "a warning", func() bool {
		select {
		case text := <-b.warned:
			return strings.Contains(text, "warn.posthaste.net: Self-check failed")
		default:
			return false
		}
	})
}

// TestManyNames obtains and renews many certificates against pebble, a few at a
// time, and prints how fast and with how much memory. It is a test of 40 names;
// POSTHASTE_NAMES makes it any number, as `make bench` does with 2 000.
func TestManyNames(t *testing.T) {
	count := 40
	if n, err := strconv.Atoi(os.Getenv("POSTHASTE_NAMES")); err == nil {
		count = n
	}
	b := newBench(t, acmeca.Options{AlwaysValid: true, NonceReject: 5})
	b.options.Check.Mode = acme.CheckOff
	b.options.Concurrency = 20
	var names []string
	for i := range count {
		names = append(names, fmt.Sprintf("n%05d.posthaste.net", i))
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	b.want(names...).start()
	b.wait(count, nil)
	obtained := time.Since(began)
	serials := map[string]string{}
	all, _, _ := b.manager.Status()
	for _, s := range all {
		serials[s.Name] = s.Serial
	}
	began = time.Now()
	for _, name := range names {
		_, err := b.manager.Retry(name, true)
		must(t, err)
	}
	b.wait(count, serials)
	renewed := time.Since(began)
	b.manager.Stop()
	began = time.Now()
	b.start()
	loaded := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := b.ca.Orders(); n != 2*count {
		t.Errorf("%d orders for %d certificates", n, 2*count)
	}
	t.Logf("%d names: obtained in %s (%.0f/s), renewed in %s (%.0f/s), loaded in %s; heap grew by %.1f MB with the authority in it",
		count, obtained.Round(time.Millisecond), float64(count)/obtained.Seconds(), renewed.Round(time.Millisecond), float64(count)/renewed.Seconds(),
		loaded.Round(time.Millisecond), float64(int64(after.HeapAlloc)-int64(before.HeapAlloc))/1e6)
}

// wait until all names have a certificate, and another one than before.
func (b *bench) wait(count int, before map[string]string) {
	b.t.Helper()
	limit := 30*time.Second + time.Duration(count)*time.Second/2
	for range ticks(b.t, limit) {
		all, _, _ := b.manager.Status()
		n := 0
		for _, s := range all {
			if s.State == acme.Valid && s.Serial != before[s.Name] {
				n++
			}
		}
		if n == count {
			return
		}
	}
	b.t.Fatalf("not all of %d names within %s", count, limit)
}

func dnsServers(ca *acmeca.CA) []netip.AddrPort { return []netip.AddrPort{ca.DNS.Addr} }
