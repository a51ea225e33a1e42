package sink

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// attempts has n recipients of a domain come from an address, a while apart, each
// by a connection of its own, and returns the first digits of what is replied:
// 2 for a recipient that is taken, w for one that has to wait.
func attempts(t *testing.T, p *patience, ip, domain string, begin, apart time.Duration, n int) string {
	t.Helper()
	var out strings.Builder
	for i := range n {
		var v verdict
		at := time.Unix(0, 0).Add(begin + time.Duration(i)*apart)
		p.judge(&v, visit{ip: ip, serial: uint64(i + 1), sender: "a@b", to: mailbox{"joe", domain}}, at)
		switch {
		case v.reply != nil:
			out.WriteString(v.reply.reply[:1])
		case v.delay > 0:
			out.WriteByte('w')
		default:
			out.WriteByte('2')
		}
	}
	return out.String()
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit string
		want  string // of ten visits, a second apart
	}{
		{"big.test messages 3/5s : 421 4.7.0 slow down", "2224422244"},
		{"big.test connections 3/5s : 421 4.7.0 slow down", "2224422244"},
		{"big.test block 3/5s 4s : 550 5.7.1 blocked", "2225555222"},
		{"big.test greylist 4s : 451 4.7.1 Greylisted", "4444222222"},
		{"big.test tarpit 3/5s 2s", "222ww222ww"},
		{"*.test messages 3/5s : 421 4.7.0 slow down", "2224422244"},
		{"ann@big.test messages 0/5s : 421 4.7.0 slow down", "2222222222"},
		{"other.test messages 0/5s : 421 4.7.0 slow down", "2222222222"},
	} {
		l, err := ParseLimit(c.limit)
		if err != nil {
			t.Fatal(err)
		}
		if got := attempts(t, newPatience([]Limit{l}, 0), "192.0.2.1", "big.test", 0, time.Second, 10); got != c.want {
			t.Errorf("%s: %s, want %s", c.limit, got, c.want)
		}
	}
}

func TestLimitsAreOfOneSource(t *testing.T) {
	t.Parallel()
	l, err := ParseLimit("big.test messages 2/1m : 421 4.7.0 slow down")
	if err != nil {
		t.Fatal(err)
	}
	p := newPatience([]Limit{l}, 0)
	for _, ip := range []string{"192.0.2.1", "192.0.2.2"} {
		if got := attempts(t, p, ip, "big.test", 0, 0, 4); got != "2244" {
			t.Errorf("%s: %s, want 2244", ip, got)
		}
	}
}

// TestPatienceIsBounded has more addresses come than are remembered.
func TestPatienceIsBounded(t *testing.T) {
	t.Parallel()
	l, err := ParseLimit("* messages 2/1m : 421 4.7.0 slow down")
	if err != nil {
		t.Fatal(err)
	}
	p := newPatience([]Limit{l}, 0)
	for i := range maxUsages + 10 {
		var v verdict
		p.judge(&v, visit{ip: fmt.Sprint(i), to: mailbox{"joe", "big.test"}}, time.Unix(0, 0))
	}
	if n := len(p.used); n > maxUsages {
		t.Errorf("%d addresses are remembered, the bound is %d", n, maxUsages)
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	for _, name := range Providers() {
		limits, err := ParseProvider(name + "=big.test,*.big.test")
		if err != nil || len(limits) == 0 || len(limits)%2 != 0 {
			t.Errorf("%s: %d limits, %v", name, len(limits), err)
		}
	}
}

func TestMistakesInLimits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                 "want PATTERN KIND",
		"big.test anger 3/5s":              "want a kind of messages",
		"big.test messages 3 : 421 no":     "want a time such as",
		"big.test messages x/5s : 421 no":  "want a count such as",
		"big.test messages 3/5s":           "want a reply such as",
		"big.test messages 3/5s : 250 yes": "class 4 or 5",
		"big.test messages 3/5s 4s : 421 ": "unexpected argument",
		"big.test block 3/5s : 550 no":     "want a time such as 30s",
		"big.test tarpit 3/5s 2s : 421 no": "a tarpit has no reply",
	} {
		if _, err := ParseLimit(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for _, text := range []string{"google", "nobody=big.test", "google="} {
		if _, err := ParseProvider(text); err == nil || !strings.Contains(err.Error(), "want PROFILE=DOMAIN") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseLimit(f *testing.F) {
	for _, lines := range profiles() {
		for _, l := range lines {
			f.Add("*.test " + l)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLimit(text)
		if err != nil {
			return
		}
		var v verdict
		newPatience([]Limit{l}, 0).judge(&v, visit{to: mailbox{"joe", "big.test"}}, time.Unix(0, 0))
	})
}

// TestProviderInConversation speaks to a sink that soon has enough.
func TestProviderInConversation(t *testing.T) {
	t.Parallel()
	l, err := ParseLimit("big.test messages 1/1h : 421 4.7.28 unusual rate of unsolicited mail")
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Hostname: "sink.test", Limits: []Limit{l}})
	if err != nil {
		t.Fatal(err)
	}
	client, server := net.Pipe()
	served := make(chan struct{})
	go func() { defer close(served); s.ServeConn(context.Background(), server) }()
	defer func() { client.Close(); <-served }()
	got := make([]byte, 4<<10)
	say := func(line, want string) {
		t.Helper()
		if line != "" {
			if _, err := client.Write([]byte(line + "\r\n")); err != nil {
				t.Fatal(err)
			}
		}
		n, err := client.Read(got)
		if err != nil || !strings.HasPrefix(string(got[:n]), want) {
			t.Fatalf("%s: %q, %v; want %s", line, got[:n], err, want)
		}
	}
	say("", "220")
	say("HELO a", "250")
	say("MAIL FROM:<a@b.test>", "250")
	say("RCPT TO:<joe@small.test>", "250")
	say("RCPT TO:<joe@big.test>", "250")
	say("RCPT TO:<ann@big.test>", "421 4.7.28 unusual rate")
	if _, err := client.Read(got); err == nil {
		t.Error("the connection stays open after 421")
	}
}
