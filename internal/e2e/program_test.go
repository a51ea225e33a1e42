package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// patience is how long a test waits for something that ought to happen soon. It
// is long because the machine may be busy with other tests.
const patience = 45 * time.Second

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	end := time.After(patience)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !condition() {
		select {
		case <-end:
			t.Fatalf("%s: not within %s", what, patience)
		case <-poll.C:
		}
	}
}

// output collects what a program writes. It is safe for concurrent use.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// program is a running process of the binary under test, or of another program.
type program struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  output
	err  output
	done chan struct{} // closed when the process has ended
	code int           // valid then
}

// start runs the binary with arguments. The process is killed at the end of the
// test, and what it wrote is shown when the test failed.
func start(t testing.TB, args ...string) *program {
	t.Helper()
	return startCommand(t, exec.Command(binary, args...))
}

func startCommand(t testing.TB, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{t: t, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.out, &p.err
	cmd.WaitDelay = 5 * time.Second // for children that keep the pipes open
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.code = exitCode(cmd.Wait())
	}()
	t.Cleanup(p.end)
	return p
}

// run runs the binary to its end.
func run(t testing.TB, args ...string) *program {
	t.Helper()
	return runCommand(t, exec.Command(binary, args...))
}

func runCommand(t testing.TB, cmd *exec.Cmd) *program {
	t.Helper()
	p := startCommand(t, cmd)
	p.wait()
	return p
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode() // -1 when a signal ended it
	}
	return -2
}

func (p *program) end() {
	_ = p.cmd.Process.Kill() // fails when it has ended
	<-p.done
	if p.t.Failed() {
		p.t.Logf("%s %s\nended with %d\nstdout:\n%s\nstderr:\n%s", p.cmd.Path, strings.Join(p.cmd.Args[1:], " "), p.code, tail(p.out.String()), tail(p.err.String()))
	}
}

// tail is the end of a long text, after what a race detector or a panic says.
func tail(s string) string {
	const enough = 8000
	if len(s) <= enough {
		return s
	}
	for _, alarm := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
		if i := strings.Index(s[:len(s)-enough], alarm); i >= 0 {
			return "…" + s[i:min(i+enough, len(s))] + "…" + s[len(s)-enough:]
		}
	}
	return "…" + s[len(s)-enough:]
}

// wait waits for the end and returns the exit code.
func (p *program) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s did not end within %s", strings.Join(p.cmd.Args, " "), patience)
	}
	return p.code
}

func (p *program) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// expectCode waits for the end and checks how it was.
func (p *program) expectCode(want int) *program {
	p.t.Helper()
	if got := p.wait(); got != want {
		p.t.Fatalf("%s ended with %d, want %d\n%s%s", strings.Join(p.cmd.Args, " "), got, want, tail(p.out.String()), tail(p.err.String()))
	}
	return p
}

// waitFor waits until the program has written text, to standard output or
// standard error.
func (p *program) waitFor(text string) {
	p.t.Helper()
	eventually(p.t, "output "+strings.TrimSpace(text), func() bool {
		found := strings.Contains(p.err.String(), text) || strings.Contains(p.out.String(), text)
		if !found && p.ended() && !strings.Contains(p.err.String()+p.out.String(), text) {
			p.t.Fatalf("the program ended with %d and has not written %q", p.code, text)
		}
		return found
	})
}

func (p *program) pid() int { return p.cmd.Process.Pid }

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// stop ends the program as an operator does and expects that it drains.
func (p *program) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.expectCode(0)
}

// expectContains checks that the text holds each of the parts.
func expectContains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("want %q in:\n%s", part, tail(text))
		}
	}
}

// kill ends the program as a power cut would.
func (p *program) kill() {
	p.t.Helper()
	must(p.t, p.cmd.Process.Kill())
	p.wait()
}

// swaks is a command that sends one message with that program.
func swaks(t testing.TB, address string, options ...string) *exec.Cmd {
	t.Helper()
	args := append([]string{"--server", address, "--from", "a@example.org", "--to", "b@example.net", "--body", "Hello."}, options...)
	return exec.Command(testenv.Program(t, "swaks"), args...)
}

func smtpSource(t testing.TB) string {
	t.Helper()
	return testenv.Program(t, "smtp-source")
}
