package e2e

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/sink"
)

// colour is a running configuration whose scripts say which one they are of, and
// hold mail until pre-delivery says otherwise.
func colour(name string) string {
	return `
servers:
  - id: inbound
    transport: out
    hostname: mta.test
    resolve: { ptr: false }
    phases: { helo: { hook: h }, eod: { hook: e } }
scripting:
  hooks:
    helo:
      - id: h
        data: |
          echo "` + name + ` greets " . $arguments["host"];
          $n = length($arguments["host"]);
          if ($arguments["host"] == "bad.test") throw Exception("cannot");
          Accept(["reason" => "` + name + `"]);
    eod:
      - id: e
        data: |
          foreach ($transaction["recipients"] as $r)
              $arguments["mail"]->queue($transaction["senderaddress"], $r["address"], $r["transportid"]);
          Accept();
    predelivery: |
      Try(["helo" => "` + name + `.test"]);
`
}

// staged is an MTA whose active configuration is blue, and a file with a green
// one.
func staged(t *testing.T) (m *mta, far *farEnd, file string) {
	far = newFarEnd(t, sink.Options{})
	m = newMTA(t)
	m.running(transportTo(far.Addr()))
	active := m.read("smtpd-app.yaml")
	m.running(colour("green"))
	file = m.path("green.yaml")
	m.write("green.yaml", m.read("smtpd-app.yaml"))
	m.write("smtpd-app.yaml", active)
	m.running(colour("blue"))
	return m.start(), far, file
}

// deadAddress is one that nobody listens on.
type deadAddress struct{ string }

func (deadAddress) Network() string  { return "tcp" }
func (d deadAddress) String() string { return d.string }

func (m *mta) read(name string) string {
	m.t.Helper()
	text, err := os.ReadFile(m.path(name))
	must(m.t, err)
	return string(text)
}

// greeted is what a new connection is greeted with.
func (m *mta) greeted(host string) string {
	m.t.Helper()
	conn, err := net.Dial("tcp", m.smtp)
	must(m.t, err)
	defer conn.Close()
	c := newClient(m.t, conn)
	c.expect("220")
	return strings.TrimSpace(strings.TrimPrefix(strings.SplitN(c.say("EHLO "+host, ""), "\n", 2)[0], "250-"))
}

// TestLivestage: a stage takes the connections that its conditions say, its
// messages are delivered by its scripts, it outlives a reload, and ends.
func TestLivestage(t *testing.T) {
	t.Parallel()
	m, far, file := staged(t)
	if got := m.greeted("a.test"); got != "blue" {
		t.Fatalf("without a stage %s greets", got)
	}
	if got := m.ctl("config", "livestage", "status"); got != "" {
		t.Errorf("without a stage the status is %q", got)
	}
	m.write("broken.yaml", strings.Replace(m.read("green.yaml"), "Accept();", "Accept(;", 1))
	broken := m.tryCtl("config", "livestage", "start", "--id", "t0", "--file", m.path("broken.yaml")).expectCode(1)
	expectContains(t, broken.err.String(), "eod/e.hsl:3")
	m.ctl("config", "livestage", "start", "--id", "elsewhere", "--file", file, "--remoteip", "192.0.2.0/24")
	m.ctl("config", "livestage", "start", "--id", "other", "--file", file, "--serverid", "submission")
	if got := m.ctl("config", "livestage", "start", "--id", "t1", "--file", file, "--count", "2", "--time", "3600"); got != "OK\n" {
		t.Errorf("start printed %q", got)
	}
	submit(t, m.smtp, "a@example.org", "b@example.net") // takes one connection
	if got := far.wait(t, 1)[0]; got.Helo != "green.test" {
		t.Errorf("the message of the stage went out as %s", got.Helo)
	}
	m.ctl("config", "reload")
	if one, two := m.greeted("a.test"), m.greeted("b.test"); one != "green" || two != "blue" {
		t.Errorf("%s and %s greet", one, two)
	}
	status := m.ctl("config", "livestage", "status")
	if !strings.Contains(status, "\nt1: 2/2 connections(s), ") || !strings.Contains(status, "/3600 runtime\n") || !strings.Contains(status, "elsewhere: 0 connections(s), ") {
		t.Errorf("status is %q", status)
	}
	m.ctl("config", "livestage", "cancel", "--id", "t1")
	if got := m.greeted("c.test"); got != "blue" {
		t.Errorf("after the stage %s greets", got)
	}
	expectContains(t, m.ctl("config", "livestage", "status", "--all"), "ended: cancelled")
	expectContains(t, m.tryCtl("config", "livestage", "cancel", "--id", "t1").expectCode(1).err.String(), `no stage "t1" runs`)
	m.ctl("config", "livestage", "cancel")
	if got := m.ctl("config", "livestage", "status"); got != "" {
		t.Errorf("after all stages the status is %q", got)
	}
}

// TestLivestageOfMessages: a message keeps the scripts of its stage as long as the
// stage lives, and has the active ones after it.
func TestLivestageOfMessages(t *testing.T) {
	t.Parallel()
	m, _, file := staged(t)
	m.running(transportTo(deadAddress{freeAddress(t)}, "retry: { count: 30, intervals: [ { interval: 3600 } ] }"))
	m.ctl("config", "reload")
	m.ctl("config", "livestage", "start", "--id", "t1", "--file", file, "--count", "1")
	submit(t, m.smtp, "a@example.org", "b@example.net")
	m.waitTried(0, 1)
	m.ctl("config", "livestage", "cancel", "--id", "t1")
	again := newFarEnd(t, sink.Options{})
	m.running(transportTo(again.Addr(), "retry: { count: 30, intervals: [ { interval: 3600 } ] }"))
	m.ctl("config", "reload")
	m.ctl("queue", "retry", "--all")
	if got := again.wait(t, 1)[0]; got.Helo != "blue.test" {
		t.Errorf("after the stage its message went out as %s", got.Helo)
	}
}

// TestLivestageShare: a probability takes about that share of the connections.
func TestLivestageShare(t *testing.T) {
	t.Parallel()
	m, _, file := staged(t)
	m.ctl("config", "livestage", "start", "--id", "half", "--file", file, "--probability", "0.5")
	count := map[string]int{}
	for range 200 {
		count[m.greeted("a.test")]++
	}
	if green := count["green"]; green < 50 || green > 150 || green+count["blue"] != 200 { // seven standard deviations
		t.Errorf("of 200 connections %v", count)
	}
}

// TestLivestageFails: a stage whose scripts fail is cancelled by itself, and the
// active configuration is not touched by it.
func TestLivestageFails(t *testing.T) {
	t.Parallel()
	m, _, file := staged(t)
	follow := startCommand(t, exec.Command(binary, "ctl", "--socket", m.socket(), "config", "livestage", "start", "--id", "t1", "--file", file, "--errorruns", "5", "--follow"))
	eventually(t, "the stage", func() bool { return strings.HasPrefix(follow.out.String(), "OK\n") })
	for range 6 {
		m.greeted("bad.test")
	}
	<-follow.done
	if follow.code != 0 {
		t.Errorf("following ended with %d: %s", follow.code, follow.err.String())
	}
	log := follow.out.String()
	expectContains(t, log, "green greets bad.test")
	expectContains(t, log, "helo script failed: helo/h.hsl:3:")
	expectContains(t, log, "stage t1 has ended: ")
	expectContains(t, m.ctl("config", "livestage", "status", "--all"), "of its last 5 scripts failed")
	expectContains(t, m.err.String(), "stage t1: helo script failed")
	if got := m.greeted("a.test"); got != "blue" {
		t.Errorf("after the stage %s greets", got)
	}
}

// TestLivestageLog: the log of a stage for who comes later, and a stage that ends
// with the command that started it.
func TestLivestageLog(t *testing.T) {
	t.Parallel()
	m, _, file := staged(t)
	bound := startCommand(t, exec.Command(binary, "ctl", "--socket", m.socket(), "config", "livestage", "start", "--id", "t1", "--file", file, "--bound"))
	eventually(t, "the stage", func() bool { return strings.HasPrefix(bound.out.String(), "OK\n") })
	m.greeted("a.test")
	log := startCommand(t, exec.Command(binary, "ctl", "--socket", m.socket(), "config", "livestage", "log"))
	eventually(t, "the last lines of the log", func() bool { return strings.Contains(log.out.String(), "green greets a.test") })
	must(t, bound.cmd.Process.Signal(os.Interrupt))
	<-bound.done
	<-log.done
	expectContains(t, log.out.String(), "stage t1 has ended: the connection that it was bound to is closed")
	if got := m.greeted("b.test"); got != "blue" || bound.code != 0 || log.code != 0 {
		t.Errorf("%s greets; the commands ended with %d and %d", got, bound.code, log.code)
	}
}

// TestLivestageInFrames: a stage over Halon's framing, with its log and its break
// points on the same connection, and bound to it.
func TestLivestageInFrames(t *testing.T) {
	t.Parallel()
	m, _, _ := staged(t)
	f := m.frames()
	config := strings.Replace(m.read("green.yaml"), "$n = length", `__debug ["dbg", "bp1"] $n = length`, 1)
	f.ask('a', &controlpb.ConfigGreenDeployRequest{Id: "t1", Config: config, Connectionbound: true, Hold: 60}, nil)
	answer := make(chan string, 1)
	go func() { answer <- m.greeted("a.test") }()
	f.send('e', nil)
	var stop controlpb.HSLBreakPointResponse
	log := ""
	read := func(into proto.Message) {
		t.Helper()
		for {
			kind, body := f.next()
			if kind == '=' {
				var line controlpb.HSLLogResponse
				must(t, proto.Unmarshal(body, &line))
				log += line.Id + ": " + line.Text + "\n"
				continue
			}
			if kind != '+' {
				t.Fatalf("%c %s", kind, body)
			}
			if into != nil {
				must(t, proto.Unmarshal(body, into))
			}
			return
		}
	}
	read(&stop)
	if stop.Id != "bp1" || stop.Debugid != "dbg" || !stop.Held || stop.Phase != "helo" || len(stop.Callstack) != 1 ||
		!strings.Contains(string(stop.Values["arguments"].GetValue()), `"host":"a.test"`) || stop.Values["arguments"].Format != "json" {
		t.Errorf("stopped at %v", &stop)
	}
	f.send('f', nil)
	var continued controlpb.HSLBreakPointContinueResponse
	read(&continued)
	if got := <-answer; got != "green" || continued.Continued != 1 {
		t.Errorf("%s greets, %d continued", got, continued.Continued)
	}
	f.send('b', nil)
	var status controlpb.ConfigGreenStatusResponse
	read(&status)
	if len(status.Stages) != 1 || status.Stages[0].Connections != 1 || status.Stages[0].Runs != 1 || !status.Stages[0].Connectionbound {
		t.Errorf("status %v", &status)
	}
	eventually(t, "the log between the answers", func() bool { // lines come when they come
		f.send('b', nil)
		read(nil)
		return strings.Contains(log, "t1: [") && strings.Contains(log, "green greets a.test\n")
	})
	f.Close()
	eventually(t, "the end of a stage that was bound", func() bool { return m.ctl("config", "livestage", "status") == "" })
	g := m.frames()
	g.ask('a', &controlpb.ConfigGreenDeployRequest{Id: "t2", Config: config}, nil)
	g.send('c', nil)
	for kind, _ := g.next(); kind == '='; kind, _ = g.next() {
	}
	if got := m.ctl("config", "livestage", "status"); got != "" {
		t.Errorf("after c the status is %q", got)
	}
}

// TestBreakPoints: break points on lines, set from the command line on a trial of
// the active configuration, copy what scripts do and hold nobody.
func TestBreakPoints(t *testing.T) {
	t.Parallel()
	m, _, _ := staged(t)
	m.ctl("config", "livestage", "start", "--id", "look", "--break", "helo/h.hsl:4", "--errorrate", "1")
	if got := m.greeted("a.test"); got != "blue" {
		t.Errorf("%s greets", got)
	}
	stop := m.ctl("config", "livestage", "wait", "--id", "look", "--count", "1")
	for _, want := range []string{"helo/h.hsl:4 in helo of ", "top level at helo/h.hsl:4:", "$n = 6", `$arguments = {"verb":"EHLO","host":"a.test"`} {
		expectContains(t, stop, want)
	}
	m.greeted("bad.test")
	stop = m.ctl("config", "livestage", "wait", "--count", "2")
	expectContains(t, stop, `$__throw = {"uncaught":true,"message":"cannot"}`)
	expectContains(t, m.tryCtl("config", "livestage", "break", "helo/h.hsl:99").expectCode(1).err.String(), "no statement on line 99")
	expectContains(t, m.tryCtl("config", "livestage", "break", "nothing:1").expectCode(1).err.String(), `there is no script "nothing"`)
	m.ctl("config", "livestage", "break", "eod/e.hsl:3")
	submit(t, m.smtp, "x@example.org", "y@example.net")
	expectContains(t, m.ctl("--json", "config", "livestage", "wait", "--count", "3"), `"id":"eod/e.hsl:3"`)
	expectContains(t, m.ctl("config", "livestage", "continue"), "0 scripts continued")
}
