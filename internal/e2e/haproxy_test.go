package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// host is a network namespace that plays a host.
type host struct {
	*program
	t *testing.T
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{startCommand(t, exec.Command(testenv.Program(t, "unshare"), "--net", "sleep", "infinity")), t}
	own, err := exec.Command("readlink", "/proc/self/ns/net").Output()
	must(t, err)
	eventually(t, "a network namespace", func() bool {
		theirs, err := exec.Command("readlink", fmt.Sprintf("/proc/%d/ns/net", h.pid())).Output()
		return err == nil && string(theirs) != string(own)
	})
	h.ip("link set lo up")
	return h
}

// command returns a command that runs on the host.
func (h *host) command(name string, args ...string) *exec.Cmd {
	return exec.Command(testenv.Program(h.t, "nsenter"), append([]string{"--net", "--target", fmt.Sprint(h.pid()), name}, args...)...)
}

func (h *host) ip(line string) {
	h.t.Helper()
	runCommand(h.t, h.command(testenv.Program(h.t, "ip"), strings.Fields(line)...)).expectCode(0)
}

// link joins two hosts by a cable. The addresses are with their prefix lengths.
func (h *host) link(other *host, name string, own, theirs []string) {
	h.t.Helper()
	h.ip(fmt.Sprintf("link add %s type veth peer name %s netns %d", name, name, other.pid()))
	for _, end := range []struct {
		*host
		addresses []string
	}{{h, own}, {other, theirs}} {
		end.ip("link set " + name + " up")
		for _, a := range end.addresses {
			if strings.Contains(a, ":") {
				a += " nodad"
			}
			end.ip("address add dev " + name + " " + a)
		}
	}
}

// within runs f on the host; the sockets that f makes stay there.
func (h *host) within(f func()) {
	h.t.Helper()
	done := make(chan error) // closed when f has returned
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/net", h.pid()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			_ = unix.Close(fd)
		}
		if err != nil {
			done <- err
			return
		}
		f()
	}()
	if err := <-done; err != nil {
		h.t.Fatal(err)
	}
}

// egressProxy is the HAProxy of docs/sources.md at another address.
const egressProxy = `
defaults
  mode tcp
  timeout connect 5s
  timeout client 10m
  timeout server 10m
frontend egress
  bind %s accept-proxy
  use_backend egress4 if { src 0.0.0.0/0 }
  default_backend egress6
backend egress4
  source 0.0.0.0 usesrc clientip
  server any4 0.0.0.0
backend egress6
  source ::: usesrc clientip
  server any6 :::
`

func (h *host) haproxy(m *mta, file string) *program {
	h.t.Helper()
	return startCommand(h.t, h.command(testenv.Program(h.t, "haproxy"), "-db", "-f", m.path(file)))
}

// TestTwoProxies has three addresses on two proxies, between an MTA and a world
// that cannot reach each other otherwise. Under load one proxy is killed and
// comes back, then the other falls silent and comes back: every message arrives,
// from the address that belongs to its greeting, and none counts a retry.
func TestTwoProxies(t *testing.T) {
	t.Parallel()
	testenv.Root(t)
	testenv.Program(t, "haproxy")
	inside, first, second, world := newHost(t), newHost(t), newHost(t), newHost(t)
	inside.link(first, "in1", []string{"10.0.1.1/24"}, []string{"10.0.1.2/24"})
	inside.link(second, "in2", []string{"10.0.2.1/24"}, []string{"10.0.2.2/24"})
	world.link(first, "out1", []string{"203.0.113.200/24", "2001:db8:1::200/64"}, []string{"203.0.113.10/24", "203.0.113.11/24", "2001:db8:1::10/64"})
	world.link(second, "out2", []string{"198.51.100.200/24"}, []string{"198.51.100.10/24"})
	second.ip("route add 203.0.113.200 via 198.51.100.200")
	var far *farEnd
	world.within(func() {
		far = newFarEnd(t, sink.Options{Listen: []string{"203.0.113.200:2526", "[2001:db8:1::200]:2526"}})
	})

	m := newMTA(t)
	m.running(`
addresses:
  - { id: a1, address: 203.0.113.10, hostname: a1.example.com, proxyprotocol: { server: 10.0.1.2, port: 2525 } }
  - { id: a2, address: 203.0.113.11, hostname: a2.example.com, proxyprotocol: { server: 10.0.1.2, port: 2525, version: 2 } }
  - { id: six, address: "2001:db8:1::10", hostname: six.example.com, proxyprotocol: { server: 10.0.1.2, port: 2525 } }
  - { id: b, address: 198.51.100.10, hostname: b.example.com, proxyprotocol: { server: 10.0.2.2, port: 2525 } }
transportgroups:
  - id: all
    retry: { count: 30, intervals: [ { interval: 1 } ] }
    transports:
      - { id: out, connection: { server: 203.0.113.200, port: 2526, sourceip: { addresses: [ a1, a2, b ] } } }
      - { id: six, connection: { server: "2001:db8:1::200", port: 2526, sourceip: { addresses: [ six ] } } }
scripting:
  hooks:
    eod:
      - id: relay
        data: |
          foreach ($transaction["recipients"] as $r)
              $arguments["mail"]->queue($transaction["senderaddress"], $r["address"], $r["address"]["domain"] == "six.example" ? "six" : "out");
          Accept();
queues: { proxy: { holddown: 1 } }
`)
	m.write("first.cfg", fmt.Sprintf(egressProxy, "10.0.1.2:2525"))
	m.write("second.cfg", fmt.Sprintf(egressProxy, "10.0.2.2:2525"))
	one := first.haproxy(m, "first.cfg")
	second.haproxy(m, "second.cfg")
	listens := func(at string) {
		t.Helper()
		eventually(t, "the proxy "+at, func() (up bool) {
			inside.within(func() {
				conn, err := net.DialTimeout("tcp", at, time.Second)
				if up = err == nil; up {
					conn.Close()
				}
			})
			return up
		})
	}
	listens("10.0.1.2:2525")
	listens("10.0.2.2:2525")
	m.program = startCommand(t, inside.command(binary, m.arguments()...))
	eventually(t, "the control socket", func() bool { return m.tryCtl("queue", "count").code == 0 })

	wanted := 0
	send := func(n int, domain string) time.Time {
		t.Helper()
		wanted += n
		runCommand(t, inside.command(binary, "source", "--to", m.smtp, "-m", fmt.Sprint(n), "-s", "4",
			"--rcpt", fmt.Sprintf("r%d-%%d@%s", wanted, domain), "--size", "1000", "--quiet")).expectCode(0)
		return time.Now()
	}
	different := func() int {
		seen := map[string]bool{}
		for _, a := range far.all() {
			seen[a.to()] = true
		}
		return len(seen)
	}
	all := func(what string, since time.Time) {
		t.Helper()
		eventually(t, what, func() bool { return different() == wanted && strings.TrimSpace(m.ctl("queue", "count")) == "0" })
		t.Logf("%s: %d messages there %s after the last was accepted", what, wanted, time.Since(since).Round(time.Millisecond))
	}
	state := func(proxy, want string) {
		t.Helper()
		eventually(t, proxy+" "+want, func() bool {
			return strings.Contains(m.ctl("proxy", "list", "--json"), `{"proxy":"`+proxy+`","state":"`+want+`"`)
		})
	}

	send(60, "four.example")
	all("both are up", send(3, "six.example"))
	before := len(far.all())

	one.kill()
	all("the first is killed", send(60, "four.example"))
	state("10.0.1.2:2525", "down")
	for _, a := range far.all()[before:] {
		if !strings.HasPrefix(a.Remote.String(), "198.51.100.10:") {
			t.Errorf("%s came from %s, whose proxy was dead", a.to(), a.Remote)
		}
	}
	first.haproxy(m, "first.cfg")
	state("10.0.1.2:2525", "up")

	second.ip("route replace blackhole 10.0.2.1/32")
	all("the second drops packets", send(60, "four.example"))
	second.ip("route del blackhole 10.0.2.1/32")
	state("10.0.2.2:2525", "up")
	all("both are up again", send(60, "four.example"))

	helo := map[string]string{
		"203.0.113.10": "a1.example.com", "203.0.113.11": "a2.example.com", "2001:db8:1::10": "six.example.com", "198.51.100.10": "b.example.com",
	}
	from := map[string]int{}
	for _, a := range far.all() {
		remote, _, _ := net.SplitHostPort(a.Remote.String())
		if from[remote]++; helo[remote] != a.Helo {
			t.Errorf("%s greeted as %q, want %q", remote, a.Helo, helo[remote])
		}
	}
	if len(from) != len(helo) || len(far.all()) != wanted {
		t.Errorf("%d messages of %d, from %v", len(far.all()), wanted, from)
	}
	t.Logf("by source address: %v", from)
	eventually(t, "the log of the first proxy", func() bool {
		return strings.Contains(m.err.String(), "The proxy 10.0.1.2:2525 is down: connection refused") &&
			strings.Contains(m.err.String(), "The proxy 10.0.1.2:2525 is up again") &&
			strings.Contains(m.err.String(), "from [198.51.100.10] by [203.0.113.200]:2526 via [10.0.2.2]:2525")
	})
	if strings.Contains(m.err.String(), " deferred <") {
		t.Error("an attempt was counted")
	}
}

// TestSwaksProxyHeader has swaks write PROXY headers of both versions for our
// listener, which takes the client to be the one in the header.
func TestSwaksProxyHeader(t *testing.T) {
	t.Parallel()
	swaks := testenv.Program(t, "swaks")
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr())
	m.startup(fmt.Sprintf("servers: [ { id: inbound, listeners: [ { address: 127.0.0.1, port: %d, proxyprotocol: [ 127.0.0.1 ] } ] } ]", portOf(m.smtp)))
	m.start()
	for i, version := range [][]string{
		{"--proxy-version", "1", "--proxy-family", "TCP4"},
		{"--proxy-version", "2", "--proxy-protocol", "STREAM", "--proxy-command", "PROXY", "--proxy-family", "AF_INET"},
	} {
		source := fmt.Sprintf("127.9.9.%d", i+1)
		runCommand(t, exec.Command(swaks, append([]string{
			"--server", m.smtp, "--from", "s@example.org", "--to", "r@example.net", "--helo", "client.example",
			"--proxy-source", source, "--proxy-source-port", "54321", "--proxy-dest", "127.0.0.1", "--proxy-dest-port", "25",
		}, version...)...)).expectCode(0)
		expectContains(t, far.wait(t, i+1)[i].text, "["+source+"]")
	}
}
