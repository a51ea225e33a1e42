package up

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/daemon/smtpd"
	"github.com/posthaste-mta/posthaste/internal/spool"
	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// TestRenderedConfigurationIsValid loads what the template makes of each way to
// deliver, as smtpd would, without a warning.
func TestRenderedConfigurationIsValid(t *testing.T) {
	for _, o := range []Options{
		{}, {Deliver: DeliverMX}, {Deliver: "mail.example.net:25"}, {Deliver: "[::1]:2526"},
		{SMTP: "[::1]:2525", Monitor: "[::1]:8025", Dir: `/srv/a "quoted" folder`},
	} {
		v, err := o.values()
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := render(v)
		if err != nil {
			t.Fatal(err)
		}
		warnings, err := smtpd.Check(filepath.Join(v.Dir, "smtpd.yaml"), config.LoadOptions{ReadFile: reader(rendered)})
		if err != nil || len(warnings) > 0 {
			t.Errorf("%+v: %v, warnings %v", o, err, warnings)
		}
	}
}

func TestValues(t *testing.T) {
	for _, tt := range []struct {
		options Options
		server  string
		port    uint16
	}{
		{Options{}, "127.0.0.1", 2526},
		{Options{Sink: "127.0.0.1:3000"}, "127.0.0.1", 3000},
		{Options{Deliver: DeliverSink, Sink: "[::1]:3000"}, "::1", 3000},
		{Options{Deliver: DeliverMX}, "", 0},
		{Options{Deliver: "mail.example.net:587"}, "mail.example.net", 587},
	} {
		v, err := tt.options.values()
		if err != nil || v.Server != tt.server || v.Port != tt.port {
			t.Errorf("%+v: next hop %s port %d, %v; want %s port %d", tt.options, v.Server, v.Port, err, tt.server, tt.port)
		}
		if !filepath.IsAbs(v.Dir) || v.SMTP[0].String() != DefaultSMTP || v.Monitor.String() != DefaultMonitor {
			t.Errorf("%+v: %+v", tt.options, v)
		}
	}
	for _, o := range []Options{
		{SMTP: "2525"}, {SMTP: "host:25"}, {SMTP: "127.0.0.1:70000"}, {Monitor: ":8025"},
		{Deliver: "host"}, {Deliver: ":25"}, {Deliver: "host:0"}, {Deliver: "host:smtp"}, {Sink: "nowhere"},
	} {
		if v, err := o.values(); err == nil || !strings.HasPrefix(err.Error(), "up: ") {
			t.Errorf("%+v: %+v, %v", o, v, err)
		}
	}
}

// TestWriteConfigKeepsFiles writes all files or none.
func TestWriteConfigKeepsFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "config")
	paths, err := WriteConfig(Options{}, dir)
	if err != nil || len(paths) != 3 {
		t.Fatalf("%v, %v", paths, err)
	}
	for _, p := range paths[1:] {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := WriteConfig(Options{}, dir); err == nil || !strings.Contains(err.Error(), paths[0]) {
		t.Errorf("over %s: %v", paths[0], err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("the folder has %v", left)
	}
}

func TestHeld(t *testing.T) {
	other := errors.New("no luck")
	if got := held(other); got != other {
		t.Errorf("%v", got)
	}
	for _, err := range []error{&vfs.HeldError{Name: "lock", PID: 4711}, fmt.Errorf("x: %w", &spool.LockedError{Path: "queue", PID: 4711})} {
		if got := held(err); !strings.Contains(got.Error(), "in use by process 4711") || !errors.Is(got, err) {
			t.Errorf("%v", got)
		}
	}
	if got := held(&spool.LockedError{Path: "queue"}); strings.Contains(got.Error(), "process 0") {
		t.Errorf("%v", got)
	}
}

// TestFailedStartLetsGo: after a start that failed nothing listens and the
// folder can be used.
func TestFailedStartLetsGo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	o := Options{Dir: t.TempDir(), SMTP: taken.Addr().String(), Sink: "127.0.0.1:0", Deliver: DeliverMX, Out: new(bytes.Buffer)}
	for range 2 {
		u, err := New(o, daemon.NewLogger(discard{}))
		if err != nil {
			t.Fatal(err)
		}
		if err := u.Start(context.Background()); err == nil || !strings.Contains(err.Error(), "bind: Address already in use") {
			t.Fatalf("start: %v", err)
		}
	}
}

// discard is a log that nobody reads.
type discard struct{}

func (discard) WriteLine(daemon.Priority, string) error { return nil }
