package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/dns/dnstest"
	"github.com/posthaste-mta/posthaste/internal/sink"
)

// newByMX is an MTA that delivers by MX according to the zone; all hosts of the
// zone listen on the same port.
func newByMX(t testing.TB, port int, zone string) (*mta, *dnstest.Server) {
	t.Helper()
	server := dnstest.New(t, zone)
	m := newMTA(t)
	m.running(fmt.Sprintf("resolver: { servers: [ %q ] }", server.Addr()))
	m.running(fmt.Sprintf("transportgroups: [ { id: all, retry: { count: 30, intervals: [ { interval: 3600 } ] }, dsn: { transport: reports }, "+
		"transports: [ { id: out, connection: { port: %d } }, { id: reports, connection: { server: 127.0.0.1, port: %d } } ] } ]", port, port))
	return m, server
}

// hosts starts sinks on the same port of several loopback addresses, each with
// its rules.
func hosts(t testing.TB, rules map[string][]sink.Rule) (port int, all map[string]*farEnd) {
	t.Helper()
	all = map[string]*farEnd{}
	_, p, err := net.SplitHostPort(freeAddress(t))
	must(t, err)
	for host, r := range rules {
		all[host] = newFarEnd(t, sink.Options{Listen: []string{host + ":" + p}, Rules: r})
	}
	return portOf(":" + p), all
}

// TestSecondMX goes on to the next host when one refuses the connection, says
// 421 in its greeting, hangs up, or refuses EHLO for now.
func TestSecondMX(t *testing.T) {
	t.Parallel()
	port, far := hosts(t, map[string][]sink.Rule{
		"127.0.0.1": nil,
		"127.0.0.3": {rule(t, "* connect reply 421 4.3.2 come back later")},
		"127.0.0.4": {rule(t, "* connect drop")},
		"127.0.0.5": {rule(t, "* helo reply 421 4.3.2 come back later")},
		"127.0.0.6": {rule(t, "* rcpt reply 450 4.2.1 come back later")},
	})
	m, _ := newByMX(t, port, `
		refused.example.  IN MX 10 none.example.
		refused.example.  IN MX 20 good.example.
		busy.example.     IN MX 10 busy1.example.
		busy.example.     IN MX 10 busy2.example.
		busy.example.     IN MX 10 busy3.example.
		busy.example.     IN MX 20 good.example.
		later.example.    IN MX 10 later1.example.
		later.example.    IN MX 20 good.example.
		bare.example.     IN A 127.0.0.1
		none.example.     IN A 127.0.0.2
		busy1.example.    IN A 127.0.0.3
		busy2.example.    IN A 127.0.0.4
		busy3.example.    IN A 127.0.0.5
		later1.example.   IN A 127.0.0.6
		good.example.     IN A 127.0.0.1`)
	m.start()
	for n, domain := range []string{"refused.example", "busy.example", "bare.example"} {
		submit(t, m.smtp, "a@example.org", "b@"+domain)
		if got := far["127.0.0.1"].wait(t, n+1)[n].to(); got != "b@"+domain {
			t.Errorf("the good host got mail for %s, want b@%s", got, domain)
		}
	}
	for _, host := range []string{"127.0.0.3", "127.0.0.4", "127.0.0.5"} {
		if far[host].Stats().Connections != 1 {
			t.Errorf("%s saw %d connections, want 1", host, far[host].Stats().Connections)
		}
	}
	// After MAIL the attempt is over: another host is for the next one.
	submit(t, m.smtp, "a@example.org", "b@later.example")
	m.waitTried(1, 1)
	expectContains(t, m.one().RetryReason, "450 4.2.1")
	expectContains(t, m.ctl("resolver", "query", "busy.example"), "busy1.example", "good.example", "127.0.0.3")
	m.stop()
	expectContains(t, m.program.err.String(), fmt.Sprintf("delivered <b@refused.example> by good.example [127.0.0.1]:%d", port))
}

// TestNoDestination tells the sender at once of domains that take no mail, and
// waits where the DNS does not answer.
func TestNoDestination(t *testing.T) {
	t.Parallel()
	self, err := os.Hostname()
	must(t, err)
	port, far := hosts(t, map[string][]sink.Rule{"127.0.0.1": nil})
	m, zone := newByMX(t, port, `
		null.example.   IN MX 0 .
		nodata.example. IN TXT "no mail here"
		loop.example.   IN MX 10 `+self+`.
		backup.example. IN MX 10 primary.example.
		backup.example. IN MX 20 `+self+`.
		backup.example. IN MX 30 good.example.
		broken.example. IN MX 10 good.example.
		dead.example.   IN MX 10 nowhere.example.
		`+self+`.       IN A 127.0.0.1
		primary.example. IN A 127.0.0.2
		good.example.   IN A 127.0.0.1`)
	zone.Fault("broken.example", "MX", dnstest.Fault{RCode: "SERVFAIL"})
	m.start()
	for n, tt := range []struct{ domain, status string }{
		{"null.example", "5.1.10"}, {"missing.example", "5.1.2"}, {"nodata.example", "5.1.2"}, {"dead.example", "5.1.2"}, {"loop.example", "5.4.6"},
	} {
		submit(t, m.smtp, "a@example.org", "b@"+tt.domain)
		report := far["127.0.0.1"].wait(t, n+1)[n]
		expectText(t, "recipient of the report", report.to(), "a@example.org")
		expectContains(t, report.text, "Final-Recipient: rfc822; b@"+tt.domain, "Status: "+tt.status)
	}
	for _, domain := range []string{"broken.example", "backup.example"} {
		submit(t, m.smtp, "a@example.org", "b@"+domain)
	}
	m.waitTried(1, 2)
	if n := len(far["127.0.0.1"].all()); n != 5 {
		t.Errorf("%d messages arrived, want the reports alone", n)
	}
	m.stop()
}

// TestLoop sends mail to itself until the count of hops ends it with one report.
func TestLoop(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newMTA(t)
	m.running(fmt.Sprintf("transportgroups: [ { id: all, dsn: { transport: reports }, transports: [ "+
		"{ id: out, connection: { server: 127.0.0.1, port: %d } }, { id: reports, connection: { server: 127.0.0.1, port: %s } } ] } ]",
		portOf(m.smtp), strings.TrimPrefix(far.Addr().String(), "127.0.0.1:")))
	m.running(serverYAML("phases: { data: { maxhops: 10 } }"))
	m.start()
	submit(t, m.smtp, "a@example.org", "b@example.net")
	report := far.wait(t, 1)[0]
	expectContains(t, report.text, "Action: failed", "Status: 5.4.6")
	m.waitCount(0)
	m.stop()
	if n := strings.Count(m.program.err.String(), "] accepted from "); n < 8 || n > 11 {
		t.Errorf("the message went round %d times:\n%s", n, m.program.err.String())
	}
}
