package e2e

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// TestManyRecipients sends ten thousand RCPTs in one go: to a server that takes
// them all, and to one with the usual limit.
func TestManyRecipients(t *testing.T) {
	t.Parallel()
	const n = 10000
	for _, tt := range []struct{ limit, want int }{{n, n}, {0, 0}, {100, 100}} {
		t.Run(fmt.Sprintf("limit %d", tt.limit), func(t *testing.T) {
			far := newFarEnd(t, sink.Options{})
			m := newRelay(t, far.Addr())
			m.running(serverYAML(fmt.Sprintf("phases: { rcptto: { maxrecipients: %d } }", tt.limit)))
			m.pool()
			m.start()
			c := dial(t, m.smtp)
			c.ehlo()
			c.say("MAIL FROM:<a@example.org>", "250")
			go func() {
				for i := range n {
					fmt.Fprintf(c.conn, "RCPT TO:<b%d@example.net>\r\n", i)
				}
			}()
			taken := 0
			for range n {
				reply, err := c.reply()
				if err != nil {
					t.Fatalf("after %d recipients: %v", taken, err)
				}
				switch {
				case strings.HasPrefix(reply, "250 "):
					taken++
				case strings.HasPrefix(reply, "452 4.5.3"):
				default:
					t.Fatalf("a recipient was answered %q", reply)
				}
			}
			if tt.limit > 0 && taken != tt.want || tt.limit == 0 && taken < 100 {
				t.Errorf("%d recipients were taken, want %d", taken, tt.want)
			}
			c.say("DATA", "354")
			c.say("Subject: test\r\n\r\nText.\r\n.", "250")
			eventually(t, "all recipients at the far end", func() bool { return far.Stats().Recipients >= int64(taken) })
			m.waitCount(0)
			if got := far.Stats().Recipients; got != int64(taken) {
				t.Errorf("%d recipients arrived, %d were taken", got, taken)
			}
			m.stop()
		})
	}
}

// TestIdleCrowd fills a server with idle clients: those beyond the limit are
// told so, the others stay, and nothing is left counted when all have gone,
// however they went.
func TestIdleCrowd(t *testing.T) {
	t.Parallel()
	const limit, crowd = 100, 300
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr())
	secure := freeAddress(t)
	m.tls(newCertificate(t, "mta.test"))
	m.listeners(listener("mx", m.smtp), listener("smtps", secure))
	m.running(serverYAML(fmt.Sprintf("concurrency: { total: %d }, tls: { certs: { cert: main }, implicit: [ smtps ] }", limit)))
	m.start()
	var in []*client
	turnedAway := 0
	for range crowd {
		conn, err := net.Dial("tcp", m.smtp)
		must(t, err)
		c := newClient(t, conn)
		reply, err := c.reply()
		must(t, err)
		switch {
		case strings.HasPrefix(reply, "220 "):
			in = append(in, c)
		case strings.HasPrefix(reply, "421 4.7.0"):
			turnedAway++
			conn.Close()
		default:
			t.Fatalf("greeted with %q", reply)
		}
	}
	if len(in) != limit || turnedAway != crowd-limit {
		t.Errorf("%d clients got in and %d were turned away", len(in), turnedAway)
	}
	if got := m.metric("halon_servers_connections_concurrent"); got != limit {
		t.Errorf("halon_servers_connections_concurrent is %v", got)
	}
	in[0].ehlo()
	in[0].send("a@example.org", "b@example.net")
	for i, c := range in {
		if i%2 == 0 {
			must(t, c.conn.(*net.TCPConn).SetLinger(0)) // leaves with a reset
		}
		c.conn.Close()
	}
	eventually(t, "everybody to be gone", func() bool { return m.metric("halon_servers_connections_concurrent") == 0 })

	// Handshakes that are broken off, at several places.
	for i := range 30 {
		conn, err := net.Dial("tcp", secure)
		must(t, err)
		_, err = conn.Write([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 nonsense")[:i%16+1])
		must(t, err)
		conn.Close()
	}
	eventually(t, "the handshakes to be forgotten", func() bool { return m.metric("halon_servers_connections_concurrent") == 0 })
	submit(t, m.smtp, "a@example.org", "c@example.net")
	far.wait(t, 2)
	m.stop()
}

// TestPerClientLimit counts clients by address and by network.
func TestPerClientLimit(t *testing.T) {
	t.Parallel()
	m := newMTA(t)
	m.running(serverYAML("concurrency: { remoteip: 2, networks: [ { network: 127.0.0.0/8, limit: 3 } ] }"))
	m.start()
	from := func(host string) string {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}}
		conn, err := d.Dial("tcp", m.smtp)
		must(t, err)
		reply, err := newClient(t, conn).reply()
		must(t, err)
		return reply[:3]
	}
	for i, tt := range []struct{ host, want string }{{"127.0.0.1", "220"}, {"127.0.0.1", "220"}, {"127.0.0.1", "421"}, {"127.0.0.2", "220"}, {"127.0.0.3", "421"}} {
		if got := from(tt.host); got != tt.want {
			t.Errorf("connection %d, from %s, was greeted with %s, want %s", i+1, tt.host, got, tt.want)
		}
	}
	m.stop()
}

// TestDescriptorsExhausted runs out of file descriptors: the log says so once,
// connections that are open work on, nothing that was taken is lost, and when
// there are descriptors again everything goes on by itself.
func TestDescriptorsExhausted(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr())
	m.startup("environment: { rlimit: { nofile: 64 } }")
	m.running("transportgroups: [ { id: all, retry: { count: 30, intervals: [ { interval: 1 } ] }, transports: [ { id: out, connection: { server: 127.0.0.1, port: " +
		strings.TrimPrefix(far.Addr().String(), "127.0.0.1:") + " } } ] } ]")
	m.start()
	first := dial(t, m.smtp)
	first.ehlo()
	var crowd []net.Conn
	for range 100 {
		conn, err := net.Dial("tcp", m.smtp)
		must(t, err)
		defer conn.Close()
		crowd = append(crowd, conn)
	}
	m.waitFor("inbound: cannot accept connections for now: ")
	for i := range 3 {
		first.send("a@example.org", fmt.Sprintf("b%d@example.net", i))
	}
	for _, c := range crowd {
		c.Close()
	}
	m.waitFor("inbound: connections are accepted again")
	submit(t, m.smtp, "a@example.org", "c@example.net")
	far.wait(t, 4)
	m.waitCount(0)
	m.stop()
	log := m.program.err.String()
	if n := strings.Count(log, "cannot accept connections"); n != 1 {
		t.Errorf("said %d times that connections cannot be accepted", n)
	}
}

// TestThirdPartyLoad lets Postfix' client send many messages over many
// connections, none of which may be lost.
func TestThirdPartyLoad(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr())
	m.running("queues: { concurrency: { total: 20 } }")
	m.pool()
	m.start()
	var clients sync.WaitGroup
	for i := range 2 {
		clients.Go(func() {
			p := startCommand(t, exec.Command(smtpSource(t), "-c", "-d", "-f", "a@example.org", "-t", fmt.Sprintf("b%d@example.net", i), "-m", "300", "-s", "10", "-l", "3000", "inet:"+m.smtp))
			<-p.done
		})
	}
	clients.Wait()
	far.wait(t, 600)
	m.waitCount(0)
	m.stop()
	if n, connections := len(far.all()), far.Stats().Connections; n != 600 || connections > 40 {
		t.Errorf("%d messages arrived over %d connections, want 600 over the 20 that may be open at once, about", n, connections)
	}
}
