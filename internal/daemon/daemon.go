// Package daemon is the life of any process of ours: it takes the signals, tells
// the service manager how things stand, and gives up privileges once the
// sockets are open.
//
// A program builds its parts, wraps them as a Service and hands that to Run,
// which returns when the process should end. Log builds the logger that such a
// process writes to.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Service is a process worth running.
type Service interface {
	// Start begins serving. It returns once clients can be served.
	Start(context.Context) error
	// Reload puts the configuration on disk in force. On an error the old one
	// stays.
	Reload(context.Context) error
	// Reopen opens log files anew after they have been moved away.
	Reopen() error
	// Stop drains and returns when all is quiet, or soon after ctx has ended.
	Stop(context.Context) error
	// Failed returns a channel that yields the error that ends the service
	// from within.
	Failed() <-chan error
}

// ErrKilled is returned by Run when a second signal cut the draining short.
var ErrKilled = errors.New("daemon: ended by a second signal before everything was drained")

// Run starts s and serves until SIGTERM or SIGINT, a failure of s, or the end
// of ctx; then it stops s. A second SIGTERM or SIGINT ends the draining at
// once. SIGHUP reloads, SIGUSR1 reopens log files, SIGPIPE is ignored.
func Run(ctx context.Context, s Service, log *slog.Logger) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)
	signal.Ignore(syscall.SIGPIPE)

	if err := s.Start(ctx); err != nil {
		return err
	}
	notify(sd.SdNotifyReady)
	Surface(nil)
	defer watchdog()()
	failure := serve(ctx, s, log, signals)
	notify(sd.SdNotifyStopping)
	return errors.Join(failure, stop(ctx, s, signals))
}

// serve returns when the service is to be stopped.
func serve(ctx context.Context, s Service, log *slog.Logger, signals <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-s.Failed():
			return err
		case sig := <-signals:
			switch sig {
			case syscall.SIGHUP:
				reload(ctx, s, log)
			case syscall.SIGUSR1:
				if err := s.Reopen(); err != nil {
					log.Error(err.Error())
				}
			default:
				return nil
			}
		}
	}
}

func reload(ctx context.Context, s Service, log *slog.Logger) {
	notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", sd.SdNotifyReloading, monotonic().Microseconds()))
	defer notify(sd.SdNotifyReady)
	if err := s.Reload(ctx); err != nil {
		log.Error("Could not reload configuration, the old one stays in force: " + err.Error())
	}
}

func stop(ctx context.Context, s Service, signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	done := make(chan error, 1) // receives once
	go func() { done <- s.Stop(ctx) }()
	for {
		select {
		case err := <-done:
			return err
		case sig := <-signals:
			if sig == syscall.SIGTERM || sig == syscall.SIGINT {
				cancel(ErrKilled)
			}
		}
	}
}

// notify tells systemd, when it started us, and is silent otherwise.
func notify(state string) { _, _ = sd.SdNotify(false, state) }

// watchdog pats systemd's watchdog where one is set, until the returned
// function is called.
func watchdog() (end func()) {
	every, err := sd.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return func() {}
	}
	t, done := time.NewTicker(every/2), make(chan struct{}) // closed by end
	go func() {
		for {
			select {
			case <-t.C:
				notify(sd.SdNotifyWatchdog)
			case <-done:
				return
			}
		}
	}()
	return func() { t.Stop(); close(done) }
}

// monotonic is the time of CLOCK_MONOTONIC, as sd_notify wants it.
func monotonic() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
