package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// posthaste is the binary under test, run in the foreground with the
// configuration that `posthaste up` has, apart from where it runs and delivers.
type posthaste struct {
	program string
	dir     string
	address string
	monitor string
	eod     string            // the script at the end of data; empty: queueAll
	keys    map[string]string // private keys in PEM by id
	// policies is smtpd-policy.yaml; empty: it says nothing.
	policies string
	retry    int          // seconds until the next attempt; 0: an hour
	mute     net.Listener // keeps mail in the queue, see start
	command  *exec.Cmd
	log      *os.File
}

func (p *posthaste) name() string { return "Posthaste" }

func (p *posthaste) listen() string { return p.address }

func (p *posthaste) tree() tree { return tree{p.command.Process.Pid} }

func (p *posthaste) spool() string { return filepath.Join(p.dir, "queue") }

// start writes the configuration and starts smtpd. With an empty relay mail stays
// in the queue: deliveries may use one connection, and that one leads to a
// listener that never speaks.
func (p *posthaste) start(ctx context.Context, dir, relay string) error {
	p.dir = dir
	for _, sub := range []string{"etc", "run", "tmp", "queue"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o750); err != nil {
			return err
		}
	}
	connections := 20 // as many as Postfix makes to one destination
	if relay == "" {
		mute, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		p.mute, relay, connections = mute, mute.Addr().String(), 1
	}
	if err := p.write(relay, connections); err != nil {
		return err
	}
	return p.run(ctx)
}

// run starts the process on the folder as it is.
func (p *posthaste) run(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		return err
	}
	p.log = log
	p.command = exec.Command(p.program, "smtpd", "-f", "-c", filepath.Join(p.dir, "etc", "smtpd.yaml"))
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		return err
	}
	if err := greeted(ctx, p.address); err != nil {
		return fmt.Errorf("%w; its log ends with: %s", err, p.lastWords())
	}
	return nil
}

func (p *posthaste) write(relay string, connections int) error {
	smtp, err := freePort()
	if err != nil {
		return err
	}
	monitor, err := freePort()
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(relay)
	if err != nil {
		return err
	}
	p.address, p.monitor = "127.0.0.1:"+smtp, "127.0.0.1:"+monitor
	for name, text := range map[string]string{
		"smtpd.yaml": `version: "6.9"
servers: [{ id: inbound, listeners: [{ address: 127.0.0.1, port: ` + smtp + ` }] }]
environment:
  uuid: { version: 4 }
  controlsocket: { path: ` + p.dir + `/run/smtpd.ctl }
  tmpdir: ` + p.dir + `/tmp
spool: { path: ` + p.spool() + ` }
monitor: { listener: { address: 127.0.0.1, port: ` + monitor + ` } }
` + p.pki(),
		"smtpd-app.yaml": `version: "6.9"
servers: [{ id: inbound, transport: out, phases: { eod: { hook: queue } } }]
transportgroups:
  - id: default
    retry: { count: 30, intervals: [{ interval: ` + strconv.Itoa(cmp.Or(p.retry, 3600)) + ` }] }
    transports: [{ id: out, connection: { server: ` + host + `, port: ` + port + ` } }]
queues:
  concurrency: { total: ` + strconv.Itoa(connections) + ` }
  pooling: { size: 1000 }
  shutdown: { timeout: 1 }
scripting:
  hooks:
    eod:
      - id: queue
        data: |
` + indent(cmp.Or(p.eod, queueAll), "          ") + `
`,
		"smtpd-delivery.yaml": `version: "6.9"
delivery: { default: { pooling: { enabled: true, timeout: 10, transactions: 1000 } } }
`,
		"smtpd-policy.yaml": cmp.Or(p.policies, "version: \"6.9\"\n"),
	} {
		if err := os.WriteFile(filepath.Join(p.dir, "etc", name), []byte(text), 0o640); err != nil {
			return err
		}
	}
	return nil
}

// queueAll is the script of `posthaste up`.
const queueAll = `foreach ($transaction["recipients"] as $r)
    $arguments["mail"]->queue($transaction["senderaddress"], $r["address"], $r["transportid"]);
Accept();
`

// pki is the part of the startup file with the private keys.
func (p *posthaste) pki() string {
	if len(p.keys) == 0 {
		return ""
	}
	text := "pki:\n  private:\n"
	for _, id := range slices.Sorted(maps.Keys(p.keys)) {
		text += "    - id: " + id + "\n      privatekey:\n        data: |\n" + indent(p.keys[id], "          ")
	}
	return text
}

// indent puts the margin before each line.
func indent(text, margin string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(margin + line)
	}
	return b.String()
}

// stop ends the process gently and waits for it.
func (p *posthaste) stop(ctx context.Context) error {
	if p.mute != nil {
		p.mute.Close()
		p.mute = nil
	}
	if p.command == nil {
		return nil
	}
	if err := p.command.Process.Signal(unix.SIGTERM); err != nil {
		return err
	}
	timer := time.AfterFunc(30*time.Second, func() { _ = p.command.Process.Kill() })
	defer timer.Stop()
	err := p.command.Wait()
	p.log.Close()
	p.command = nil
	if err != nil {
		return fmt.Errorf("posthaste ended badly: %w: %s", err, p.lastWords())
	}
	return ctx.Err()
}

// lastWords returns the end of the log, for an error.
func (p *posthaste) lastWords() string {
	text, err := os.ReadFile(filepath.Join(p.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// syncs returns how often the spool has synced so far.
func (p *posthaste) syncs(ctx context.Context) (float64, bool) {
	n, err := p.metric(ctx, "halon_spool_syncs")
	return n, err == nil
}

// metric reads one value from the monitor endpoint. Counters are published with
// or without the suffix that OpenMetrics wants; both are found.
func (p *posthaste) metric(ctx context.Context, name string) (float64, error) {
	body, err := p.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		key, value, ok := strings.Cut(lines.Text(), " ")
		if ok && (key == name || key == name+"_total") {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

// get fetches a page of the monitor endpoint.
func (p *posthaste) get(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.monitor+path, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var b strings.Builder
	if _, err := bufio.NewReader(response.Body).WriteTo(&b); err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", path, response.Status)
	}
	return b.String(), nil
}
