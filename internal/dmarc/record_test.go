package dmarc_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	msgauth "github.com/emersion/go-msgauth/dmarc"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/posthaste-mta/posthaste/internal/dmarc"
)

func TestParseRecord(t *testing.T) {
	r, ok := dmarc.ParseRecord("v = DMARC1 ; P=x; p=Quarantine;; sp=reject; np=none; adkim=s; aspf=S; pct=42; t=y; psd=n;" +
		" rua=mailto:a@example.com!10m, https://example.com/r ,nonsense; ruf=mailto:b@example.com; fo=1:d:x; rf=afrf; ri=3600; p=reject; junk;")
	if !ok {
		t.Fatal("no record")
	}
	want := &dmarc.Record{
		Policy: dmarc.Quarantine, Subdomains: dmarc.Reject, Nonexistent: dmarc.Accept,
		StrictDKIM: true, StrictSPF: true, Percent: 42, Testing: true, PSD: "n",
		Aggregate: []dmarc.URI{{URI: "mailto:a@example.com", Limit: 10 << 20}, {URI: "https://example.com/r"}},
		Failure:   []dmarc.URI{{URI: "mailto:b@example.com"}},
		Options:   []string{"1", "d"}, Formats: []string{"afrf"}, Interval: time.Hour,
	}
	if d := cmp.Diff(want, r, cmpopts.IgnoreFields(dmarc.Record{}, "Tags"), cmpopts.IgnoreUnexported(dmarc.Record{})); d != "" {
		t.Error(d)
	}
	if v, ok := r.Get("ri"); v != "3600" || !ok {
		t.Errorf("%q %v", v, ok)
	}
	if _, ok := r.Get("junk"); ok {
		t.Error("junk is a tag")
	}
}

// TestRecordExamples reads the records of RFC 7489 §B.2.
func TestRecordExamples(t *testing.T) {
	for text, want := range map[string]dmarc.Record{
		"v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com":// §B.2.1
		{Policy: dmarc.Accept, Percent: 100, Aggregate: []dmarc.URI{{URI: "mailto:dmarc-feedback@example.com"}}},
		"v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@example.com":// §B.2.2
		{Policy: dmarc.Accept, Percent: 100, Aggregate: []dmarc.URI{{URI: "mailto:dmarc-feedback@example.com"}}, Failure: []dmarc.URI{{URI: "mailto:auth-reports@example.com"}}},
		"v=DMARC1; p=none; rua=mailto:dmarc-feedback@example.com; ruf=mailto:auth-reports@thirdparty.example.net":// §B.2.3
		{Policy: dmarc.Accept, Percent: 100, Aggregate: []dmarc.URI{{URI: "mailto:dmarc-feedback@example.com"}}, Failure: []dmarc.URI{{URI: "mailto:auth-reports@thirdparty.example.net"}}},
		"v=DMARC1; p=quarantine; rua=mailto:dmarc-feedback@example.com,mailto:tld-test@thirdparty.example.net!10m; pct=25":// §B.2.4
		{Policy: dmarc.Quarantine, Percent: 25, Aggregate: []dmarc.URI{{URI: "mailto:dmarc-feedback@example.com"}, {URI: "mailto:tld-test@thirdparty.example.net", Limit: 10 << 20}}},
	} {
		got, ok := dmarc.ParseRecord(text)
		if !ok || got.Policy != want.Policy || got.Percent != want.Percent || !cmp.Equal(got.Aggregate, want.Aggregate) || !cmp.Equal(got.Failure, want.Failure) {
			t.Errorf("%s: %+v", text, got)
		}
	}
	if r, ok := dmarc.ParseRecord("v=DMARC1"); !ok || r.Policy != "" { // §B.2.3: that of the third party says that reports may go there
		t.Errorf("a record that only authorises: %+v", r)
	}
}

func TestRecordDefaults(t *testing.T) {
	r, ok := dmarc.ParseRecord("v=DMARC1;p=none;pct=101;adkim=x;psd=maybe;fo=z;rf=iodef;ri=soon;t=?;rua=mailto:x@y!7x")
	want := &dmarc.Record{
		Policy: dmarc.Accept, Percent: 100, PSD: "u", Options: []string{"0"}, Formats: []string{"afrf"}, Interval: 24 * time.Hour,
		Aggregate: []dmarc.URI{{URI: "mailto:x@y"}},
	}
	if d := cmp.Diff(want, r, cmpopts.IgnoreFields(dmarc.Record{}, "Tags"), cmpopts.IgnoreUnexported(dmarc.Record{})); d != "" || !ok {
		t.Error(d)
	}
}

func TestNoRecord(t *testing.T) {
	for _, s := range []string{"", "v", "v=DMARC", "v=dmarc1", "v=DMARC1x", "p=none; v=DMARC1", "v=spf1 -all"} {
		if r, ok := dmarc.ParseRecord(s); ok {
			t.Errorf("%q: %+v", s, r)
		}
	}
}

// TestRecordByMsgauth compares with another parser what both know.
func TestRecordByMsgauth(t *testing.T) {
	for _, s := range []string{
		"v=DMARC1; p=none", "v=DMARC1; p=reject; sp=quarantine; adkim=s; aspf=r; pct=50; ri=60; fo=1",
		"v=DMARC1; p=quarantine; rua=mailto:a@example.com,mailto:b@example.com; ruf=mailto:c@example.com",
	} {
		ours, ok := dmarc.ParseRecord(s)
		theirs, err := msgauth.Parse(s)
		if !ok || err != nil {
			t.Fatal(s, ok, err)
		}
		percent := 100
		if theirs.Percent != nil {
			percent = *theirs.Percent
		}
		var rua []string
		for _, u := range ours.Aggregate {
			rua = append(rua, u.URI)
		}
		if string(theirs.Policy) != string(ours.Policy) || string(theirs.SubdomainPolicy) != string(ours.Subdomains) || percent != ours.Percent ||
			(theirs.DKIMAlignment == msgauth.AlignmentStrict) != ours.StrictDKIM || (theirs.SPFAlignment == msgauth.AlignmentStrict) != ours.StrictSPF ||
			!cmp.Equal(theirs.ReportURIAggregate, rua) {
			t.Errorf("%q:\n%+v\n%+v", s, ours, theirs)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add("v=DMARC1; p=reject; rua=mailto:a@b!5k, x:y; pct=7; fo=d:s")
	f.Fuzz(func(t *testing.T, s string) {
		r, ok := dmarc.ParseRecord(s)
		if !ok {
			return
		}
		again, ok := dmarc.ParseRecord(r.String())
		if d := cmp.Diff(r, again, cmpopts.IgnoreUnexported(dmarc.Record{})); d != "" || !ok {
			t.Errorf("%q:\n%s", s, d)
		}
	})
}

func TestAuthorDomain(t *testing.T) {
	for _, c := range []struct{ from, want string }{
		{"From: joe@example.com\r\n", "example.com"},
		{"From: Joe <joe@Example.COM>\r\n", "example.com"},
		{"From: \"Joe, at <bank@bank.example>\" <joe@example.com>\r\n", "example.com"},
		{"From: joe@example.com (bank@bank.example (nested) \\) x)\r\n", "example.com"},
		{"From: Doe, John <joe@example.com>\r\n", "example.com"},        // a comma that should be quoted
		{"From: joe@bank.example <joe@example.com>\r\n", "example.com"}, // an @ that should be quoted
		{"From:\r\n =?utf-8?q?J=C3=B6?=\r\n <joe@b\xc3\xbccher.example>\r\n", "xn--bcher-kva.example"},
		{"From: \"a@b\"@example.com\r\n", "example.com"},
		{"From: a@example.com, B <b@example.com>\r\n", "example.com"},
		{"From: Friends: a@example.com, b@example.com;\r\n", "example.com"},
		{"From: <@relay.example:joe@example.com>\r\n", "example.com"},
		{"From: Joe <joe@example.com\r\n", "example.com"},
		{"From: joe @ example.com.\r\n", "example.com"},
		{"From: a@example.com, b@example.org\r\n", ""},
		{"From: <a@example.com> <b@example.org>\r\n", ""},
		{"From: a@example.com <b@example.org>, c@example.com\r\n", ""},
		{"From: a@example.com\r\nFrom: a@example.com\r\n", ""},
		{"From: Joe\r\n", ""},
		{"From: <>\r\n", ""},
		{"From: joe@[192.0.2.1]\r\n", ""},
		{"From: joe@exa mple.com\r\n", ""},
		{"From: joe@\r\n", ""},
		{"From:\r\n", ""},
		{"Subject: x\r\n", ""},
		{"From: \"joe@example.com\r\n", ""},
	} {
		got, err := dmarc.AuthorDomain([]byte(c.from + "To: x@y.example\r\n\r\nFrom: z@z.example\r\n"))
		if got != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, dmarc.ErrAuthor) {
			t.Errorf("%q: %q, %v", c.from, got, err)
		}
	}
}

func FuzzAuthorDomain(f *testing.F) {
	f.Add("Joe (x) \"y\" <@a:b@c.d>, e@f.g;")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := dmarc.AuthorDomain([]byte("From: " + strings.NewReplacer("\r", "", "\n", "").Replace(s)))
		if (d == "") != (err != nil) {
			t.Errorf("%q, %v", d, err)
		}
	})
}

const suffixes = `// ===BEGIN ICANN DOMAINS===
com
uk
co.uk  // with something behind it

*.ck
!www.ck
*.kawasaki.jp
jp
!city.kawasaki.jp
香港
`

// TestSuffixes has cases of the test data that publicsuffix.org publishes.
func TestSuffixes(t *testing.T) {
	l, err := dmarc.ReadSuffixes(strings.NewReader(suffixes))
	if err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]string{
		"com": "com", "example.com": "com", "a.b.example.com": "com",
		"example.co.uk": "co.uk", "co.uk": "co.uk", "example.uk": "uk",
		"ck": "ck", "test.ck": "test.ck", "b.test.ck": "test.ck", "a.b.test.ck": "test.ck", "www.ck": "ck", "www.www.ck": "ck",
		"c.kawasaki.jp": "c.kawasaki.jp", "city.kawasaki.jp": "kawasaki.jp", "www.city.kawasaki.jp": "kawasaki.jp",
		"example.unlisted": "unlisted", "www.xn--j6w193g": "xn--j6w193g",
	} {
		for name, s := range map[string]dmarc.Suffixes{"file": l, "built in": dmarc.BuiltIn} {
			if got := s.PublicSuffix(domain); got != want {
				t.Errorf("%s, %s: %s, want %s", name, domain, got, want)
			}
		}
	}
	for _, bad := range []string{"", "// nothing\n", "com\n.x.\n", "com\nex&mple\n"} {
		if _, err := dmarc.ReadSuffixes(strings.NewReader(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if _, err := dmarc.ReadSuffixes(bytes.NewReader(bytes.Repeat([]byte("x"), 1<<20))); err == nil {
		t.Error("a line of a megabyte was read")
	}
}
