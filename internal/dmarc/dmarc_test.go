package dmarc_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dmarc"
)

// zone is a Resolver: texts by domain, without _dmarc in front. A domain exists if
// something stands at it or below.
type zone map[string]string

type failure bool // whether it is temporary

func (f failure) Error() string   { return "server failure" }
func (f failure) Temporary() bool { return bool(f) }

func (z zone) TXT(_ context.Context, name string) ([]string, error) {
	domain, ok := strings.CutPrefix(name, "_dmarc.")
	if !ok {
		panic(name)
	}
	switch text := z[domain]; text {
	case "":
		return nil, nil
	case "TIMEOUT":
		return nil, failure(true)
	case "REFUSED":
		return nil, failure(false)
	default:
		return strings.Split(text, "|"), nil
	}
}

func (z zone) Exists(_ context.Context, domain string) (bool, error) {
	if strings.HasPrefix(domain, "unsure.") {
		return false, failure(true)
	}
	for d := range z {
		if d == domain || strings.HasSuffix(d, "."+domain) {
			return true, nil
		}
	}
	return false, nil
}

// asked records the names that are looked up.
type asked struct {
	zone
	names []string
}

func (a *asked) TXT(ctx context.Context, name string) ([]string, error) {
	a.names = append(a.names, name)
	return a.zone.TXT(ctx, name)
}

func pass(domain string) dmarc.Identifier { return dmarc.Identifier{Domain: domain, Result: "pass"} }

func dkim(domains ...string) dmarc.Identifiers {
	var ids dmarc.Identifiers
	for _, d := range domains {
		ids.DKIM = append(ids.DKIM, pass(d))
	}
	return ids
}

// TestAlignment has the examples of RFC 7489 §B.1 and what lies between them.
func TestAlignment(t *testing.T) {
	z := zone{
		"example.com":    "v=DMARC1; p=reject",
		"strict.example": "v=DMARC1; p=reject; adkim=s; aspf=s",
		"example.co.uk":  "v=DMARC1; p=quarantine",
	}
	for _, c := range []struct {
		name   string
		from   string
		ids    dmarc.Identifiers
		status dmarc.Status
		spf    dmarc.Alignment
		dkim   dmarc.Alignment
	}{
		{"B.1.1 example 1", "example.com", dmarc.Identifiers{SPF: pass("example.com")}, dmarc.Pass, dmarc.Aligned, dmarc.Unproven},
		{"B.1.1 example 2", "example.com", dmarc.Identifiers{SPF: pass("child.example.com")}, dmarc.Pass, dmarc.Aligned, dmarc.Unproven},
		{"B.1.1 example 3", "child.example.com", dmarc.Identifiers{SPF: pass("example.net")}, dmarc.Fail, dmarc.Unaligned, dmarc.Unproven},
		{"B.1.2 example 1", "example.com", dkim("example.com"), dmarc.Pass, dmarc.Unproven, dmarc.Aligned},
		{"B.1.2 example 2", "child.example.com", dkim("example.com"), dmarc.Pass, dmarc.Unproven, dmarc.Aligned},
		{"B.1.2 example 3", "example.com", dkim("sample.net"), dmarc.Fail, dmarc.Unproven, dmarc.Unaligned},
		{"siblings", "a.example.com", dkim("b.example.com"), dmarc.Pass, dmarc.Unproven, dmarc.Aligned},
		{"case", "Example.COM", dkim("EXAMPLE.com"), dmarc.Pass, dmarc.Unproven, dmarc.Aligned},
		{"second signature", "example.com", dkim("a.net", "example.com"), dmarc.Pass, dmarc.Unproven, dmarc.Aligned},
		{"suffix in common", "example.co.uk", dkim("other.co.uk", "co.uk"), dmarc.Fail, dmarc.Unproven, dmarc.Unaligned},
		{"strict", "strict.example", dkim("a.strict.example"), dmarc.Fail, dmarc.Unproven, dmarc.Unaligned},
		{"strict SPF", "strict.example", dmarc.Identifiers{SPF: pass("a.strict.example")}, dmarc.Fail, dmarc.Unaligned, dmarc.Unproven},
		{"strict and same", "strict.example", dkim("strict.example"), dmarc.Pass, dmarc.Unproven, dmarc.Aligned},
		{"nothing", "example.com", dmarc.Identifiers{SPF: dmarc.Identifier{Domain: "example.com", Result: "softfail"}}, dmarc.Fail, dmarc.Unproven, dmarc.Unproven},
		{"undecided", "example.com", dmarc.Identifiers{SPF: dmarc.Identifier{Domain: "a.example.com", Result: "temperror"}}, dmarc.TempError, dmarc.Unproven, dmarc.Unproven},
		{"undecided elsewhere", "example.com", dmarc.Identifiers{SPF: dmarc.Identifier{Domain: "a.net", Result: "temperror"}}, dmarc.Fail, dmarc.Unproven, dmarc.Unproven},
		{"ninth signature", "example.com", dkim("1.a", "2.a", "3.a", "4.a", "5.a", "6.a", "7.a", "8.a", "example.com"), dmarc.Fail, dmarc.Unproven, dmarc.Unaligned},
	} {
		for _, walk := range []bool{false, true} {
			r := dmarc.NewEvaluator(z, dmarc.Options{Walk: walk}).Evaluate(t.Context(), c.from, c.ids)
			if r.Status != c.status || r.SPF != c.spf || r.BestDKIM() != c.dkim {
				t.Errorf("%s, walk %v: %s, SPF %s, DKIM %s: %s", c.name, walk, r.Status, r.SPF, r.BestDKIM(), r.Reason)
			}
		}
	}
}

func TestPolicy(t *testing.T) {
	z := zone{
		"example.com":        "v=DMARC1; p=reject; sp=quarantine; np=none",
		"real.example.com":   "something else",
		"own.example.com":    "v=DMARC1;p=none",
		"plain.example":      "v=DMARC1; p=quarantine",
		"sub.plain.example":  "x|v=DMARC1; p=reject|v=DMARC1; p=none",
		"sampled.example":    "v=DMARC1; p=reject; pct=30",
		"sampledq.example":   "v=DMARC1; p=quarantine; pct=30",
		"testing.example":    "v=DMARC1; p=reject; t=y",
		"nop.example":        "v=DMARC1; rua=mailto:a@b.example",
		"nopnorua.example":   "v=DMARC1; sp=reject",
		"bad.example":        "v=DMARC1; p=rejcet",
		"badrua.example":     "v=DMARC1; p=reject; sp=nothing; rua=mailto:a@b.example",
		"version.example":    "v=DMARC2; p=reject",
		"order.example":      "p=reject; v=DMARC1",
		"timeout.example":    "TIMEOUT",
		"refused.example":    "REFUSED",
		"unsure.example.com": "",
	}
	const old, new, both = 1, 2, 3
	for _, c := range []struct {
		modes  int
		from   string
		status dmarc.Status
		dis    dmarc.Policy
		domain string
	}{
		{both, "example.com", dmarc.Fail, dmarc.Reject, "example.com"},
		{both, "real.example.com", dmarc.Fail, dmarc.Quarantine, "example.com"},
		{both, "a.b.example.com", dmarc.Fail, dmarc.Accept, "example.com"}, // does not exist
		{both, "unsure.example.com", dmarc.TempError, dmarc.Accept, "example.com"},
		{both, "own.example.com", dmarc.Fail, dmarc.Accept, "own.example.com"},
		{both, "a.plain.example", dmarc.Fail, dmarc.Quarantine, "plain.example"},
		{both, "sub.plain.example", dmarc.Fail, dmarc.Quarantine, "plain.example"}, // two records are none
		{old, "sampled.example", dmarc.Fail, dmarc.Quarantine, "sampled.example"},  // percentile 30
		{old, "sampledq.example", dmarc.Fail, dmarc.Accept, "sampledq.example"},
		{new, "sampled.example", dmarc.Fail, dmarc.Reject, "sampled.example"},
		{old, "testing.example", dmarc.Fail, dmarc.Reject, "testing.example"},
		{new, "testing.example", dmarc.Fail, dmarc.Accept, "testing.example"},
		{both, "nop.example", dmarc.Fail, dmarc.Accept, "nop.example"},
		{old, "nopnorua.example", dmarc.PermError, dmarc.Accept, "nopnorua.example"},
		{new, "nopnorua.example", dmarc.Fail, dmarc.Accept, "nopnorua.example"},
		{both, "bad.example", dmarc.PermError, dmarc.Accept, "bad.example"},
		{both, "badrua.example", dmarc.Fail, dmarc.Accept, "badrua.example"},
		{both, "version.example", dmarc.None, dmarc.Accept, ""},
		{both, "order.example", dmarc.None, dmarc.Accept, ""},
		{both, "absent.example", dmarc.None, dmarc.Accept, ""},
		{both, "timeout.example", dmarc.TempError, dmarc.Accept, ""},
		{both, "refused.example", dmarc.None, dmarc.Accept, ""},
	} {
		for mode := old; mode <= new; mode++ {
			if c.modes&mode == 0 {
				continue
			}
			e := dmarc.NewEvaluator(z, dmarc.Options{Walk: mode == new, Percentile: func() int { return 30 }})
			r := e.Evaluate(t.Context(), c.from, dkim("a.net"))
			if r.Status != c.status || r.Disposition != c.dis || r.Domain != c.domain {
				t.Errorf("%s, mode %d: %s, %s at %q: %s", c.from, mode, r.Status, r.Disposition, r.Domain, r.Reason)
			}
		}
	}
	// Who passes is not asked for anything.
	if r := dmarc.NewEvaluator(z, dmarc.Options{}).Evaluate(t.Context(), "example.com", dkim("example.com")); r.Disposition != dmarc.Accept || r.Policy != dmarc.Reject {
		t.Errorf("%+v", r)
	}
}

// TestSampling: a record for 30 percent is applied to 30 of 100 percentiles.
func TestSampling(t *testing.T) {
	z := zone{"example.com": "v=DMARC1; p=reject; pct=30"}
	n, at := 0, 0
	e := dmarc.NewEvaluator(z, dmarc.Options{Percentile: func() int { return at }})
	for ; at < 100; at++ {
		if r := e.Evaluate(t.Context(), "example.com", dmarc.Identifiers{}); r.Selected {
			n++
		}
	}
	if n != 30 {
		t.Errorf("%d of 100", n)
	}
	// The one at random stays within its bounds.
	for _, pct := range []string{"0", "100"} {
		z["example.com"] = "v=DMARC1; p=reject; pct=" + pct
		if r := dmarc.NewEvaluator(z, dmarc.Options{}).Evaluate(t.Context(), "example.com", dmarc.Identifiers{}); r.Selected != (pct == "100") {
			t.Errorf("pct=%s: %v", pct, r.Selected)
		}
	}
}

// TestOrganization has the examples of RFC 9989 §4.10 and the same by the list.
func TestOrganization(t *testing.T) {
	z := zone{
		"mail.example.com": "v=DMARC1; p=none",
		"example.com":      "v=DMARC1; p=none",
		"bank":             "v=DMARC1; p=reject; psd=y",
		"uni.edu":          "v=DMARC1; p=none",
		"law.uni.edu":      "v=DMARC1; p=none; psd=n",
		"giant.psd":        "v=DMARC1; p=none; psd=y",
		"slow.example":     "TIMEOUT",
	}
	for _, c := range []struct{ domain, walk, list string }{
		{"a.mail.example.com", "example.com", "example.com"},
		{"example.com", "example.com", "example.com"},
		{"com", "com", "com"},
		{"a.b.bank", "b.bank", "b.bank"},
		{"bank", "bank", "bank"},
		{"x.law.uni.edu", "law.uni.edu", "uni.edu"},
		{"x.arts.uni.edu", "uni.edu", "uni.edu"},
		{"giant.psd", "giant.psd", "giant.psd"},
		{"a.b.giant.psd", "b.giant.psd", "giant.psd"},
		{"a.nowhere.example", "a.nowhere.example", "nowhere.example"},
		{"A.Example.COM", "example.com", "example.com"},
		{"a.b.co.uk", "a.b.co.uk", "b.co.uk"},
	} {
		for walk, want := range map[bool]string{true: c.walk, false: c.list} {
			got, err := dmarc.NewEvaluator(z, dmarc.Options{Walk: walk}).Organization(t.Context(), c.domain)
			if got != want || err != nil {
				t.Errorf("%s, walk %v: %s, %v, want %s", c.domain, walk, got, err, want)
			}
		}
	}
	if _, err := dmarc.NewEvaluator(z, dmarc.Options{Walk: true}).Organization(t.Context(), "a.slow.example"); err == nil {
		t.Error("a walk that cannot go on is no answer")
	}
}

// TestWalk: a name of any length costs eight look-ups, none of them twice.
func TestWalk(t *testing.T) {
	a := &asked{zone: zone{"example.com": "v=DMARC1; p=reject"}}
	e := dmarc.NewEvaluator(a, dmarc.Options{Walk: true})
	const long = "a.b.c.d.e.f.g.h.i.j.mail.example.com"
	r := e.Evaluate(t.Context(), long, dkim("x."+long, "mail.example.com"))
	if r.Status != dmarc.Pass || r.Organization != "example.com" {
		t.Errorf("%+v", r)
	}
	want := "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com _dmarc.g.h.i.j.mail.example.com _dmarc.h.i.j.mail.example.com _dmarc.i.j.mail.example.com _dmarc.j.mail.example.com _dmarc.mail.example.com _dmarc.example.com _dmarc.com"
	if got := strings.Join(a.names[:8], " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	slices.Sort(a.names)
	if n := len(a.names); len(slices.Compact(a.names)) != n {
		t.Errorf("asked twice: %q", a.names)
	}
	found, err := e.Walk(t.Context(), "mail.example.com")
	if err != nil || len(found) != 1 || found[0].Domain != "example.com" {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestPSD: the record of a public suffix applies to domains without one.
func TestPSD(t *testing.T) {
	z := zone{"bank": "v=DMARC1; p=reject; sp=quarantine; psd=y", "a.bank": "x"}
	r := dmarc.NewEvaluator(z, dmarc.Options{Walk: true}).Evaluate(t.Context(), "mail.a.bank", dkim("b.bank"))
	if r.Status != dmarc.Fail || r.Domain != "bank" || r.Disposition != dmarc.Quarantine || r.Organization != "a.bank" {
		t.Errorf("%+v", r)
	}
}

type stuck struct{ zone }

func (stuck) TXT(ctx context.Context, _ string) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		r := dmarc.NewEvaluator(stuck{}, dmarc.Options{}).Evaluate(t.Context(), "example.com", dmarc.Identifiers{})
		if r.Status != dmarc.TempError || time.Since(begun) != 15*time.Second {
			t.Errorf("%+v after %v", r, time.Since(begun))
		}
	})
	// A record that is there, but an organization that cannot be found.
	z := zone{"a.example.com": "v=DMARC1; p=reject", "example.com": "TIMEOUT"}
	e := dmarc.NewEvaluator(z, dmarc.Options{Walk: true})
	if r := e.Evaluate(t.Context(), "a.example.com", dkim("b.net")); r.Status != dmarc.TempError {
		t.Errorf("%+v", r)
	}
	if r := e.Evaluate(t.Context(), "a.example.com", dkim("a.example.com")); r.Status != dmarc.Pass {
		t.Errorf("%+v", r)
	}
}

func TestMethod(t *testing.T) {
	e := dmarc.NewEvaluator(zone{"example.com": "v=DMARC1; p=reject"}, dmarc.Options{})
	for _, c := range []struct {
		ids  dmarc.Identifiers
		from string
		want string
	}{
		{dkim("example.com"), "example.com", "dmarc=pass (p=reject dis=none) header.from=example.com"},
		{dkim("a.net"), "example.com", `dmarc=fail (p=reject dis=reject) reason="neither SPF nor DKIM passed for an aligned domain" header.from=example.com`},
		{dkim("a.net"), "a.net", "dmarc=none header.from=a.net"},
	} {
		if got := e.Evaluate(t.Context(), c.from, c.ids).Method().String(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	e := dmarc.NewEvaluator(zone{"example.com": "v=DMARC1; p=reject; rua=mailto:a@example.com"}, dmarc.Options{})
	ids := dkim("a.example.com")
	b.ReportAllocs()
	for b.Loop() {
		if r := e.Evaluate(b.Context(), "example.com", ids); r.Status != dmarc.Pass {
			b.Fatal(r)
		}
	}
}
