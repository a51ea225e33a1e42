// Package smtpd is the MTA as a process: it reads the configuration, builds the
// parts, joins them, and puts new configuration in force while they run.
//
// config*.go has the shape of the files, compose*.go turns them into the
// options of the parts, environment.go does what needs root, and wiring.go
// joins the parts. Everything that a reload replaces is in one immutable
// snapshot.
package smtpd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/backoff"
	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/control"
	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/metric"
	"github.com/posthaste-mta/posthaste/internal/pki"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/server"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/spool"
	"github.com/posthaste-mta/posthaste/internal/stage"
	"github.com/posthaste-mta/posthaste/internal/telemetry"
)

// Options are what a Daemon is built from.
type Options struct {
	Path  string // startup file; empty: that of the layout
	Files config.LoadOptions
	Log   *daemon.Logger // nil: Prepare makes one
}

// Daemon is the MTA. It is a daemon.Service; Start may be called once.
type Daemon struct {
	options  Options
	log      *daemon.Logger
	startup  *Startup
	keys     []pki.Key
	registry metric.Registry
	scripts  *scriptHost

	resolver *dns.Resolver
	courier  *delivery.Courier
	store    *spool.Store
	queue    *queue.Queue
	backoff  *backoff.Watcher
	servers  []*server.Server
	control  *control.Server
	monitor  *telemetry.Monitor
	certs    certificates

	sessionMetrics []*session.Metrics // by place in startup.Servers
	serverMetrics  []*server.Metrics

	monitorSocket net.Listener
	current       atomic.Pointer[snapshot]
	stages        stage.Set
	draining      atomic.Bool
	crowded       atomic.Bool // above monitor.healthy.maxmessages.upper, not yet below lower
	began         time.Time
	failed        chan error // receives what ends the process from within
	background    sync.WaitGroup

	mu      sync.Mutex // serialises reloads
	version control.Version
	undo    []func() // closes what was opened, in order of opening
}

// startPrefix begins the message of a start that failed (spec operations.md
// 2.2).
const startPrefix = "Could not load configuration"

// New returns a Daemon that logs to o.Log.
func New(o Options) *Daemon {
	d := &Daemon{options: o, log: o.Log, failed: make(chan error, 1)}
	d.scripts = &scriptHost{
		process: value.NewProcess(0), complain: telemetry.Occasionally(o.Log, complaintEvery), events: telemetry.ScriptEvents(o.Log),
		load:    func(v *queue.View) error { return d.queue.Load(v) },
		dns:     func() *dns.Resolver { return d.resolver },
		courier: scriptCourier{d},
		queue:   scriptQueue{d},
		live:    func() *queue.Queue { return d.queue },
		signing: dkim.NewPool(0),
		users:   new(telemetry.UserMetrics),
		servers: func() []*server.Server { return d.servers },
		quota: func(name string) (count, bytes int64) {
			q := d.queue.Quota(name)
			return q.Count, q.Bytes
		},
	}
	return d
}

// Prepare reads the startup file and returns a Daemon with the log that the file
// asks for: standard error in the foreground, else the system's.
func Prepare(o Options, foreground bool) (*Daemon, *daemon.Logger, error) {
	startup, warnings, err := LoadStartup(o.Path, o.Files)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", startPrefix, err)
	}
	var sink daemon.Sink = daemon.Console{W: os.Stderr, Ident: "smtpd"}
	if !foreground {
		if sink, err = daemon.System("smtpd", startup.Environment.Syslog.Facility); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", startPrefix, err)
		}
	}
	o.Log = daemon.NewLogger(sink)
	d := New(o)
	d.startup = startup
	d.warn(warnings)
	return d, d.log, nil
}

// Check loads everything that a start would load, opens and changes nothing, and
// returns the warnings as lines.
func Check(path string, files config.LoadOptions) ([]string, error) {
	startup, warnings, err := LoadStartup(path, files)
	if err != nil {
		return warnings.Lines(), err
	}
	running, more, err := LoadRunning(startup, files)
	warnings = append(warnings, more...)
	if err != nil {
		return warnings.Lines(), err
	}
	warnings = append(warnings, running.outboundWarnings()...)
	host := new(scriptHost)
	host.plugins, more, err = startup.newPlugins(nil)
	warnings = append(warnings, more...)
	if err != nil {
		return warnings.Lines(), err
	}
	keys, err := pki.ReadKeys(entries(startup.PKI.Private))
	if err != nil {
		return warnings.Lines(), err
	}
	s, err := compose(startup, running, keys, host)
	if err != nil {
		return warnings.Lines(), err
	}
	return append(warnings.Lines(), s.certificateWarnings()...), errors.Join(s.faults...)
}

// Start opens the sockets, gives up privileges, loads the running configuration
// and begins to serve, in the order of spec operations.md 2.2.
func (d *Daemon) Start(ctx context.Context) (err error) {
	d.began = time.Now()
	defer func() {
		if err != nil {
			d.close()
			err = fmt.Errorf("%s: %w", startPrefix, err)
		}
	}()
	if d.startup == nil {
		startup, warnings, err := LoadStartup(d.options.Path, d.options.Files)
		if err != nil {
			return err
		}
		d.startup = startup
		d.warn(warnings)
	}
	d.log.SetMask(d.startup.Environment.Syslog.Mask)
	if err := d.startup.Environment.Rlimit.raise(); err != nil {
		return err
	}
	d.log.Log(ctx, daemon.LevelNotice, "Starting Posthaste ("+daemon.Version()+")")
	if err := d.open(ctx); err != nil {
		return err
	}
	if d.keys, err = pki.ReadKeys(entries(d.startup.PKI.Private)); err != nil {
		return err
	}
	if err := d.startup.Environment.settle(); err != nil {
		return err
	}
	if err := d.startPlugins(ctx); err != nil {
		return err
	}
	running, warnings, err := LoadRunning(d.startup, d.options.Files)
	if err != nil {
		return err
	}
	d.warn(append(warnings, running.outboundWarnings()...))
	d.scripts.pools = newScriptPools(d.startup, &d.registry)
	next, err := compose(d.startup, running, d.keys, d.scripts)
	if err != nil {
		return err
	}
	for _, line := range next.certificateWarnings() {
		d.log.Warn(line)
	}
	return d.serve(ctx, next)
}

// serve builds the parts around the first snapshot and sets them going.
func (d *Daemon) serve(ctx context.Context, first *snapshot) error {
	if err := d.build(first); err != nil {
		return err
	}
	d.adopt(first)
	d.serveChallenges()
	d.courier.Start(ctx)
	d.backoff.Start(ctx)
	d.queue.Start(ctx)
	for _, s := range d.servers {
		s.Start(ctx)
	}
	if d.control != nil {
		d.control.Start(ctx)
	}
	if d.monitor != nil {
		d.background.Go(func() {
			if err := d.monitor.Serve(d.monitorSocket); err != nil {
				d.fail(err)
			}
		})
		d.monitor.SetReady()
	}
	return nil
}

// Reload reads the running configuration and puts it in force, or leaves the
// old one and says why.
func (d *Daemon) Reload(context.Context) error {
	_, err := d.reload()
	return err
}

func (d *Daemon) reload() (config.Warnings, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	running, warnings, err := d.current.Load().running.Reload(d.startup, d.options.Files)
	if err != nil {
		return warnings, err
	}
	next, err := compose(d.startup, running, d.keys, d.scripts)
	if err == nil {
		err = next.unfit(d.current.Load())
	}
	if err == nil {
		err = d.resolver.Configure(running.Resolver.Options())
	}
	if err != nil {
		return warnings, err
	}
	d.adoptLocked(next)
	warnings = append(warnings, running.outboundWarnings()...)
	d.warn(warnings)
	d.log.Log(context.Background(), daemon.LevelNotice, "Reloaded "+d.startup.Environment.AppConf)
	return warnings, nil
}

// Reopen has plug-ins open their log files anew. Neither standard error nor the
// system log is a file of ours.
func (d *Daemon) Reopen() error { return d.scripts.plugins.Reopen() }

// Failed yields the error that ends the process from within.
func (d *Daemon) Failed() <-chan error { return d.failed }

func (d *Daemon) fail(err error) {
	select {
	case d.failed <- err:
	default:
	}
}

// Stop drains: sessions end, running attempts get until queues.shutdown.timeout,
// and everything that waits is left in the spool.
func (d *Daemon) Stop(ctx context.Context) error {
	d.draining.Store(true)
	d.stages.Cancel("", stage.ErrStopped)
	d.log.Log(ctx, daemon.LevelNotice, "Stopping")
	limit := d.current.Load().running.Queues.Shutdown.Timeout
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	d.stopServers(ctx)
	if err := d.queue.Stop(ctx); err != nil {
		d.log.Warn(err.Error())
	}
	d.backoff.Stop()
	if err := d.scripts.plugins.Close(ctx); err != nil {
		d.log.Warn(err.Error())
	}
	d.courier.Stop()
	d.stopCertificates(ctx)
	d.resolver.Stop()
	if d.control != nil {
		if err := d.control.Stop(ctx); err != nil {
			d.log.Warn(err.Error())
		}
	}
	if d.monitor != nil {
		d.monitor.Close(ctx)
	}
	d.background.Wait()
	err := d.store.Close()
	d.log.Log(ctx, daemon.LevelNotice, "Stopped")
	if errors.Is(context.Cause(ctx), daemon.ErrKilled) {
		return errors.Join(daemon.ErrKilled, err)
	}
	return err
}

func (d *Daemon) stopServers(ctx context.Context) {
	var stopping sync.WaitGroup
	for _, s := range d.servers {
		stopping.Go(func() {
			if err := s.Stop(ctx); err != nil {
				d.log.Warn("sessions were cut off: " + err.Error())
			}
		})
	}
	stopping.Wait()
}

// close lets go of what a failed start has opened.
func (d *Daemon) close() {
	for _, f := range d.undo {
		f()
	}
	d.undo = nil
}

// startPlugins makes and starts the plug-ins, as the user that the process runs
// as from here on, who opens their files again later.
func (d *Daemon) startPlugins(ctx context.Context) error {
	plugins, warnings, err := d.startup.newPlugins(d.scripts.complain)
	if err != nil {
		return err
	}
	d.warn(warnings)
	d.scripts.plugins = plugins
	d.undo = append(d.undo, func() { _ = plugins.Close(context.Background()) })
	return plugins.Start(ctx)
}

func (d *Daemon) warn(warnings config.Warnings) {
	for _, line := range warnings.Lines() {
		d.log.Warn(line)
	}
}

var _ daemon.Service = (*Daemon)(nil)
