package authres_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/authres"
)

// The examples of RFC 8601 appendix B, and what is found in real mail.
var fields = []struct {
	name, text string
	want       authres.Results
}{
	{"B.2 nothing done", "example.org 1; none", authres.Results{ID: "example.org", Version: "1"}},
	{"B.3 one method", "example.com;\r\n spf=pass smtp.mailfrom=example.net", authres.Results{
		ID: "example.com",
		Methods: []authres.Method{
			{Name: "spf", Result: "pass", Props: []authres.Prop{{"smtp", "mailfrom", "example.net"}}},
		},
	}},
	{"B.4 two methods", "example.com;\r\n auth=pass (cram-md5) smtp.auth=sender@example.net;\r\n spf=pass smtp.mailfrom=example.net", authres.Results{
		ID: "example.com",
		Methods: []authres.Method{
			{Name: "auth", Result: "pass", Comment: "cram-md5", Props: []authres.Prop{{"smtp", "auth", "sender@example.net"}}},
			{Name: "spf", Result: "pass", Props: []authres.Prop{{"smtp", "mailfrom", "example.net"}}},
		},
	}},
	{"B.6 reason", "example.com;\r\n dkim=pass reason=\"good signature\"\r\n  header.i=@mail-router.example.net;\r\n dkim=fail reason=\"bad signature\"\r\n  header.i=@newyork.example.com", authres.Results{
		ID: "example.com",
		Methods: []authres.Method{
			{Name: "dkim", Result: "pass", Reason: "good signature", Props: []authres.Prop{{"header", "i", "@mail-router.example.net"}}},
			{Name: "dkim", Result: "fail", Reason: "bad signature", Props: []authres.Prop{{"header", "i", "@newyork.example.com"}}},
		},
	}},
	{"B.7 comments everywhere", "foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n policy (A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting it) 1362471462", authres.Results{
		ID: "foo.example.net", Version: "1",
		Methods: []authres.Method{
			{Name: "dkim", Version: "1", Result: "fail", Props: []authres.Prop{{"policy", "expired", "1362471462"}}},
		},
	}},
	{"base64 unquoted", "mx; dkim=pass header.b=a/b+c=; dkim=pass header.b=\"x/y\"", authres.Results{
		ID: "mx",
		Methods: []authres.Method{
			{Name: "dkim", Result: "pass", Props: []authres.Prop{{"header", "b", "a/b+c="}}},
			{Name: "dkim", Result: "pass", Props: []authres.Prop{{"header", "b", "x/y"}}},
		},
	}},
	{"quoted local part", `mx; spf=fail smtp.mailfrom="a b;c"@example.com`, authres.Results{
		ID:      "mx",
		Methods: []authres.Method{{Name: "spf", Result: "fail", Props: []authres.Prop{{"smtp", "mailfrom", `"a b;c"@example.com`}}}},
	}},
	{"nested comment, final semicolon", `"mx host"; iprev=pass (a (b) \) c);`, authres.Results{
		ID:      "mx host",
		Methods: []authres.Method{{Name: "iprev", Result: "pass", Comment: "a (b) ) c"}},
	}},
}

func TestParse(t *testing.T) {
	for _, f := range fields {
		t.Run(f.name, func(t *testing.T) {
			got, err := authres.Parse(f.text)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(f.want, got); d != "" {
				t.Errorf("Parse:\n%s", d)
			}
			for _, s := range []string{got.String(), got.Folded()} {
				if again, err := authres.Parse(s); err != nil || !cmp.Equal(got, again) {
					t.Errorf("%q: %v, %v", s, again, err)
				}
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, s := range []string{"", " ; spf=pass", "mx spf=pass", "mx; spf", "mx; =pass", "mx; spf=", "mx; spf=pass header=1", "mx; spf=pass; smtp", "mx; spf=pass smtp.=x"} {
		if r, err := authres.Parse(s); err == nil {
			t.Errorf("%q: %+v", s, r)
		}
	}
	if r, err := authres.Parse("mx; spf=pass; !"); err == nil || len(r.Methods) != 1 {
		t.Errorf("what came before an error: %+v, %v", r, err)
	}
}

// Nothing that a stranger supplies may end a value or the field.
func TestWriteHostile(t *testing.T) {
	m := authres.Method{Name: "spf\r\nX: y", Result: "pa;ss", Comment: "a) ; dkim=pass (\r\nEvil: 1", Reason: "x\"; dkim=pass\r\n\r\nbody"}
	m.Add("smtp", "mailfrom", "a@b; dkim=pass header.d=bank.example")
	m.Add("smtp", "helo", "caf\xe9\x00")
	r := authres.Results{ID: "mx.example", Methods: []authres.Method{m}}
	for _, s := range []string{r.String(), r.Folded()} {
		for line := range strings.SplitSeq(s, "\r\n") {
			if strings.ContainsAny(line, "\r\n\x00") || line == "" || strings.HasPrefix(line, "X") || strings.HasPrefix(line, "E") {
				t.Errorf("line %q", line)
			}
		}
		again, err := authres.Parse(s)
		if err != nil || len(again.Methods) != 1 || len(again.Methods[0].Props) != 2 {
			t.Errorf("%q: %+v, %v", s, again, err)
		}
	}
}

func TestFolded(t *testing.T) {
	m := authres.Method{Name: "dkim", Result: "pass", Comment: "2048-bit key"}
	m.Add("header", "d", "example.com")
	m.Add("header", "i", "@example.com")
	m.Add("header", "s", "selector-of-2026")
	m.Add("header", "b", "AbCdEf+/")
	r := authres.Results{ID: "mx.example.net", Methods: []authres.Method{{Name: "spf", Result: "none"}, m}}
	want := "mx.example.net;\r\n\tspf=none;\r\n\tdkim=pass (2048-bit key) header.d=example.com header.i=@example.com\r\n\theader.s=selector-of-2026 header.b=\"AbCdEf+/\""
	if got := r.Folded(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := (authres.Results{ID: "mx"}).String(); got != "mx; none" {
		t.Errorf("nothing: %q", got)
	}
}

func TestCollect(t *testing.T) {
	const header = "Authentication-Results: mx.example; spf=pass smtp.mailfrom=a.example\r\n" +
		"Subject: x\r\n" +
		"Authentication-Results: other.example; dkim=fail\r\n" +
		"authentication-results: MX.Example; dkim=pass; dmarc=pass;;broken\r\n\r\n"
	got := authres.Collect([]byte(header), "mx.example").String()
	if want := "mx.example; spf=pass smtp.mailfrom=a.example; dkim=pass; dmarc=pass"; got != want {
		t.Errorf("got %q", got)
	}
	if got := authres.ID(" (x) \"mx.Example\" 1; none"); got != "mx.example" {
		t.Errorf("ID: %q", got)
	}
}

func TestGet(t *testing.T) {
	m := authres.Method{Props: []authres.Prop{{"header", "D", "x"}}}
	if v, ok := m.Get("Header", "d"); v != "x" || !ok {
		t.Errorf("%q %v", v, ok)
	}
	if _, ok := m.Get("smtp", "d"); ok {
		t.Error("found what is not there")
	}
}

func FuzzParse(f *testing.F) {
	for _, c := range fields {
		f.Add(c.text)
	}
	f.Add(`a b; c/d=e (f\)) reason="\"" g.h=i@j; none`)
	f.Fuzz(func(t *testing.T, s string) {
		r, err := authres.Parse(s)
		if err != nil {
			return
		}
		for _, text := range []string{r.String(), r.Folded()} {
			again, err := authres.Parse(text)
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			if d := cmp.Diff(r, again); d != "" {
				t.Fatalf("%q:\n%s", text, d)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) { // 1.4 µs
	for b.Loop() {
		if _, err := authres.Parse(fields[3].text); err != nil {
			b.Fatal(err)
		}
	}
}
