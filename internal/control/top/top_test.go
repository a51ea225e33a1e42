package top

import (
	"context"
	"errors"
	"flag"
	"io"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files again")

// first is a process with a server and scripts, and numbers of every size.
var first = Reading{
	At: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC),
	Values: map[string]float64{
		"process.pid": 4711, "process.runtime": 93784,
		"servers.inbound.connections.concurrent": 12, "servers.inbound.connections.maxconcurrent": 1000, "servers.inbound.connections.accepted": 1234567,
		"servers.a.b.connections.concurrent":  1, // a server whose name has a dot
		"servers.inbound.scripts.eod.running": 3, "servers.inbound.scripts.eod.pending": 1, "servers.inbound.scripts.eod.errors": 9,
		"servers.inbound.scripts.rcptto.running": 0, "queue.scripts.predelivery.running": 2, "threads.scripts.shared.running": 4,
		"queue.queue.active.size": 900000, "queue.queue.defer.size": 12345678, "queue.delivery.delivered": 98765432109,
		"queue.connections.concurrent": 36, "queue.connections.maxconcurrent": 200,
		"queue.policy.rate.buckets": 7, "resolver.cache.hits": 1.5,
	},
}

func later() Reading {
	r := Reading{At: first.At.Add(time.Second), Values: maps.Clone(first.Values)}
	r.Values["queue.delivery.delivered"] += 1736
	r.Values["queue.queue.active.size"] -= 6
	r.Values["servers.inbound.connections.accepted"] += 123456
	return r
}

func press(m *model, key tea.KeyPressMsg) tea.Cmd { _, cmd := m.Update(key); return cmd }

// screens plays a session: two readings, panes, a pause, an error.
func screens() string {
	m := &model{}
	var b strings.Builder
	show := func(title string) {
		b.WriteString("=== " + title + "\n" + stripped(m.View().Content) + "\n")
	}
	show("before anything")
	m.Update(tea.WindowSizeMsg{Width: 100, Height: 30})
	m.Update(fetched{reading: first})
	show("the first reading")
	m.Update(fetched{reading: later()})
	show("what has changed")
	press(m, tea.KeyPressMsg{Code: tea.KeyRight})
	show("the next pane")
	press(m, tea.KeyPressMsg{Code: '3', Text: "3"})
	show("the third pane")
	press(m, tea.KeyPressMsg{Code: tea.KeyLeft})
	press(m, tea.KeyPressMsg{Code: tea.KeyLeft})
	press(m, tea.KeyPressMsg{Code: tea.KeyLeft})
	press(m, tea.KeyPressMsg{Code: tea.KeySpace, Text: " "})
	m.Update(fetched{reading: first})
	show("paused, on the last pane")
	m.Update(fetched{err: errors.New("cannot reach the MTA: no such file\nTry --socket")})
	m.Update(tea.WindowSizeMsg{Width: 40, Height: 8})
	show("an error on a small screen")
	return b.String()
}

func TestScreens(t *testing.T) {
	const file = "testdata/screens.txt"
	got := screens()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("screens (-want +got):\n%s", diff)
	}
}

// TestFits: whatever the size, nothing is wider or higher than the screen.
func TestFits(t *testing.T) {
	for width := 10; width < 200; width += 7 {
		for height := 4; height < 60; height += 11 {
			m := &model{width: width, height: height, now: later(), was: first}
			for m.pane = range panes {
				lines := strings.Split(m.arrange(m.boxes()), "\n")
				if len(lines) > height-3 {
					t.Errorf("%d×%d, pane %d: %d lines", width, height, m.pane, len(lines))
				}
				for _, line := range lines {
					if n := ansi.StringWidth(line); n > width {
						t.Errorf("%d×%d, pane %d: a line of %d", width, height, m.pane, n)
					}
				}
			}
		}
	}
}

func TestKeys(t *testing.T) {
	m := &model{}
	for _, key := range []tea.KeyPressMsg{{Code: 'q', Text: "q"}, {Code: 'c', Mod: tea.ModCtrl}, {Code: tea.KeyEscape}} {
		if cmd := press(m, key); cmd == nil || cmd() != tea.Quit() {
			t.Errorf("%s does not leave", key)
		}
	}
	for _, key := range []tea.KeyPressMsg{{Code: '9', Text: "9"}, {Code: 'x', Text: "x"}, {Code: tea.KeyF1}} {
		if cmd := press(m, key); cmd != nil || m.pane != 0 || m.paused {
			t.Errorf("%s does something", key)
		}
	}
}

// TestRuntime runs the program without a terminal until it is told to leave.
func TestRuntime(t *testing.T) {
	reads := make(chan struct{}, 100)
	m := &model{ctx: t.Context(), options: Options{Every: time.Millisecond, Read: func(context.Context) (Reading, error) {
		reads <- struct{}{}
		return later(), nil
	}}}
	p := tea.NewProgram(m, tea.WithInput(nil), tea.WithOutput(io.Discard), tea.WithContext(t.Context()), tea.WithoutSignalHandler())
	done := make(chan error)
	go func() { _, err := p.Run(); done <- err }()
	for range 3 {
		<-reads
	}
	p.Send(tea.KeyPressMsg{Code: 'q', Text: "q"})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if m.now.Values["process.pid"] != 4711 {
		t.Errorf("nothing was taken: %v", m.now)
	}
}

func TestText(t *testing.T) {
	got := Text(first)
	for _, want := range []string{"pid 4711   up 26h3m4s   2026-11-30 12:00:00\n", "\nQUEUES\nactive             900000\n", "\ninbound eod ", "\nSCRIPTS OF THE QUEUE\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "\x1b") || strings.Contains(got, " \n") {
		t.Errorf("something of a terminal is left:\n%q", got)
	}
}
