package backoff

import (
	"reflect"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/smtp"
)

func standardRules(t testing.TB) []Rule {
	t.Helper()
	rules, err := Standard()
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestStandardRules(t *testing.T) {
	t.Parallel()
	o := &Options{Rules: standardRules(t)}
	for _, c := range []struct {
		rule  string // empty: none acts
		code  int
		lines string
	}{
		{"google-reputation", 421, "4.7.28 Our system has detected an unusual rate of\n4.7.28 unsolicited mail originating from your IP address."},
		{"microsoft-reputation", 451, "4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation."},
		{"microsoft-rate", 421, "RP-001 (BAY004) Unfortunately, some messages from 192.0.2.1 weren't sent."},
		{"microsoft-blocked", 550, "5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Part of their network is on our block list (S3140)."},
		{"yahoo-volume", 421, "4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints"},
		{"yahoo-deferred", 421, "4.7.1 [TS03] All messages from 192.0.2.1 will be permanently deferred"},
		{"list-blocked", 554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"},
		{"connections", 421, "4.7.0 mx.example.net Error: too many connections from 192.0.2.1"},
		{"rate", 452, "4.5.3 Your message rate limit was reached"},
		{"busy", 421, "4.3.0 closing"},
		{"", 451, "4.7.1 Greylisted, too many connections, try again in 300 seconds"},
		{"", 450, "4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages"},
		{"", 550, "5.1.1 no such user, too many connections"},
		{"", 552, "5.2.2 Mailbox full"},
		{"", 550, "5.7.1 spam"},
	} {
		r := smtp.NewReply(c.code, smtp.EnhancedCode{}, strings.Split(c.lines, "\n")...)
		found := ""
		if rule := o.find(&r); rule != nil {
			found = rule.Name
		}
		if found != c.rule {
			t.Errorf("%d %s: rule %q, want %q", c.code, c.lines, found, c.rule)
		}
	}
}

func TestRuleNames(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, r := range standardRules(t) {
		if seen[r.Name] {
			t.Errorf("two rules are named %s", r.Name)
		}
		seen[r.Name] = true
	}
}

func TestMistakesInRules(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                             "want NAME ACTION",
		"a":                            "want NAME ACTION",
		"a hurry : b":                  "want an action of",
		"a slow":                       "every failure would fit",
		"a slow=0 : b":                 "want a step from 1",
		"a suspend : b":                "want an action of",
		"a suspend=400d : b":           "want a time from 1s",
		"a slow code=250 : b":          "want a code such as",
		"a slow code=45 : b":           "want a code such as",
		"a slow events=0/1m code=421":  "want a number of events",
		"a slow events=5 code=421":     "want a time from 1s",
		"a slow sometimes=yes : b":     "unknown option",
		"a slow : b | | c":             "empty words",
		"a slow code=421 : b+":         "empty words",
		strings.Repeat("a", 65) + " b": "want NAME ACTION",
	} {
		if _, err := ParseRule(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := ReadRules(strings.NewReader("# all\n\na slow : b\nc\n")); err == nil || !strings.Contains(err.Error(), "line 4") {
		t.Errorf("the error does not name the line: %v", err)
	}
}

func FuzzParseRule(f *testing.F) {
	for line := range strings.SplitSeq(standard, "\n") {
		f.Add(line, "421 too many connections")
	}
	f.Fuzz(func(t *testing.T, text, reply string) {
		r, err := ParseRule(text)
		if err != nil {
			return
		}
		again, err := ParseRule(strings.Join(strings.Fields(text), " "))
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%q means another thing with single spaces: %v", text, err)
		}
		r.Fits(421, reply)
	})
}
