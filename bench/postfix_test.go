package main

import (
	"context"
	"net/smtp"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/testenv"
)

// TestPostfix runs the opponent once: it keeps what it is given, is accounted for,
// and goes when it is told to.
func TestPostfix(t *testing.T) {
	testenv.Root(t)
	testenv.Program(t, "postfix")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "bench") // t.TempDir is closed to Postfix's user
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	p := &postfix{}
	defer func() {
		if err := p.stop(ctx); err != nil {
			t.Error(err)
		}
		if alive(p.master) {
			t.Errorf("master %d still runs", p.master)
		}
	}()
	if err := p.start(ctx, dir, ""); err != nil {
		t.Fatal(err)
	}
	if err := smtp.SendMail(p.listen(), nil, "a@example.com", []string{"b@example.net"}, []byte("Subject: x\r\n\r\nx\r\n")); err != nil {
		t.Fatal(err)
	}
	if held, err := filepath.Glob(filepath.Join(p.spool(), "hold", "*")); len(held) != 1 {
		t.Errorf("%d messages on hold, %v; want 1", len(held), err)
	}
	if n, err := p.tree().memory(); n < 1<<20 || err != nil {
		t.Errorf("memory of the tree = %d, %v; want more than a megabyte", n, err)
	}
	if diskUse(p.spool()) == 0 {
		t.Error("the spool takes no room")
	}
}
