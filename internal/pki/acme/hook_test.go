package acme

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func script(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// heard collects what hooks print.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) events() Events {
	return Events{HookLine: func(name, hook, line string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.lines = append(h.lines, name+" "+filepath.Base(hook)+" "+line)
	}}
}

// TestHookEnvironment: certbot's variables and ours, and nothing of ours that is
// nobody's business.
func TestHookEnvironment(t *testing.T) {
	t.Setenv("SECRET", "of the process")
	h := new(heard)
	run := newHookRunner(t.Context(), h.events())
	path := script(t, filepath.Join(t.TempDir(), "hook"), `env | sort; pwd; read x || echo no input`)
	end := time.Date(2027, 2, 18, 10, 20, 30, 0, time.UTC)
	events := []Event{
		{Kind: EventObtained, Name: "a.test", Lineage: "/certs/a.test"},
		{Kind: EventRenewed, Name: "*.b.test", Lineage: "/certs/_wildcard.b.test", Serial: "1f", NotAfter: end, SHA256: "aa", SPKI: "bb", DryRun: true},
		{Kind: EventRenewed, Name: "*.b.test", Lineage: "/certs/_wildcard.b.test", Serial: "1f", NotAfter: end, SHA256: "aa", SPKI: "bb", DryRun: true},
	}
	if err := run.run(t.Context(), Hook{Path: path}, events); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"RENEWED_DOMAINS=a.test *.b.test", "RENEWED_LINEAGE=/certs/_wildcard.b.test", "CERT_LINEAGES=/certs/a.test /certs/_wildcard.b.test",
		"CERT_EVENT=renewed", "CERT_NAME=*.b.test", "CERT_SERIAL=1f", "CERT_NOT_AFTER=2027-02-18T10:20:30Z", "CERT_SHA256=aa", "CERT_SPKI_SHA256=bb",
		"CERT_ERROR=", "CERT_ERROR_CODE=", "CERT_DRYRUN=1", "/", "no input",
	} {
		if !slices.Contains(h.lines, "a.test hook "+want) {
			t.Errorf("the hook does not say %q:\n%s", want, strings.Join(h.lines, "\n"))
		}
	}
	if strings.Contains(strings.Join(h.lines, "\n"), "SECRET") {
		t.Error("the environment of the process is handed on")
	}
}

// TestHookFolder runs the programs of a folder in order, and no others.
func TestHookFolder(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"20-second", "10-first", "30-third"} {
		script(t, filepath.Join(dir, name), "echo ran")
	}
	if err := os.WriteFile(filepath.Join(dir, "15-notes"), []byte("not a program"), 0o644); err != nil {
		t.Fatal(err)
	}
	h := new(heard)
	run := newHookRunner(t.Context(), h.events())
	if err := run.run(t.Context(), Hook{Path: dir}, []Event{{Name: "a.test"}}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a.test 10-first ran", "a.test 20-second ran", "a.test 30-third ran"}; !slices.Equal(h.lines, want) {
		t.Errorf("ran %q", h.lines)
	}
}

// TestHookRefused: what everybody may change is not run, and what fails says so.
func TestHookRefused(t *testing.T) {
	dir := t.TempDir()
	open := script(t, filepath.Join(dir, "open"), "true")
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := newHookRunner(t.Context(), Events{})
	for path, want := range map[string]string{
		open: "chmod o-w", plain: "chmod +x", filepath.Join(dir, "missing"): "no such file",
		script(t, filepath.Join(dir, "fails"), "exit 3"): "exit status 3",
	} {
		if err := run.run(t.Context(), Hook{Path: path}, []Event{{}}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// TestHookTimeout kills the hook with what it has started.
func TestHookTimeout(t *testing.T) {
	path := script(t, filepath.Join(t.TempDir(), "hook"), "sleep 600 & sleep 600")
	err := newHookRunner(t.Context(), Events{}).run(t.Context(), Hook{Path: path, Timeout: 50 * time.Millisecond}, []Event{{}})
	if err == nil || !strings.Contains(err.Error(), "killed after 50ms") {
		t.Errorf("ended with %v", err)
	}
}

// TestHookCoalesces: a thousand renewals in half a minute are one run, which is
// tried again on the documented waits while it fails.
func TestHookCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var runs []time.Duration
		var waits []time.Duration
		ctx, cancel := context.WithCancel(t.Context())
		run := newHookRunner(ctx, Events{HookFailed: func(_ string, _ error, retry time.Duration) {
			runs, waits = append(runs, time.Since(began)), append(waits, retry)
		}})
		hook := []Hook{{Path: "/nonexistent/hook", Coalesce: 30 * time.Second}}
		for i := range 1000 {
			run.tell(hook, Event{Name: fmt.Sprintf("n%d.test", i)})
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(3 * time.Hour)
		cancel()
		run.wg.Wait()
		first := 30 * time.Second
		want := []time.Duration{first, first + time.Minute, first + 6*time.Minute, first + 21*time.Minute, first + 81*time.Minute}
		if !slices.Equal(runs, want) || !slices.Equal(waits, append(slices.Clone(hookRetries), 0)) {
			t.Errorf("ran after %v, want %v; waits %v", runs, want, waits)
		}
	})
}
