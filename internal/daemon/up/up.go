// Package up is the first thing that a newcomer runs: the MTA with a built-in
// configuration, a data folder, and a sink that takes what it delivers, all in
// one process on loopback ports. What it prints is meant to be read.
package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/daemon/smtpd"
	"github.com/posthaste-mta/posthaste/internal/sink"
	"github.com/posthaste-mta/posthaste/internal/spool"
	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// Addresses that are used when nothing else is asked for.
const (
	DefaultDir     = "posthaste-data"
	DefaultSMTP    = "127.0.0.1:2525"
	DefaultMonitor = "127.0.0.1:8025"
	DefaultSink    = "127.0.0.1:2526"
)

// Where mail goes.
const (
	DeliverSink = "sink" // to the sink, which discards it
	DeliverMX   = "mx"   // into the world, by MX records
)

// Options are the flags of the program. Empty addresses are the defaults.
type Options struct {
	Dir     string // data folder, made when it does not exist
	SMTP    string // where mail is taken
	Monitor string // metrics and health
	Sink    string // where the sink listens
	Deliver string // DeliverSink, DeliverMX or HOST:PORT
	Quiet   bool   // no line per message
	Out     io.Writer
}

// Up is the running whole. It is a daemon.Service.
type Up struct {
	options Options
	values  values
	mta     *smtpd.Daemon
	sink    *sink.Sink // nil: mail goes elsewhere
	lock    io.Closer  // on the data folder, from Start on
}

// values fills the template from the options.
func (o Options) values() (v values, err error) {
	if v.Dir, err = filepath.Abs(or(o.Dir, DefaultDir)); err != nil {
		return v, fmt.Errorf("up: %w", err)
	}
	smtp, err := addrPort(or(o.SMTP, DefaultSMTP))
	if err != nil {
		return v, err
	}
	v.SMTP = []netip.AddrPort{smtp}
	if v.Monitor, err = addrPort(or(o.Monitor, DefaultMonitor)); err != nil {
		return v, err
	}
	switch deliver := or(o.Deliver, DeliverSink); deliver {
	case DeliverMX:
	case DeliverSink:
		v.Server, v.Port, err = hostPort(or(o.Sink, DefaultSink))
	default:
		v.Server, v.Port, err = hostPort(deliver)
	}
	return v, err
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

// New builds everything; nothing listens before Start.
func New(o Options, log *daemon.Logger) (*Up, error) {
	v, err := o.values()
	if err != nil {
		return nil, err
	}
	for _, sub := range []string{"", "queue", "tmp", "run"} {
		if err := os.MkdirAll(filepath.Join(v.Dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("up: %w", err)
		}
	}
	rendered, err := render(v)
	if err != nil {
		return nil, err
	}
	u := &Up{options: o, values: v}
	if or(o.Deliver, DeliverSink) == DeliverSink {
		if u.sink, err = sink.New(sink.Options{Listen: []string{or(o.Sink, DefaultSink)}}); err != nil {
			return nil, err
		}
	}
	u.mta = smtpd.New(smtpd.Options{
		Path:  filepath.Join(v.Dir, "smtpd.yaml"),
		Files: config.LoadOptions{ReadFile: reader(rendered)},
		Log:   log,
	})
	return u, nil
}

// Start starts the sink and the MTA and prints where they are.
func (u *Up) Start(ctx context.Context) (err error) {
	// First of all, because a second run on the same folder is in the way of the
	// first one everywhere, and its ports say less about the reason.
	if u.lock, err = vfs.OS.Lock(filepath.Join(u.values.Dir, lockName)); err != nil {
		return held(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, u.lock.Close())
		}
	}()
	if u.sink != nil {
		if err := u.sink.Start(ctx); err != nil {
			return err
		}
	}
	if err := u.mta.Start(ctx); err != nil {
		if u.sink != nil {
			u.sink.Stop()
		}
		return held(err)
	}
	u.greet()
	return nil
}

// lockName is the file in the data folder that a run has locked.
const lockName = "lock"

// held says in a newcomer's words that the folder is in use: by another run of
// this program, or by an smtpd on the same spool.
func held(err error) error {
	var folder *vfs.HeldError
	var queue *spool.LockedError
	pid := 0
	switch {
	case errors.As(err, &folder):
		pid = folder.PID
	case errors.As(err, &queue):
		pid = queue.PID
	}
	if pid == 0 {
		return err
	}
	return fmt.Errorf("the data folder is in use by process %d: stop that one, or choose another folder with --dir\n(%w)", pid, err)
}

func (u *Up) greet() {
	w, v := u.options.Out, u.values
	fmt.Fprintf(w, "SMTP     %s\n", v.SMTP[0])
	fmt.Fprintf(w, "monitor  http://%s/metrics  /healthy  /ready  /debug/pprof/\n", v.Monitor)
	switch {
	case u.sink != nil:
		fmt.Fprintf(w, "delivers to the built-in sink on %s, which discards\n", u.sink.Addr())
	case v.Server != "":
		fmt.Fprintf(w, "delivers to %s port %d\n", v.Server, v.Port)
	default:
		fmt.Fprintln(w, "delivers by MX: mail leaves this host")
	}
	fmt.Fprintf(w, "data     %s\n\nSend a first message from another terminal:\n\n  %s\n\n", v.Dir, pasteLine(v.SMTP[0]))
	fmt.Fprintf(w, "Ctrl-C drains and ends.\n\n")
}

// pasteLine sends one message with this very binary, which is there for sure.
func pasteLine(smtp netip.AddrPort) string {
	self := os.Args[0]
	if exe, err := os.Executable(); err == nil && !strings.ContainsRune(self, filepath.Separator) {
		self = exe
	}
	return fmt.Sprintf("%s source --to %s --messages 1", self, smtp)
}

// Reload reads the built-in configuration again.
func (u *Up) Reload(ctx context.Context) error { return u.mta.Reload(ctx) }

// Reopen does what the MTA does.
func (u *Up) Reopen() error { return u.mta.Reopen() }

// Failed is that of the MTA.
func (u *Up) Failed() <-chan error { return u.mta.Failed() }

// Stop drains the MTA, then ends the sink.
func (u *Up) Stop(ctx context.Context) error {
	err := u.mta.Stop(ctx)
	if u.sink != nil {
		u.sink.Stop()
		n := u.sink.Stats()
		fmt.Fprintf(u.options.Out, "The sink took %d messages.\n", n.Messages)
	}
	return errors.Join(err, u.lock.Close())
}

var _ daemon.Service = (*Up)(nil)
