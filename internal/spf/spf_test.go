package spf_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/posthaste-mta/posthaste/internal/spf"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// zone is what the suite calls zone data: records by name and type.
type zone map[string]map[string][]string

// failure is the error of a name that cannot be looked up.
type failure struct{ temporary bool }

func (f failure) Error() string   { return "server failure" }
func (f failure) Temporary() bool { return f.temporary }

// find follows aliases. TIMEOUT stands for all types that are not there.
func (z zone) find(name, kind string) ([]string, error) {
	for range 10 {
		types, ok := z[strings.ToLower(strings.TrimSuffix(name, "."))]
		if !ok {
			return nil, nil
		}
		if values, ok := types[kind]; ok {
			return values, nil
		}
		if _, ok := types["TIMEOUT"]; ok {
			return nil, failure{true}
		}
		alias := types["CNAME"]
		if len(alias) == 0 {
			return nil, nil
		}
		name = alias[0]
	}
	return nil, failure{false}
}

func (z zone) TXT(_ context.Context, name string) ([]string, error) { return z.find(name, "TXT") }
func (z zone) MX(_ context.Context, name string) ([]string, error)  { return z.find(name, "MX") }

func (z zone) Names(_ context.Context, ip netip.Addr) ([]string, error) {
	return z.find(reverse(ip), "PTR")
}

func (z zone) Addresses(_ context.Context, host string, ipv4 bool) ([]netip.Addr, error) {
	v4, err4 := z.find(host, "A")
	v6, err6 := z.find(host, "AAAA")
	if ipv4 {
		v6, err6 = nil, nil
	}
	var addrs []netip.Addr
	for _, s := range append(slices.Clone(v4), v6...) {
		addrs = append(addrs, netip.MustParseAddr(s))
	}
	return addrs, errors.Join(err4, err6)
}

func reverse(ip netip.Addr) string {
	const hex = "0123456789abcdef"
	var labels []string
	if ip.Is4() {
		labels = strings.Split(ip.String(), ".")
		slices.Reverse(labels)
		return strings.Join(labels, ".") + ".in-addr.arpa"
	}
	b := ip.As16()
	for i := len(b) - 1; i >= 0; i-- {
		labels = append(labels, string(hex[b[i]&15]), string(hex[b[i]>>4]))
	}
	return strings.Join(labels, ".") + ".ip6.arpa"
}

// suite is one document of the published suite.
type suite struct {
	Description string
	Tests       map[string]struct {
		Spec, Result         any
		Helo, Host, MailFrom string
		Description, Comment string
		Explanation          string
	}
	ZoneData map[string][]any `yaml:"zonedata"`
}

// zone builds the zone of a document. SPF records stand for TXT ones unless there
// are some, which may be NONE.
func (s *suite) zone(t *testing.T) zone {
	z := zone{}
	for name, records := range s.ZoneData {
		types := map[string][]string{}
		for _, r := range records {
			m, ok := r.(map[string]any)
			if !ok {
				types[r.(string)] = nil // TIMEOUT
				continue
			}
			for kind, value := range m {
				types[kind] = append(types[kind], text(value))
			}
		}
		if txt, ok := types["TXT"]; !ok && types["SPF"] != nil {
			types["TXT"] = types["SPF"]
		} else if ok && len(txt) == 1 && txt[0] == "NONE" {
			delete(types, "TXT")
		}
		z[strings.ToLower(name)] = types
	}
	return z
}

// text returns a value; of an MX its name, of several strings what they make up.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		if len(v) == 2 {
			if _, ok := v[0].(int); ok {
				return v[1].(string)
			}
		}
		var b strings.Builder
		for _, s := range v {
			b.WriteString(s.(string))
		}
		return b.String()
	}
	panic(value)
}

func wanted(result any) []string {
	if s, ok := result.(string); ok {
		return []string{s}
	}
	var out []string
	for _, s := range result.([]any) {
		out = append(out, s.(string))
	}
	return out
}

// differing are the vectors whose result we do not give, and why. What the suite
// says of explanations is not looked at, because we do not fetch them.
var differing = map[string]string{}

func TestVectors(t *testing.T) {
	f, err := os.Open(filepath.Join(testenv.Vectors(t, "spf"), "rfc7208-tests.yml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for d := yaml.NewDecoder(f); ; {
		var s suite
		if err := d.Decode(&s); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		c := spf.NewChecker(s.zone(t), spf.Options{})
		for name, v := range s.Tests {
			n++
			r := c.Check(t.Context(), netip.MustParseAddr(v.Host), v.Helo, v.MailFrom)
			ok := slices.Contains(wanted(v.Result), string(r.Status))
			if reason, differs := differing[name]; ok == differs {
				t.Errorf("%s: %s: %s (%s), want %v %s", s.Description, name, r.Status, r.Reason, v.Result, reason)
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d vectors", n)
	}
}

var example = zone{
	"example.com":           {"TXT": {"v=spf1 ip4:192.0.2.0/24 -all"}},
	"mail.example.com":      {"TXT": {"v=spf1 a -all"}, "A": {"192.0.2.7"}},
	"local.example":         {"TXT": {"v=spf1 exists:%{l}.l.example -all"}},
	"postmaster.l.example":  {"A": {"127.0.0.2"}},
	"xn--bcher-kva.example": {"TXT": {"v=spf1 +all"}},
	"broken.example":        {"TXT": {"v=spf1 all ip4:300.1.1.1"}},
	"slow.example":          {"TIMEOUT": nil},
	"void.example":          {"TXT": {"v=spf1 a:1.void.example a:2.void.example a:3.void.example all"}},
}

func TestIdentity(t *testing.T) {
	c := spf.NewChecker(example, spf.Options{})
	for _, v := range []struct {
		helo, sender string
		status       spf.Status
		domain       string
		method       string
	}{
		{"x", "joe@example.com", spf.Pass, "example.com", "spf=pass smtp.mailfrom=joe@example.com"},
		{"x", "example.com", spf.Pass, "example.com", "spf=pass smtp.mailfrom=example.com"},
		{"mail.example.com", "", spf.Pass, "mail.example.com", "spf=pass smtp.helo=mail.example.com"},
		{"mail", "", spf.None, "", "spf=none smtp.helo=mail"},
		{"[192.0.2.7]", "", spf.None, "", `spf=none smtp.helo="[192.0.2.7]"`},
		{"x", "joe@nowhere.example", spf.None, "nowhere.example", "spf=none smtp.mailfrom=joe@nowhere.example"},
		{"x", `"a@b"@local.example`, spf.Fail, "local.example", `spf=fail smtp.mailfrom="\"a@b\"@local.example"`},
		{"x", "@local.example", spf.Pass, "local.example", "spf=pass smtp.mailfrom=@local.example"},
		{"x", "joe@Bücher.example", spf.Pass, "xn--bcher-kva.example", `spf=pass smtp.mailfrom="joe@Bücher.example"`},
		{"x", "joe@slow.example", spf.TempError, "slow.example", `spf=temperror reason="look-up failed" smtp.mailfrom=joe@slow.example`},
		{"x", "joe@broken.example", spf.PermError, "broken.example", `spf=permerror reason="record syntax error: \"ip4:300.1.1.1\"" smtp.mailfrom=joe@broken.example`},
		{"x", "joe@void.example", spf.PermError, "void.example", `spf=permerror reason="void lookup limit reached" smtp.mailfrom=joe@void.example`},
	} {
		r := c.Check(t.Context(), netip.MustParseAddr("::ffff:192.0.2.7"), v.helo, v.sender)
		if r.Status != v.status || r.Domain != v.domain || r.Method().String() != v.method {
			t.Errorf("%q %q: %+v\n%s", v.helo, v.sender, r, r.Method())
		}
	}
	if r := c.Check(t.Context(), netip.MustParseAddr("198.51.100.1"), "x", "joe@example.com"); r.Status != spf.Fail {
		t.Errorf("another host: %+v", r)
	}
	if r := c.Check(t.Context(), netip.Addr{}, "x", "joe@example.com"); r.Status != spf.PermError {
		t.Errorf("no host: %+v", r)
	}
}

// TestRewritten: what the library does not evaluate by itself.
func TestRewritten(t *testing.T) {
	z := zone{
		"7.2.0.192.in-addr.arpa": {"PTR": {"forged.example.net", "a b.example.org", "Mail.Example.org.", "mx.mail.example.com", "mail.example.com"}},
		"forged.example.net":     {"A": {"192.0.2.9"}},
		"mail.example.org":       {"A": {"192.0.2.7"}},
		"mx.mail.example.com":    {"A": {"192.0.2.7"}},
		"mail.example.com":       {"A": {"192.0.2.7"}, "TXT": {"v=spf1 exists:%{p}.is exists:%{p}.exact -all"}},
		"mail.example.com.exact": {"A": {"127.0.0.2"}},
		"example.com":            {"TXT": {"v=spf1 exists:%{P2r.-}.below ?exists:%%{p}.x.y -all"}},
		"mail.mx.below":          {"A": {"127.0.0.2"}},
		"any.example":            {"TXT": {"v=spf1 redirect=%{p3}.red"}},
		"mail.example.org.red":   {"TXT": {"v=spf1 include:a/b.example/c.d -all"}},
		"a/b.example/c.d":        {"TXT": {"v=spf1 mx:x/y.example/24 -all"}},
		"x/y.example":            {"MX": {"z/z.example"}},
		"z/z.example":            {"A": {"192.0.2.200"}},
		"unknown.example":        {"TXT": {"v=spf1 exists:%{p}.u -all"}},
		"unknown.u":              {"A": {"127.0.0.2"}},
	}
	c := spf.NewChecker(z, spf.Options{MaxVoid: 10})
	for _, v := range []struct {
		ip, domain string
		want       spf.Status
	}{
		{"192.0.2.7", "mail.example.com", spf.Pass}, {"192.0.2.7", "example.com", spf.Pass}, {"192.0.2.7", "any.example", spf.Pass},
		{"192.0.2.8", "unknown.example", spf.Pass}, {"192.0.2.7", "unknown.example", spf.Fail},
	} {
		if r := c.Check(t.Context(), netip.MustParseAddr(v.ip), "x", "joe@"+v.domain); r.Status != v.want {
			t.Errorf("%s for %s: %s (%s), want %s", v.ip, v.domain, r.Status, r.Reason, v.want)
		}
	}
}

// stuck never answers.
type stuck struct{ zone }

func (stuck) TXT(ctx context.Context, _ string) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		r := spf.NewChecker(stuck{}, spf.Options{}).Check(t.Context(), netip.MustParseAddr("192.0.2.7"), "x", "a@b.example")
		if r.Status != spf.TempError || time.Since(begun) != 20*time.Second {
			t.Errorf("%+v after %v", r, time.Since(begun))
		}
	})
}

func FuzzCheck(f *testing.F) {
	f.Add("a mx:%{d2}/24//64 ip4:1.2.3.4/8 include:x.y redirect=%{ir}.z exp=e.f ?ptr x=%%%_")
	f.Add("exists:%{L1R+-}.a -all")
	f.Fuzz(func(t *testing.T, terms string) {
		z := zone{"example.com": {"TXT": {"v=spf1 " + terms}, "A": {"192.0.2.7"}, "MX": {"example.com"}}}
		r := spf.NewChecker(z, spf.Options{}).Check(t.Context(), netip.MustParseAddr("192.0.2.8"), "mx.example.com", "joe@example.com")
		if r.Status == "" || r.Status == spf.TempError {
			t.Errorf("%q: %+v", terms, r)
		}
	})
}

func BenchmarkCheck(b *testing.B) { // 7 µs with the record at hand
	c := spf.NewChecker(example, spf.Options{})
	ip := netip.MustParseAddr("192.0.2.7")
	for b.Loop() {
		if r := c.Check(b.Context(), ip, "x", "joe@example.com"); r.Status != spf.Pass {
			b.Fatal(r)
		}
	}
}
