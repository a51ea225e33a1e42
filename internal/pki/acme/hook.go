package acme

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Hook is a program that is told of certificates, or a folder of such.
type Hook struct {
	Path     string
	Timeout  time.Duration // after which it is killed
	Coalesce time.Duration // how long further events are waited for
}

// Hooks are those for each kind of event.
type Hooks struct {
	Deploy, Failure, Expiry []Hook
}

// Event is what a hook is told of.
type Event struct {
	Kind      EventKind
	Name      string
	Lineage   string // folder with the pair; empty when there is none
	Serial    string
	NotAfter  time.Time
	SHA256    string // of the certificate
	SPKI      string // of its public key, as TLSA records 3 1 1 have it
	Error     string
	ErrorCode string
	DryRun    bool
}

// EventKind says what has happened.
type EventKind string

// The kinds of events.
const (
	EventObtained EventKind = "obtained"
	EventRenewed  EventKind = "renewed"
	EventFailed   EventKind = "failed"
	EventExpiring EventKind = "expiring"
	EventRemoved  EventKind = "removed"
)

// hookTimeout is for hooks without one.
const hookTimeout = time.Minute

// hookRetries are the waits after a hook has failed.
var hookRetries = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}

// hookRunner runs hooks. Events for the same hook that come close together are
// told in one run: a thousand renewals are no thousand reloads.
type hookRunner struct {
	events Events
	ctx    context.Context
	wg     sync.WaitGroup

	mu      sync.Mutex
	waiting map[Hook][]Event // hooks that will run soon, and for what
}

func newHookRunner(ctx context.Context, e Events) *hookRunner {
	return &hookRunner{events: e, ctx: ctx, waiting: map[Hook][]Event{}}
}

// tell announces an event to hooks. It does not wait.
func (h *hookRunner) tell(hooks []Hook, e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, hook := range hooks {
		before := h.waiting[hook]
		h.waiting[hook] = append(before, e)
		if before == nil {
			h.wg.Go(func() { h.serve(hook) })
		}
	}
}

// serve runs a hook once its events are gathered, again while it fails.
func (h *hookRunner) serve(hook Hook) {
	if !h.pause(hook.Coalesce) {
		return
	}
	h.mu.Lock()
	events := h.waiting[hook]
	delete(h.waiting, hook)
	h.mu.Unlock()
	for try := 0; ; try++ {
		err := h.run(h.ctx, hook, events)
		if err == nil {
			return
		}
		if try == len(hookRetries) {
			h.events.hookFailed(hook.Path, err, 0)
			return
		}
		h.events.hookFailed(hook.Path, err, hookRetries[try])
		if !h.pause(hookRetries[try]) {
			return
		}
	}
}

func (h *hookRunner) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-h.ctx.Done():
		return false
	}
}

// run runs the programs of a hook, one after the other, until one fails.
func (h *hookRunner) run(ctx context.Context, hook Hook, events []Event) error {
	programs, err := hook.programs()
	if err != nil {
		return err
	}
	for _, program := range programs {
		if err := h.runProgram(ctx, program, hook, events); err != nil {
			return err
		}
	}
	return nil
}

// programs lists what a hook runs. What everybody may change is refused.
func (hook Hook) programs() ([]string, error) {
	info, err := os.Stat(hook.Path)
	if err != nil {
		return nil, fmt.Errorf("acme: hook: %w", err)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("acme: hook %s: everybody may change it: chmod o-w %s", hook.Path, hook.Path)
	}
	if !info.IsDir() {
		return []string{hook.Path}, nil
	}
	entries, err := os.ReadDir(hook.Path)
	if err != nil {
		return nil, fmt.Errorf("acme: hook: %w", err)
	}
	var out []string
	for _, e := range entries {
		path := filepath.Join(hook.Path, e.Name())
		switch info, err := os.Stat(path); {
		case err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		case info.Mode().Perm()&0o002 != 0:
			return nil, fmt.Errorf("acme: hook %s: everybody may change it: chmod o-w %s", path, path)
		default:
			out = append(out, path)
		}
	}
	return out, nil
}

func (h *hookRunner) runProgram(ctx context.Context, program string, hook Hook, events []Event) error {
	timeout := hook.Timeout
	if timeout <= 0 {
		timeout = hookTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir, cmd.Env = "/", append(cleanEnvironment(), environment(events)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.relay(read, events[0].Name, program)
	}()
	err := cmd.Run()
	write.Close()
	<-done
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("acme: hook %s: killed after %s", program, timeout)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("acme: hook %s: not executable: chmod +x %s", program, program)
	}
	return fmt.Errorf("acme: hook %s: %w", program, err)
}

// mostLine bounds a line of a hook.
const mostLine = 4 << 10

// relay passes on what a hook prints, line by line, and reads to the end.
func (h *hookRunner) relay(r io.Reader, name, program string) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, mostLine), mostLine)
	for lines.Scan() {
		h.events.hookLine(name, program, lines.Text())
	}
	_, _ = io.Copy(io.Discard, r)
}

// cleanEnvironment is what programs get besides what they are told.
func cleanEnvironment() []string {
	path := os.Getenv("PATH")
	if path == "" {
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	return []string{"PATH=" + path, "LANG=C.UTF-8"}
}

// environment tells a hook of events, in the manner of certbot. With several,
// what has room for one only is that of the last.
func environment(events []Event) []string {
	last := events[len(events)-1]
	var names, lineages []string
	seen := map[string]bool{}
	for _, e := range events {
		if seen[e.Name] {
			continue
		}
		seen[e.Name] = true
		names = append(names, e.Name)
		if e.Lineage != "" {
			lineages = append(lineages, e.Lineage)
		}
	}
	env := []string{
		"RENEWED_DOMAINS=" + strings.Join(names, " "), "RENEWED_LINEAGE=" + last.Lineage, "CERT_LINEAGES=" + strings.Join(lineages, " "),
		"CERT_EVENT=" + string(last.Kind), "CERT_NAME=" + last.Name, "CERT_SERIAL=" + last.Serial,
		"CERT_SHA256=" + last.SHA256, "CERT_SPKI_SHA256=" + last.SPKI, "CERT_ERROR=" + last.Error, "CERT_ERROR_CODE=" + last.ErrorCode,
	}
	if !last.NotAfter.IsZero() {
		env = append(env, "CERT_NOT_AFTER="+last.NotAfter.UTC().Format(time.RFC3339))
	}
	if last.DryRun {
		env = append(env, "CERT_DRYRUN=1")
	}
	return env
}
