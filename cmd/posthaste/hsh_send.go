package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/daemon/smtpd"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/script"
)

// outlet is the courier for scripts outside the MTA. It is made when a script
// first sends something.
type outlet struct{ courier func() *delivery.Courier }

// newOutlet returns the courier for scripts, which says on log where it connects
// to (spec operations.md 8.3).
func newOutlet(resolver func() *dns.Resolver, log io.Writer) outlet {
	return outlet{sync.OnceValue(func() *delivery.Courier {
		hostname, _ := os.Hostname() // "" if the system will not say
		return delivery.New(resolver(), delivery.Options{Hostname: hostname}, delivery.Events{
			Connecting: func(a *delivery.Attempt, w delivery.Way) {
				verb := "send"
				if a.Content == nil {
					verb = "lookup"
				}
				fmt.Fprintf(log, "hsh: %s: Connecting %s\n", verb, w)
			},
		})
	})}
}

// Send implements script.Courier.
func (o outlet) Send(ctx context.Context, a *delivery.Attempt) delivery.Outcome {
	return o.courier().Send(ctx, a)
}

// Probe implements script.Courier.
func (o outlet) Probe(ctx context.Context, a *delivery.Attempt, until delivery.Stage) delivery.Outcome {
	return o.courier().Probe(ctx, a, until)
}

// configured is what a configuration names for scripts. It is read when a script
// first refers to something in it; one that is not there names nothing.
type configured struct {
	read func() (script.Resources, error)
}

// resources returns what the configuration of the flags names.
func (f *scriptFlags) resources() configured {
	return configured{sync.OnceValues(func() (script.Resources, error) {
		startup, running := new(smtpd.Startup), new(smtpd.Running)
		loading := config.LoadOptions{EnvSubstitution: f.env}
		app := f.app
		var err error
		if f.startup != os.DevNull && (f.startup != "" || app == "") {
			if startup, _, err = smtpd.LoadStartup(f.startup, loading); err != nil {
				return nil, err
			}
			if app == "" {
				app = startup.Environment.AppConf
			}
		}
		switch app {
		case "":
			return nil, errors.New("there is no configuration")
		case "-":
			return nil, errors.New("a configuration from standard input names only files")
		}
		if _, err := config.Load(app, config.SMTPDApp, running, loading); err != nil {
			return nil, err
		}
		return smtpd.NewResources(startup, running)
	})}
}

// Certificate implements script.Resources.
func (c configured) Certificate(id string) (*tls.Certificate, error) {
	r, err := c.read()
	if err != nil {
		return nil, fmt.Errorf("certificate %q: %w", id, err)
	}
	return r.Certificate(id)
}

// Source implements script.Resources.
func (c configured) Source(id string) (delivery.Source, bool) {
	r, err := c.known()
	if err != nil {
		return delivery.Source{}, false
	}
	return r.Source(id)
}

// Transport implements script.Resources.
func (c configured) Transport(id string) (*delivery.Transport, bool) {
	r, err := c.known()
	if err != nil {
		return nil, false
	}
	return r.Transport(id)
}

// known is read, and says on standard error why a configuration that is there
// cannot be used.
func (c configured) known() (script.Resources, error) {
	r, err := c.read()
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		fmt.Fprintln(os.Stderr, "hsh:", err)
	}
	return r, err
}
