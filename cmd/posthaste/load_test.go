package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/source"
)

// execute runs a command as the binary would, and returns what it printed.
func execute(ctx context.Context, c *cobra.Command, stderr io.Writer, args ...string) (string, error) {
	var out bytes.Buffer
	c.SilenceErrors, c.SilenceUsage = true, true
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(stderr)
	err := c.ExecuteContext(ctx)
	return out.String(), err
}

// sinkProgram starts the sink on a free port and returns its address, a function
// that interrupts it, and one that waits for its report.
func sinkProgram(t *testing.T, args ...string) (address string, interrupt func(), report func() (string, error)) {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	stderr, log := io.Pipe()
	type result struct {
		out string
		err error
	}
	ended := make(chan result, 1)
	go func() {
		defer log.Close()
		out, err := execute(ctx, newSinkCommand(), log, append(args, "-l", "127.0.0.1:0")...)
		ended <- result{out, err}
	}()
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatalf("the sink ended early: %v", (<-ended).err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return strings.TrimSpace(strings.TrimPrefix(line, "listening on ")), interrupt, func() (string, error) {
		r := <-ended
		return r.out, r.err
	}
}

func TestSourceToSink(t *testing.T) {
	acked := filepath.Join(t.TempDir(), "acked")
	address, _, report := sinkProgram(t, "--json", "--messages", "100", "--acked", acked, "--starttls", "--auth", "--size", "1MiB",
		"--reply", "rcpt=451 4.7.1 slow down@20%", "--rule", "d1.example rcpt delay 1ms", "--seed", "4", "--verbose")
	out, err := execute(t.Context(), newSourceCommand(), io.Discard, "--to", address, "-s", "4", "-m", "100", "--domains", "3", "--tls", "starttls",
		"--user", "joe", "--password", "x", "--acked", acked, "--retry-temporary", "50", "--retry-delay", "1us", "--json", "--run", "r")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var sent source.Report
	if err := json.Unmarshal([]byte(out), &sent); err != nil || sent.Messages != 100 || sent.Retries == 0 || sent.Reply.Count != 100 {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = report()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var got sinkReport
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got.Messages != 100 || got.RecipientsRejected != sent.Retries || got.Acked.Acknowledged != 100 || got.Acked.Lost != 0 || got.Runs[0].Distinct != 100 {
		t.Errorf("%s", out)
	}
}

func TestSinkReportsLoss(t *testing.T) {
	acked := filepath.Join(t.TempDir(), "acked")
	if err := os.WriteFile(acked, []byte("r/0\nr/7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address, _, report := sinkProgram(t, "--messages", "1", "--acked", acked)
	out, err := execute(t.Context(), newSourceCommand(), io.Discard, "--to", address, "--run", "r")
	if err != nil || !strings.Contains(out, "1 acknowledged") {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err = report()
	if err == nil || !strings.Contains(err.Error(), "1 acknowledged messages are lost") || !strings.Contains(out, "r/7") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestSourceFailsWhenMailIsRefused(t *testing.T) {
	address, interrupt, report := sinkProgram(t)
	out, err := execute(t.Context(), newSourceCommand(), io.Discard, "--to", address, "--rcpt", "550-5.1.1@x.example", "-m", "3")
	if err == nil || !strings.Contains(out, "550 5.1.1 as the address asks") || !strings.Contains(out, "3 for good") {
		t.Errorf("%v\n%s", err, out)
	}
	interrupt()
	if out, err := report(); err != nil || !strings.Contains(out, "0, 3 rejected") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestLoadProgramsUsage(t *testing.T) {
	for _, test := range []struct {
		command func() *cobra.Command
		args    string
		want    string
	}{
		{newSinkCommand, "--reply lunch=451", "unknown phase"},
		{newSinkCommand, "--delay eod=soon", "delay"},
		{newSinkCommand, "--rule nonsense", "PATTERN PHASE ACTION"},
		{newSinkCommand, "--rules /nonexistent", "no such file"},
		{newSinkCommand, "--without teleport", "unknown extension"},
		{newSinkCommand, "--size big", "--size"},
		{newSinkCommand, "--cert /nonexistent --key /nonexistent", "no such file"},
		{newSourceCommand, "--to 127.0.0.1:1 --rcpt nobody", "no domain"},
		{newSourceCommand, "--to 127.0.0.1:1 --from %s@x.example", "want %d"},
		{newSourceCommand, "--to 127.0.0.1:1 --tls maybe", "--tls"},
		{newSourceCommand, "--to 127.0.0.1:1 --size -3", "--size"},
		{newSourceCommand, "--to 127.0.0.1:1 --recipients 2 --rcpt a@x.example", "ends in %d"},
		{newSourceCommand, "--to 127.0.0.1:1 --file /nonexistent", "no such file"},
	} {
		_, err := execute(t.Context(), test.command(), io.Discard, strings.Fields(test.args)...)
		var c coded
		if err == nil || !strings.Contains(err.Error(), test.want) || !errors.As(err, &c) || c.code != exitUsage {
			t.Errorf("%s: %v, want %q and exit code %d", test.args, err, test.want, exitUsage)
		}
	}
}

func TestLoadProgramsComplete(t *testing.T) {
	for _, test := range []struct {
		command func() *cobra.Command
		flag    string
		want    string
	}{{newSinkCommand, "--without", "chunking"}, {newSinkCommand, "--reply", "rcpt"}, {newSourceCommand, "--tls", "implicit"}} {
		out, err := execute(t.Context(), test.command(), io.Discard, cobra.ShellCompRequestCmd, test.flag, "")
		if err != nil || !strings.Contains(out, test.want) {
			t.Errorf("%s completes to %q, %v", test.flag, out, err)
		}
	}
}
