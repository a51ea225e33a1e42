package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/sink"
)

// gate is a receiver that counts what goes on at once: connections from accept
// to QUIT, and transactions from MAIL to the reply after the text.
type gate struct {
	net.Listener

	mu           sync.Mutex
	connections  int
	transactions int
	mostConns    int
	mostTrans    int
	accepted     []time.Time
	taken        int
}

func newGate(t testing.TB) *gate {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	must(t, err)
	g := &gate{Listener: l}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go g.serve(c)
		}
	}()
	return g
}

func (g *gate) change(connections, transactions, taken int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.connections += connections
	g.transactions += transactions
	g.taken += taken
	g.mostConns, g.mostTrans = max(g.mostConns, g.connections), max(g.mostTrans, g.transactions)
	if connections > 0 {
		g.accepted = append(g.accepted, time.Now())
	}
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.taken
}

// slowness is how long the receiver takes over a message, so that the sender
// would like to have many under way.
const slowness = 2 * time.Millisecond

func (g *gate) serve(c net.Conn) {
	defer c.Close()
	g.change(1, 0, 0)
	gone := sync.OnceFunc(func() { g.change(-1, 0, 0) })
	defer gone()
	in := bufio.NewScanner(c)
	say := func(s string) { fmt.Fprint(c, s+"\r\n") }
	say("220 gate.test")
	text := false
	for in.Scan() {
		verb := strings.ToUpper(in.Text())
		switch {
		case text && in.Text() == ".":
			text = false
			<-time.After(slowness)
			g.change(0, -1, 1)
			say("250 2.0.0 taken")
		case text:
		case strings.HasPrefix(verb, "MAIL"):
			g.change(0, 1, 0)
			say("250 2.1.0 ok")
		case strings.HasPrefix(verb, "DATA"):
			text = true
			say("354 go on")
		case strings.HasPrefix(verb, "QUIT"):
			gone() // before the sender hears of it
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

// TestLimitsHoldAtTheReceiver floods a receiver through policies and lets it
// count, with connections used once and with pooled ones.
func TestLimitsHoldAtTheReceiver(t *testing.T) {
	t.Parallel()
	for _, pooled := range []bool{false, true} {
		t.Run(fmt.Sprintf("pooled %v", pooled), func(t *testing.T) {
			t.Parallel()
			const messages = 300
			g := newGate(t)
			m := newRelay(t, g.Addr())
			m.running("queues: { pooling: { size: 100, policy: grouping }, grouping: { groupings: [ { id: all, recipientdomain: [ \"*.test\" ] } ] } }")
			if pooled {
				m.write("smtpd-delivery.yaml", "version: \"6.9\"\ndelivery: { conditions: [ { if: { grouping: \"&all\" }, then: { pooling: { enabled: true, timeout: 10, transactions: 7 } } } ] }\n")
			}
			m.write("smtpd-policy.yaml", `version: "6.9"
policies:
  - fields: [ grouping ]
    conditions: [ { if: { grouping: "&all" }, then: { concurrency: 4 } } ]
  - fields: [ recipientdomain ]
    default: { concurrency: 2 }
  - default: { rate: "200/1" }
`)
			m.start()
			var senders sync.WaitGroup
			for s := range 4 {
				senders.Go(func() {
					c := dial(t, m.smtp)
					c.ehlo()
					for i := range messages / 4 {
						c.send("a@example.org", fmt.Sprintf("r%d@d%d.test", i, s))
					}
				})
			}
			senders.Wait()
			eventually(t, "all messages", func() bool { return g.count() == messages })
			m.waitCount(0)
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.mostTrans > 4 || g.mostConns > 4 {
				t.Errorf("%d connections and %d transactions at once, the limit is 4", g.mostConns, g.mostTrans)
			}
			if pooled && len(g.accepted) > messages/2 {
				t.Errorf("%d connections for %d messages: they were not pooled", len(g.accepted), messages)
			}
			m.stop()
		})
	}
}

// TestSuspendAndExplain holds mail back, asks why it waits, and lets it go.
func TestSuspendAndExplain(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr()).start()
	id := strings.TrimSpace(m.ctl("queue", "suspend", "add", "--recipientdomain", "*.closed.test", "--tag", "complaints", "--ttl", "1h"))
	submit(t, m.smtp, "a@example.org", "b@a.closed.test")
	submit(t, m.smtp, "a@example.org", "b@open.test")
	if got := far.wait(t, 1)[0].to(); got != "b@open.test" {
		t.Errorf("%s arrived", got)
	}
	m.waitCount(1, "--state", "ACTIVE")
	waiting := m.list("--state", "ACTIVE")[0].ID
	why := m.ctl("queue", "explain", waiting)
	expectContains(t, why, "suspended by "+id+" (complaints): recipientdomain=*.closed.test")
	expectContains(t, why, "a limit or suspension ends")
	expectContains(t, m.ctl("queue", "explain", "--group", "a.closed.test"), "1 waiting, 0 being sent")
	expectContains(t, m.ctl("--json", "queue", "suspend", "list"), `"tag":"complaints"`)
	m.ctl("queue", "suspend", "delete", id)
	far.wait(t, 2)
	m.waitCount(0)
	m.stop()
}

// TestSmallFilesReloadOnTheirOwn: each of the three files has its reload, which
// config reload leaves alone, and a mistake leaves the old one in force.
func TestSmallFilesReloadOnTheirOwn(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{})
	m := newRelay(t, far.Addr())
	m.write("smtpd-suspend.yaml", "version: \"6.9\"\nsuspends: [ { recipientdomain: closed.test, tag: from-file } ]\n")
	m.write("smtpd-policy.yaml", "version: \"6.9\"\npolicies: [ { fields: [ recipientdomain ], default: { concurrency: 7 } } ]\n")
	m.start()
	submit(t, m.smtp, "a@example.org", "b@closed.test")
	m.waitCount(1, "--state", "ACTIVE")

	m.write("smtpd-suspend.yaml", "version: \"6.9\"\n")
	m.reload()
	expectContains(t, m.ctl("queue", "suspend", "list"), "from-file")
	m.write("smtpd-suspend.yaml", "version: \"6.9\"\nsuspends: nonsense\n")
	expectContains(t, m.tryCtl("queue", "suspend", "reload").expectCode(1).err.String(), "smtpd-suspend.yaml")
	expectContains(t, m.ctl("queue", "suspend", "list"), "from-file")
	m.write("smtpd-suspend.yaml", "version: \"6.9\"\n")
	if got := m.ctl("queue", "suspend", "reload"); got != "OK\n" {
		t.Errorf("suspend reload printed %q", got)
	}
	far.wait(t, 1)
	m.waitCount(0)

	m.write("smtpd-policy.yaml", "version: \"6.9\"\npolicies: [ { fields: [ jobid ], default: { rate: many } } ]\n")
	m.tryCtl("queue", "policy", "reload").expectCode(1)
	m.write("smtpd-policy.yaml", "version: \"6.9\"\npolicies: [ { fields: [ transportid ], default: { rate: \"5/3600\" } } ]\n")
	m.ctl("queue", "policy", "reload")
	for range 7 {
		submit(t, m.smtp, "a@example.org", "c@open.test")
	}
	far.wait(t, 6)
	m.waitCount(2, "--state", "ACTIVE")
	expectContains(t, m.ctl("--json", "queue", "policy", "list"), `"rate":"5/3600"`)
	expectContains(t, m.ctl("queue", "policy", "refill"), "1 counter refilled")
	far.wait(t, 8)

	m.write("smtpd-delivery.yaml", "version: \"6.9\"\ndelivery: { conditions: [ { if: { recipientdomain: open.test }, then: { tls: { mode: require } } } ] }\n")
	m.ctl("queue", "delivery", "reload")
	submit(t, m.smtp, "a@example.org", "d@open.test")
	m.waitCount(1, "--state", "DEFER")
	m.stop()
}

// TestScriptsSteerTheQueue: hooks put suspensions and policies in force and end
// them.
func TestScriptsSteerTheQueue(t *testing.T) {
	t.Parallel()
	far := newFarEnd(t, sink.Options{Rules: []sink.Rule{rule(t, "*@angry.test rcpt reply 451 4.7.1 slow down")}})
	m := newRelay(t, far.Addr())
	m.write("smtpd-policy.yaml", "version: \"6.9\"\npolicies: [ { fields: [ recipientdomain ] } ]\n")
	m.running(`
scripting:
  hooks:
    postdelivery: |
      $domain = $message["recipientaddress"]["domain"];
      if (isset($arguments["attempt"]["result"]) and $arguments["attempt"]["result"]["code"] == 451) {
          $s = queue_suspend(["recipientdomain" => $domain], 3600, ["tag" => "asked to slow down", "properties" => ["n" => 7]]);
          $p = queue_policy(["recipientdomain"], ["recipientdomain" => $domain],
              ["concurrency" => 2, "rate" => [10, 60], "tag" => "slow"], 3600, ["id" => "slow-" . $domain, "type" => "backoff"]);
          $none = queue_policy(["jobid"], [], ["concurrency" => 2], 60);
          echo "suspended " . $s["id"] . " limited " . $p["id"] . " " . (isset($none) ? "and more" : "and nothing else");
      }
      if ($domain == "calm.test")
          echo "ended " . (queue_policy_delete("slow-angry.test") ? "it" : "nothing");
`)
	m.start()
	submit(t, m.smtp, "a@example.org", "b@angry.test")
	m.waitCount(1, "--state", "DEFER")
	expectContains(t, m.ctl("queue", "suspend", "list"), "asked to slow down")
	list := m.ctl("--json", "queue", "policy", "list")
	for _, part := range []string{`"ids":["slow-angry.test"]`, `"type":"backoff"`, `"concurrency":2`, `"rate":"10/60"`} {
		expectContains(t, list, part)
	}
	submit(t, m.smtp, "a@example.org", "c@angry.test")
	m.waitCount(1, "--state", "ACTIVE")
	submit(t, m.smtp, "a@example.org", "d@calm.test")
	far.wait(t, 1)
	eventually(t, "the policy ended by a script", func() bool { return !strings.Contains(m.ctl("--json", "queue", "policy", "list"), "slow-angry") })
	m.stop()
}
