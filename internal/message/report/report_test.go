package report_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/message/mime"
	"github.com/posthaste-mta/posthaste/internal/message/report"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

func read(t testing.TB, name string) *mime.Message {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return mime.NewBytes(b)
}

// files returns the messages of a set of vectors.
func files(t *testing.T, set string, least int) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(testenv.Vectors(t, set), "*.eml"))
	if err != nil || len(names) < least {
		t.Fatalf("%d files of %s, %v", len(names), set, err)
	}
	return names
}

// parsed is what the vectors say of a feedback report.
type parsed struct {
	Type     string   `json:"feedback_type"`
	Arrival  int64    `json:"arrival_date"`
	Results  []string `json:"authentication_results"`
	Sender   string   `json:"original_mail_from"`
	Rcpt     string   `json:"original_rcpt_to"`
	Domains  []string `json:"reported_domain"`
	URIs     []string `json:"reported_uri"`
	MTA      string   `json:"reporting_mta"`
	IP       string   `json:"source_ip"`
	Agent    string   `json:"user_agent"`
	Failure  string   `json:"auth_failure"`
	DKIM     string   `json:"dkim_domain"`
	Identity string   `json:"dkim_identity"`
	Selector string   `json:"dkim_selector"`
}

// TestFeedbackVectors reads the published feedback reports and compares with
// their parsed form.
func TestFeedbackVectors(t *testing.T) {
	for _, name := range files(t, "arf", 3) {
		var want parsed
		text, err := os.ReadFile(strings.TrimSuffix(name, ".eml") + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatal(err)
		}
		f, ok := report.ParseFeedback(read(t, name))
		if !ok {
			t.Errorf("%s is no report", name)
			continue
		}
		r := f.Report
		_, mta := report.Typed(r.Get("reporting-mta"))
		got := parsed{
			Type: strings.ReplaceAll(f.Type(), "-", ""), Arrival: unix(t, r.Get("arrival-date"), r.Get("received-date")),
			Results: words(r.All("authentication-results")), Sender: r.Get("original-mail-from"), Rcpt: r.Get("original-rcpt-to"),
			Domains: r.All("reported-domain"), URIs: r.All("reported-uri"), MTA: mta, IP: r.Get("source-ip"), Agent: r.Get("user-agent"),
			Failure: r.Get("auth-failure"), DKIM: r.Get("dkim-domain"), Identity: r.Get("dkim-identity"), Selector: r.Get("dkim-selector"),
		}
		want.Type, want.Results = strings.ToLower(want.Type), words(want.Results)
		if want.Failure = strings.ToLower(want.Failure); want.Failure == "unspecified" {
			want.Failure = ""
		}
		if len(want.Domains) == 0 {
			want.Domains = nil
		}
		if len(want.URIs) == 0 {
			want.URIs = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if header, ok := f.Original.Header(1 << 20); !ok || !bytes.Contains(header, []byte("From: ")) {
			t.Errorf("%s: original header %q", name, header)
		}
	}
}

func words(texts []string) (out []string) {
	for _, text := range texts {
		out = append(out, strings.Join(strings.Fields(text), " "))
	}
	return out
}

func unix(t *testing.T, dates ...string) int64 {
	for _, date := range dates {
		date, _, _ = strings.Cut(strings.ReplaceAll(date, "EDT", "-0400"), " (")
		for _, layout := range []string{"Mon, 2 Jan 2006 15:04:05 -0700"} {
			if at, err := time.Parse(layout, date); err == nil {
				return at.Unix()
			}
		}
	}
	return 0
}

// hidden are the bounces in which a delivery report stands where MIME does not
// see it, and why.
var hidden = map[string]string{
	"lhost-postfix-50.eml":   "in a message quoted as text",
	"rfc3464-35.eml":         "behind a delimiter that does not begin its line",
	"rhost-franceptt-07.eml": "between delimiters that are not those of the boundary",
}

// unreadable are the bounces whose delivery report lacks something, and what.
var unreadable = map[string]string{
	"lhost-mcafee-02.eml":   "no action or status",
	"lhost-mcafee-05.eml":   "no action or status",
	"lhost-sendgrid-03.eml": "no action or status",
}

// TestBounces reads the real bounces of many mail systems: whatever holds a
// delivery or feedback report gives it up, with an address of each recipient.
func TestBounces(t *testing.T) {
	status, feedback := 0, 0
	for _, name := range files(t, "bounces", 150) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		base, lower := filepath.Base(name), bytes.ToLower(text)
		m := mime.NewBytes(text)
		s, isStatus := report.ParseStatus(m)
		f, isFeedback := report.ParseFeedback(m)
		holds := bytes.Contains(lower, []byte("\ncontent-type: message/delivery-status"))
		if isStatus != (holds && hidden[base] == "") {
			t.Errorf("%s: is a delivery report: %v", base, isStatus)
		}
		if isFeedback != bytes.Contains(lower, []byte("\ncontent-type: message/feedback-report")) {
			t.Errorf("%s: is a feedback report: %v", base, isFeedback)
		}
		if isFeedback {
			feedback++
			if f.Type() == "" || f.Report.Get("version") == "" {
				t.Errorf("%s: %+v", base, f.Report)
			}
		}
		if isStatus {
			status++
			if why := unread(s); why != unreadable[base] {
				t.Errorf("%s: %s, want %q", base, why, unreadable[base])
			}
		}
	}
	if status < 100 || feedback < 4 {
		t.Errorf("only %d delivery reports and %d feedback reports", status, feedback)
	}
}

// unread says what is missing of a report, "" if nothing.
func unread(s *report.Status) string {
	if len(s.Recipients) == 0 {
		return "no recipient"
	}
	for _, r := range s.Recipients {
		_, address := report.Typed(r.Get("final-recipient") + r.Get("original-recipient"))
		if !strings.Contains(address, "@") {
			return "no address in " + address
		}
		if r.Get("action") == "" || r.Get("status") == "" {
			return "no action or status"
		}
	}
	return ""
}

// TestOwn reads the reports that we write.
func TestOwn(t *testing.T) {
	names, err := filepath.Glob("../dsn/testdata/*.eml")
	if err != nil || len(names) < 5 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		s, ok := report.ParseStatus(read(t, name))
		if !ok || s.Message.Get("reporting-mta") == "" || unread(s) != "" {
			t.Errorf("%s: %+v", name, s)
			continue
		}
		bare := strings.Contains(name, "bare") || strings.Contains(name, "options")
		if header, ok := s.Original.Header(1 << 20); ok == bare || ok && len(header) == 0 {
			t.Errorf("%s: original header %q", name, header)
		}
		if text, ok := s.Original.Message(1 << 20); ok != strings.Contains(name, "full") || ok && len(text) == 0 {
			t.Errorf("%s: original message %q", name, text)
		}
	}
}

const odd = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" +
	"\r\n\r\nReporting-MTA: dns;mx.example\r\nnot a field\r\nFinal-Recipient: rfc822;\r\n joe@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n\r\n" +
	"X: 1\r\nX: 2\r\n\r\n: \r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: x\r\n\r\nbody\r\n--b--\r\n"

// TestOdd: what does not keep to the grammar is read as far as it can be.
func TestOdd(t *testing.T) {
	s, ok := report.ParseStatus(mime.NewBytes([]byte(odd)))
	if !ok {
		t.Fatal("no report")
	}
	want := &report.Status{
		Message: report.Fields{{"reporting-mta", "dns;mx.example"}},
		Recipients: []report.Fields{
			{{"final-recipient", "rfc822; joe@example.com"}, {"action", "failed"}, {"status", "5.1.1"}},
			{{"x", "1"}, {"x", "2"}},
		},
	}
	if d := cmp.Diff(want.Message, s.Message) + cmp.Diff(want.Recipients, s.Recipients); d != "" {
		t.Error(d)
	}
	if got := s.Recipients[1].All("x"); len(got) != 2 || s.Recipients[1].Get("y") != "" {
		t.Errorf("all: %q", got)
	}
	if header, ok := s.Original.Header(100); !ok || string(header) != "Subject: x\r\n" {
		t.Errorf("header %q", header)
	}
	if _, ok := s.Original.Header(3); ok {
		t.Error("a header beyond the limit was returned")
	}
	if _, ok := s.Original.Message(100); ok {
		t.Error("a message that is not there was returned")
	}
	for _, text := range []string{"", "Subject: x\r\n\r\ny", "Content-Type: message/delivery-status\r\n\r\n", "Content-Type: message/feedback-report\r\n\r\nVersion: 1\r\n"} {
		_, status := report.ParseStatus(mime.NewBytes([]byte(text)))
		if _, feedback := report.ParseFeedback(mime.NewBytes([]byte(text))); status || feedback {
			t.Errorf("%q is a report", text)
		}
	}
}

func TestTyped(t *testing.T) {
	for value, want := range map[string][2]string{
		"rfc822; joe@example.com": {"rfc822", "joe@example.com"}, "SMTP;550 no; sorry": {"smtp", "550 no; sorry"},
		"550 no; sorry": {"", "550 no; sorry"}, "joe@example.com;x": {"", "joe@example.com;x"}, "": {}, ";x": {"", ";x"},
	} {
		if kind, text := report.Typed(value); kind != want[0] || text != want[1] {
			t.Errorf("%q: %q %q", value, kind, text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(odd))
	f.Add([]byte("Content-Type: message/feedback-report\n\nFeedback-Type: abuse\n\nVersion: 1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := mime.NewBytes(b)
		if s, ok := report.ParseStatus(m); ok && len(s.Message) == 0 && len(s.Recipients) == 0 {
			t.Error("a report of nothing")
		}
		if r, ok := report.ParseFeedback(m); ok {
			_, _ = r.Original.Message(1 << 20)
			_, _ = r.Original.Header(1 << 20)
		}
	})
}

func BenchmarkParseStatus(b *testing.B) {
	text, err := os.ReadFile("../dsn/testdata/failed.eml")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := report.ParseStatus(mime.NewBytes(text)); !ok {
			b.Fatal("no report")
		}
	}
}
