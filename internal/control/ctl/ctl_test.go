package ctl

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"go.uber.org/goleak"

	"github.com/posthaste-mta/posthaste/internal/control"
	"github.com/posthaste-mta/posthaste/internal/control/controltest"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

var update = flag.Bool("update", false, "write the golden files again")

func TestMain(m *testing.M) {
	time.Local = time.UTC // golden files hold times
	goleak.VerifyTestMain(m)
}

const message = "Subject: hi\r\nFrom: a@b.test\r\n\r\nHello\r\n"

// mta is a control server with made-up parts.
type mta struct {
	queue  *controltest.Queue
	config *controltest.Config
	socket string
}

func start(t *testing.T, entries int) *mta {
	t.Helper()
	m := &mta{
		queue:  &controltest.Queue{Len: entries, At: controltest.Entry, Body: message},
		socket: filepath.Join(t.TempDir(), "smtpd.ctl"),
	}
	parts := controltest.Parts(m.queue)
	m.config = parts.Config.(*controltest.Config)
	s := control.New(control.Options{Path: m.socket, Parts: parts})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	s.Start(context.Background())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return m
}

// coded is an error with its exit code, as the program has it.
type coded struct {
	error
	code int
}

// result is how a command ended.
type result struct {
	out, err string
	code     int
}

// run runs ctl with arguments as the program would.
func run(t *testing.T, args ...string) result {
	t.Helper()
	c := New(Options{Version: "1.2.3", Code: func(code int, err error) error { return coded{err, code} }})
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetFlagErrorFunc(usageOf)
	var out, errOut bytes.Buffer
	c.SetOut(&out)
	c.SetErr(&errOut)
	c.SetArgs(args)
	ran, err := c.ExecuteContext(t.Context()), 0
	if ran != nil {
		var with coded
		err = -1
		if errors.As(ran, &with) {
			err = with.code
		}
		fmt.Fprintf(&errOut, "%v\n", ran)
	}
	return result{out.String(), errOut.String(), err}
}

func (m *mta) run(t *testing.T, args ...string) result {
	t.Helper()
	return run(t, append([]string{"--socket", m.socket}, args...)...)
}

// TestGolden compares what every command writes with what it should.
func TestGolden(t *testing.T) {
	m := start(t, 12)
	m.config.Warnings = []string{"smtpd-app.yaml:3:1: settings without effect yet: x"}
	const id = "00000000-0000-4000-8000-000000000001"
	for name, commands := range map[string][]string{
		"list": {
			"queue list -F id,queueid,state,hold,recipient,size,ts,retryts,quotas --limit 4",
			"queue list -F recipient,subject,metadata --limit 2 --offset 1 --sort size:desc",
			"queue list connections -F recipient,remotemx,remoteip,state",
			"queue list --jobid nothing",
			"queue list -F id,queueid,state,hold,recipient,size,ts,retryts,quotas,subject,metadata --limit 2 --json",
			"queue list defer --recipientdomain !d0.test --limit 5 --offset 2 --sort age:desc --json-request",
		},
		"columns": {
			"queue list --limit 1 --json -F serverid,senderip,senderhelo,saslusername,sender,senderdomain,recipientdomain,transportid,jobid,tenantid,priority,retrycount,retrydelay,retryreason",
			"queue list active -F id,queueid,state,recipient,transportid,jobid,remotemx,remoteip --limit 1",
		},
		"count": {
			"queue count", "queue count --state HOLD --json", "queue count --state HOLD --json-request",
			"queue groupby recipientdomain --limit 3", "queue groupby state,transportid --json", "queue groupby state --json-request",
			"queue quota", "queue quota a --json", "queue quota a --json-request",
		},
		"show": {
			"queue show " + id, "queue show " + id + ":2 --headers", "queue show " + id + ":2 --message",
			"queue show " + id + ":2 --raw", "queue show " + id + " --json-request",
		},
		"update": {
			"queue update --state DEFER --active", "queue update --state DEFER --hold --why because",
			"queue update --jobid job1 --delay 15m --set-transportid backup --set-metadata a=b --json",
			"queue update --jobid job1 --defer 1h --json-request",
			"queue update --jobid job1 --delete --dry-run",
			"queue retry " + id, "queue hold " + id + ":1 --why later", "queue release --all", "queue bounce --jobid job1 --why gone",
			"queue delete --force", "queue delete --recipientdomain d1.test --dry-run", "queue delete --jobid none",
		},
		"policy": {
			"queue policy list", "queue policy list --json --grouping &google", "queue policy list --json-request --grouping &google",
			"queue policy add --fields localip,grouping --grouping &google --concurrency 1 --rate 10/60 --connectinterval 2.5 --ttl 1h --tag slow --property a=b --type backoff",
			"queue policy list --grouping &google", "queue policy add --fields localip,grouping --grouping &google --concurrency 3 --id x --json",
			"queue policy add --fields jobid --grouping &google --concurrency 3", "queue policy add --fields tenantid --concurrency 3",
			"queue policy add --fields jobid --rate many", "queue policy add --fields jobid --concurrency 1 --ttl 1h --no-cluster --json-request",
			"queue policy delete x", "queue policy delete x", "queue policy delete", "queue policy delete --id y --json-request",
			"queue policy refill", "queue policy refill --grouping &other --json", "queue policy refill --json-request",
			"queue policy reload", "queue policy reload --json", "queue policy reload --json-request",
			"queue delivery reload", "queue delivery reload --json-request",
		},
		"suspend": {
			"queue suspend list", "queue suspend add --grouping &google --tag complaints --ttl 2h --property n=7", "queue suspend add --id all --json",
			"queue suspend list", "queue suspend list --json", "queue suspend list --json-request", "queue suspend add --localip nowhere",
			"queue suspend add --localip 192.0.2.1 --json-request", "queue suspend add --tag 123456789012345678901234567890123",
			"queue suspend delete all", "queue suspend delete all", "queue suspend delete --id x --json-request",
			"queue suspend reload", "queue suspend reload --json-request",
		},
		"explain": {
			"queue explain " + id, "queue explain " + id + ":2 --json", "queue explain --group &google", "queue explain --group &google --json",
			"queue explain --group nothing", "queue explain", "queue explain " + id + ":x", "queue explain 00000000-0000-4000-8000-00000000ffff",
			"queue explain " + id + " --json-request",
		},
		"mistakes": {
			"queue update --state DEFER", "queue update --active", "queue delete", "queue update --state DEFER --hold --delete",
			"queue update --state DEFER --delay never", "queue update --all --set-metadata x", "queue update --all --set-transportid unknown",
			"queue list --state DONE", "queue list -F nonsense", "queue list nonsense", "queue list --sort nonsense",
			"queue list --age tomorrow", "queue groupby nonsense", "queue show 4711", "queue show " + id + ":x",
			"queue show 00000000-0000-4000-8000-00000000ffff", "queue show " + id + " --raw --headers", "queue nonsense", "queue lst", "queue list --nonsense",
			"nonsense", "resolver query", "queue export", "queue import", "queue import /no/such/file.phqueue",
		},
		"rest": {
			"version", "config reload", "config reload --json", "config reload --json-request", "config version", "config version --json",
			"resolver query example.test", "resolver query example.test --retry 1 --seed " + id + " --json",
			"resolver query example.test --retry 1 --json-request",
			"resolver query gone.test", "resolver query slow.test", "resolver query example.test --seed x",
			"resolver clear", "resolver clear example.test", "resolver clear --json",
			"process stats", "process-stats", "process stats --json", "process-stats --openmetrics", "process-stats --json-request",
			"log level", "log level DEBUG", "log level nonsense", "log level --json",
			"plugin list", "plugin list --json", "plugin command echo a b", "plugin command echo --json x", "plugin command echo --json-request x",
			"plugin command other", "plugin command",
			"proxy list", "proxy list --json", "proxy list --json-request",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for _, command := range commands {
				r := m.run(t, strings.Fields(command)...)
				fmt.Fprintf(&b, "$ ctl %s\n%s", command, r.out)
				for line := range strings.Lines(r.err) {
					b.WriteString("! " + line)
				}
				if r.code != 0 {
					fmt.Fprintf(&b, "exit %d\n", r.code)
				}
				b.WriteString("\n")
			}
			text := ageCell.ReplaceAllString(ageLine.ReplaceAllString(b.String(), "${1}AGE"), "AGE")
			golden(t, name, strings.ReplaceAll(text, "\r\n", "\n"))
		})
	}
}

// ageLine and ageCell are what grows from hour to hour.
var (
	ageLine = regexp.MustCompile(`(?m)^(age +).*$`)
	ageCell = regexp.MustCompile(`\b\d{3,}d\d*h?\b`)
)

func golden(t *testing.T, name, have string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != have {
		t.Errorf("%s differs; run the test with -update and look at the difference. Now:\n%s", file, have)
	}
}

// TestJSONIsValid: with --json every line is an object.
func TestJSONIsValid(t *testing.T) {
	m := start(t, 40)
	m.queue.At = func(i int) queue.View {
		v := controltest.Entry(i)
		v.Reason, v.Recipient.Local = "\x1b[31m\"quoted\" <tag> \u2028\xff", "\x00\x7f"
		return v
	}
	var all []string
	for _, c := range control.Columns() {
		all = append(all, c.Name)
	}
	for _, command := range []string{
		"queue list -F " + strings.Join(all, ","), "queue show 00000000-0000-4000-8000-000000000001 --message",
		"queue groupby retryreason", "resolver list", "process stats",
	} {
		r := m.run(t, append(strings.Fields(command), "--json")...)
		if r.code != 0 || r.out == "" {
			t.Errorf("%s: %+v", command, r)
		}
		for line := range strings.Lines(r.out) {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				t.Fatalf("%s: %v: %s", command, err, line)
			}
			if strings.HasPrefix(command, "queue list") && len(object) != len(all) {
				t.Fatalf("%d keys, want %d: %s", len(object), len(all), line)
			}
		}
	}
}

// TestTerminalSafety: text from strangers cannot steer a terminal.
func TestTerminalSafety(t *testing.T) {
	m := start(t, 3)
	m.queue.At = func(i int) queue.View {
		v := controltest.Entry(i)
		v.Reason, v.Job, v.Recipient.Local = "\x1b]0;owned\x07\x9b31m\u202e", "\x1b[2J", "a\nb"
		return v
	}
	for _, command := range []string{
		"queue list -F recipient,retryreason,jobid", "queue groupby jobid", "queue show 00000000-0000-4000-8000-000000000000",
	} {
		r := m.run(t, strings.Fields(command)...)
		if r.code != 0 || strings.ContainsAny(r.out, "\x1b\x07\u009b\u202e") || strings.Contains(r.out, "a\nb") {
			t.Errorf("%s: %q", command, r.out)
		}
	}
	if got := string(harmless([]byte("a\r\n\tb\x1b[2J\xff"))); got != "a\n\tb\uFFFD[2J\uFFFD" {
		t.Errorf("message on a terminal: %q", got)
	}
}

// TestReloadFails: the mistake comes through, every line of it.
func TestReloadFails(t *testing.T) {
	m := start(t, 1)
	m.config.Err = errors.New("smtpd-app.yaml:3:1: a\nsmtpd-app.yaml:4:1: b")
	r := m.run(t, "config", "reload")
	if r.code != exitFailed || r.err != m.config.Err.Error()+"\n" || r.out != "" {
		t.Errorf("%+v", r)
	}
}

// TestLongList: rows are drawn page by page.
func TestLongList(t *testing.T) {
	m := start(t, 2*pageRows+10)
	r := m.run(t, "queue", "list", "-F", "recipient")
	if pages := strings.Count(r.out, "┌"); r.code != 0 || pages != 3 {
		t.Errorf("%d pages, want 3", pages)
	}
	if rows := strings.Count(r.out, "@"); rows != 2*pageRows+10 {
		t.Errorf("%d rows", rows)
	}
}

func TestTransfer(t *testing.T) {
	m := start(t, 12)
	dir := t.TempDir()
	file, folder := filepath.Join(dir, "all.phqueue"), filepath.Join(dir, "many")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"queue", "export", "--output", file}, "12 entries of 12 messages exported to " + file + "\n"},
		{[]string{"queue", "import", file}, "12 entries of 12 messages imported\n"},
		{[]string{"queue", "import", file, "--json"}, `{"damaged":0,"entries":12,"messages":12,"skipped":0}` + "\n"},
		// The made-up queue has three messages of each id.
		{[]string{"queue", "export", "--jobid", "job1", "-o", folder}, "3 entries of 3 messages exported to " + folder + "\n"},
		{[]string{"queue", "import", folder, file}, "15 entries of 15 messages imported\n"},
	} {
		if r := m.run(t, tt.args...); r.code != 0 || r.out != tt.want {
			t.Errorf("%v: %+v, want %q", tt.args, r, tt.want)
		}
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if r := m.run(t, "queue", "export", "-o", "-"); r.code != 0 || r.out != string(whole) {
		t.Errorf("to standard output: exit %d, %d bytes, want %d; %s", r.code, len(r.out), len(whole), r.err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*"+partial)); left != nil {
		t.Errorf("left behind: %v", left)
	}
	if err := os.WriteFile(file, whole[:len(whole)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	if r := m.run(t, "queue", "import", file); r.code != exitFailed || !strings.Contains(r.err, "cut short") || !strings.Contains(r.err, file) {
		t.Errorf("cut short: %+v", r)
	}
}

// TestExportFails: what is not complete does not get the name of what is.
func TestExportFails(t *testing.T) {
	m := start(t, 1<<30)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	m.queue.Step = func(i int) {
		if i == 1000 {
			cancel()
		}
	}
	c := New(Options{Code: func(code int, err error) error { return coded{err, code} }})
	c.SetArgs([]string{"--socket", m.socket, "queue", "export", "-o", filepath.Join(dir, "all.phqueue")})
	c.SilenceErrors, c.SilenceUsage = true, true
	if err := c.ExecuteContext(ctx); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("interrupted: %v", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestComplete(t *testing.T) {
	m := start(t, 12)
	for command, want := range map[string]string{
		"queue list --state ":              "ACTIVE\nDEFER\n",
		"queue list --transportid ":        "backup\nmx\n",
		"queue update --set-transportid ":  "backup\nmx\n",
		"queue show ":                      "00000000-0000-4000-8000-000000000000\n",
		"queue list -F ":                   "id\tTransaction id",
		"queue ":                           "bounce\t",
		"queue list ":                      "defer\n",
		"queue list --recipientdomain d1.": "d1.test\n",
	} {
		args := append([]string{"__complete", "--socket", m.socket}, strings.Split(command, " ")...)
		if r := run(t, args...); r.code != 0 || !strings.Contains(r.out, want) {
			t.Errorf("%q: %+v, want %q in it", command, r, want)
		}
	}
}

// TestFit: on a terminal the widest text gives way, ids and numbers do not.
func TestFit(t *testing.T) {
	var out bytes.Buffer
	p := newPrinter(&out, heading{"id", false}, heading{"reason", false}, heading{"size", true})
	p.width = 64
	id := controltest.Entry(0).ID.String()
	for _, reason := range []string{strings.Repeat("long ", 30), "日本語のとても長い理由がここに書いてある", "short"} {
		if err := p.row(id, reason, "1.0KiB"); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.draw(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := text.StringWidth(strings.TrimSuffix(line, "\n")); n != 64 {
			t.Errorf("%d columns wide: %s", n, line)
		}
	}
	if strings.Count(out.String(), id) != 3 || strings.Count(out.String(), "1.0KiB") != 3 || strings.Count(out.String(), "…") != 2 {
		t.Errorf("cut in the wrong place:\n%s", &out)
	}
}

func TestSpanAndSize(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", -time.Second: "0s", 59*time.Second + 900*time.Millisecond: "59s", time.Minute: "1m",
		61 * time.Minute: "1h1m", 3*time.Hour + 59*time.Second: "3h", 25 * time.Hour: "1d1h", 49*time.Hour + 59*time.Minute: "2d1h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{
		0: "0B", 999: "999B", 1000: "1.0KiB", 10 << 10: "10KiB", 1023 << 10: "1.0MiB", 5 << 20: "5.0MiB", 3 << 40: "3.0TiB", 5000 << 40: "5000TiB",
	} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}
