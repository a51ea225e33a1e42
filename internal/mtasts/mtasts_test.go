package mtasts_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/mtasts"
)

func TestParseRecord(t *testing.T) {
	for _, tt := range []struct {
		records []string
		id      string
		ok      bool
	}{
		{[]string{"v=STSv1; id=20160831085700Z;"}, "20160831085700Z", true}, // RFC 8461 §3.1
		{[]string{"other", "v=STSv1;id=1"}, "1", true},
		{[]string{"v=STSv1; id=1", "v=STSv1; id=2"}, "", false},
		{[]string{"v=STSv1"}, "", false},
		{[]string{"v=STSv10; id=1"}, "", false},
		{[]string{"id=1; v=STSv1"}, "", false},
		{nil, "", false},
	} {
		if id, ok := mtasts.ParseRecord(tt.records); ok != tt.ok || ok && id != tt.id {
			t.Errorf("%q: %q, %v", tt.records, id, ok)
		}
	}
}

// example is that of RFC 8461 §3.2.
const example = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmx: backupmx.example.com\r\nmax_age: 604800\r\n"

func TestParsePolicy(t *testing.T) {
	p, err := mtasts.ParsePolicy(example)
	if err != nil || p.Mode != mtasts.Enforce || p.MaxAge != 604800*time.Second ||
		!slices.Equal(p.MX, []string{"mail.example.com", "*.example.net", "backupmx.example.com"}) {
		t.Errorf("got %+v, %v", p, err)
	}
	for _, tt := range []struct{ text, want string }{
		{"", "version is"},
		{"version: STSv2\nmode: none\nmax_age: 1\n", "version is"},
		{"version: STSv1\nmax_age: 1\nmx: a\n", "no mode"},
		{"version: STSv1\nmode: strict\n", "unknown mode"},
		{"version: STSv1\nmode: testing\nmx: a\n", "no max_age"},
		{"version: STSv1\nmode: testing\nmax_age: soon\n", "want seconds"},
		{"version: STSv1\nmode: testing\nmax_age: 1\n", "no mx"},
	} {
		if _, err := mtasts.ParsePolicy(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
	p, err = mtasts.ParsePolicy("version: STSv1\nx: y\nmode: none\nmode: enforce\nmax_age: 4000000000")
	if err != nil || p.Mode != mtasts.None || p.MaxAge != 31557600*time.Second {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestAllows(t *testing.T) {
	p := &mtasts.Policy{MX: []string{"mail.example.com", "*.Example.net", "*."}}
	for host, want := range map[string]bool{
		"mail.example.com": true, "MAIL.example.com.": true, "a.example.net": true, "a.b.example.net": false, "example.net": false,
		"x.example.com": false, "": false, "a.": false,
	} {
		if p.Allows(host) != want {
			t.Errorf("%q: %v", host, !want)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(example)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := mtasts.ParsePolicy(text)
		if err != nil {
			return
		}
		out := fmt.Sprintf("version: %s\nmode: %s\nmax_age: %d\n", p.Version, p.Mode, int(p.MaxAge.Seconds()))
		for _, mx := range p.MX {
			out += "mx: " + mx + "\n"
		}
		again, err := mtasts.ParsePolicy(out)
		if err != nil || again.Mode != p.Mode || again.MaxAge != p.MaxAge || !slices.Equal(again.MX, p.MX) {
			t.Errorf("%q gives %+v, %v", out, again, err)
		}
	})
}

// web is a server of policies for all names that its certificate has.
type web struct {
	client  *http.Client
	answer  atomic.Pointer[func(http.ResponseWriter)]
	fetches atomic.Int32
}

func newWeb(t *testing.T) *web {
	w := &web{}
	s := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.fetches.Add(1)
		if r.URL.Path != "/.well-known/mta-sts.txt" || !strings.HasPrefix(r.Host, "mta-sts.") {
			t.Errorf("asked for %s at %s", r.URL.Path, r.Host)
		}
		(*w.answer.Load())(rw)
	}))
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate()) // of example.com and names below it
	w.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.Listener.Addr().String())
		},
	}}
	return w
}

func (w *web) serves(f func(http.ResponseWriter)) { w.answer.Store(&f) }

func text(policy string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprint(w, policy)
	}
}

func find(t *testing.T, c *mtasts.Cache, domain, id string) (mtasts.Result, bool) {
	t.Helper()
	r, ok, err := c.Find(t.Context(), domain, id)
	if err != nil {
		t.Fatal(err)
	}
	return r, ok
}

// TestCache: a policy is fetched once, and again when its id changes; it holds when
// the DNS or the server says nothing.
func TestCache(t *testing.T) {
	w := newWeb(t)
	w.serves(text(example))
	c := mtasts.NewCache(w.client)
	if _, ok := find(t, c, "example.com", ""); ok {
		t.Error("there is a policy that nobody announces")
	}
	for _, id := range []string{"1", "1", ""} {
		if r, ok := find(t, c, "example.com", id); !ok || r.Policy == nil || r.Text != example {
			t.Errorf("id %q: %+v, %v", id, r, ok)
		}
	}
	if n := w.fetches.Load(); n != 1 {
		t.Errorf("fetched %d times", n)
	}
	w.serves(text(strings.Replace(example, "enforce", "testing", 1)))
	if r, _ := find(t, c, "example.com", "2"); r.Policy == nil || r.Policy.Mode != mtasts.Testing {
		t.Errorf("a new id: %+v", r)
	}
	w.serves(func(w http.ResponseWriter) { w.WriteHeader(500) })
	for range 2 { // the failure is remembered
		if r, ok := find(t, c, "example.com", "3"); !ok || r.Policy == nil {
			t.Errorf("the server fails: %+v", r)
		}
	}
	if n := w.fetches.Load(); n != 3 {
		t.Errorf("fetched %d times", n)
	}
	w.serves(text("version: STSv1\nmode: none\nmax_age: 0\n"))
	if r, ok := find(t, mtasts.NewCache(w.client), "example.com", "1"); !ok || r.Policy != nil || r.Err != nil {
		t.Errorf("a policy that ends at once: %+v, %v", r, ok)
	}
}

// TestFailures: each has the type that reports call it by.
func TestFailures(t *testing.T) {
	w := newWeb(t)
	for _, tt := range []struct {
		domain string
		answer func(http.ResponseWriter)
		kind   string
	}{
		{"example.com", func(w http.ResponseWriter) { w.WriteHeader(404) }, mtasts.FetchError},
		{"example.com", func(w http.ResponseWriter) { w.Header().Set("Location", "/"); w.WriteHeader(301) }, mtasts.FetchError},
		{"example.com", func(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/html"); fmt.Fprint(w, example) }, mtasts.FetchError},
		{"example.com", text(example + strings.Repeat("x", 70000)), mtasts.FetchError},
		{"example.com", text("nonsense"), mtasts.InvalidPolicy},
		{"example.net", text(example), mtasts.InvalidWebCert}, // not a name of the certificate
		{"a b", nil, mtasts.FetchError},
	} {
		w.serves(tt.answer)
		r, ok := find(t, mtasts.NewCache(w.client), tt.domain, "1")
		if !ok || r.Policy != nil || r.Err == nil || r.Type != tt.kind {
			t.Errorf("%s: %+v, want %s", tt.domain, r, tt.kind)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := mtasts.NewCache(w.client).Find(ctx, "example.com", "1"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
