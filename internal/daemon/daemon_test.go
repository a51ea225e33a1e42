package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// pretend is a service that notes what is asked of it.
type pretend struct {
	calls    chan string
	failed   chan error
	startErr error
	stop     func(context.Context) error
}

func newPretend() *pretend {
	return &pretend{calls: make(chan string, 16), failed: make(chan error, 1), stop: func(context.Context) error { return nil }}
}

func (p *pretend) Start(context.Context) error  { p.calls <- "start"; return p.startErr }
func (p *pretend) Reload(context.Context) error { p.calls <- "reload"; return errors.New("typo") }
func (p *pretend) Reopen() error                { p.calls <- "reopen"; return nil }
func (p *pretend) Failed() <-chan error         { return p.failed }
func (p *pretend) Stop(ctx context.Context) error {
	p.calls <- "stop"
	return p.stop(ctx)
}

func run(p *pretend) chan error {
	done := make(chan error, 1)
	go func() { done <- Run(context.Background(), p, slog.New(slog.NewTextHandler(io.Discard, nil))) }()
	return done
}

func expect(t *testing.T, p *pretend, want string) {
	t.Helper()
	if got := <-p.calls; got != want {
		t.Fatalf("the service was asked to %s, want %s", got, want)
	}
}

func send(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(os.Getpid(), s); err != nil {
		t.Fatal(err)
	}
}

func TestSignals(t *testing.T) {
	p := newPretend()
	done := run(p)
	expect(t, p, "start")
	send(t, syscall.SIGHUP)
	expect(t, p, "reload")
	send(t, syscall.SIGUSR1)
	expect(t, p, "reopen")
	send(t, syscall.SIGTERM)
	expect(t, p, "stop")
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
}

// TestSecondSignal cuts the draining short.
func TestSecondSignal(t *testing.T) {
	p := newPretend()
	p.stop = func(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }
	done := run(p)
	expect(t, p, "start")
	send(t, syscall.SIGINT)
	expect(t, p, "stop")
	send(t, syscall.SIGINT)
	if err := <-done; !errors.Is(err, ErrKilled) {
		t.Errorf("ended with %v", err)
	}
}

func TestFailures(t *testing.T) {
	p := newPretend()
	p.startErr = errors.New("no socket")
	if err := <-run(p); err == nil || err.Error() != "no socket" {
		t.Errorf("ended with %v", err)
	}
	p = newPretend()
	p.failed <- errors.New("listener broke")
	if err := <-run(p); err == nil || !strings.Contains(err.Error(), "listener broke") {
		t.Errorf("ended with %v", err)
	}
}

// TestNotify checks what a service manager is told.
func TestNotify(t *testing.T) {
	sock := t.TempDir() + "/notify"
	l, err := net.ListenPacket("unixgram", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", sock)
	p := newPretend()
	done := run(p)
	expect(t, p, "start")
	for i, want := range []string{"READY=1", "RELOADING=1\nMONOTONIC_USEC=", "READY=1", "STOPPING=1"} {
		b := make([]byte, 256)
		n, _, err := l.ReadFrom(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), want) {
			t.Fatalf("told %q, %v; want %q", b[:n], err, want)
		}
		switch i {
		case 0:
			send(t, syscall.SIGHUP)
			expect(t, p, "reload")
		case 2:
			send(t, syscall.SIGTERM)
		}
	}
	if err := <-done; err != nil {
		t.Errorf("ended with %v", err)
	}
}
