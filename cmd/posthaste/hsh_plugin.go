package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/daemon/smtpd"
	"github.com/posthaste-mta/posthaste/internal/plugin"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
)

// modules returns the modules of extras:// over the plug-ins that -p names, with
// the settings of the configuration, and what closes those. Others are without
// settings: the files of a log or a queue belong to the MTA.
func (f *hshFlags) modules(ctx context.Context) (*extra.Modules, func(), error) {
	complain := func(err error) { fmt.Fprintln(os.Stderr, err) }
	if len(f.plugins) == 0 {
		return extra.New(extra.Options{Complain: complain}), func() {}, nil
	}
	startup, running, err := f.settings()
	if err != nil {
		return nil, nil, withCode(exitUsage, err)
	}
	plugins, unknown, err := extra.NewPlugins(startup, extra.Host{Run: f.runFolder(), Complain: complain})
	if err != nil {
		return nil, nil, withCode(exitUsage, err)
	}
	for _, id := range f.plugins {
		if !plugins.Has(id) || slices.Contains(unknown, id) {
			return nil, nil, withCode(exitUsage, fmt.Errorf("there is no plug-in %q; there are %s", id, strings.Join(plugins.IDs(), ", ")))
		}
	}
	adopt, err := plugins.Prepare(running)
	if err == nil {
		err = plugins.Start(ctx)
	}
	if err != nil {
		return nil, nil, err
	}
	adopt()
	return extra.New(extra.Options{Plugins: plugins, Complain: complain}), func() {
		if err := plugins.Close(context.Background()); err != nil {
			complain(err)
		}
	}, nil
}

// runFolder is where daemons of the host listen.
func (f *hshFlags) runFolder() string { return config.FindLayout(config.SMTPD, nil).RunDir }

// settings are those of the plug-ins of -p, from the startup and the running
// configuration.
func (f *hshFlags) settings() (startup, running map[string]plugin.Settings, err error) {
	loading := config.LoadOptions{EnvSubstitution: f.env}
	s, _, err := smtpd.LoadStartup(f.startup, loading)
	if err != nil {
		return nil, nil, fmt.Errorf("plug-ins (-p) need a startup configuration (-c): %w", err)
	}
	startup, running = map[string]plugin.Settings{}, map[string]plugin.Settings{}
	for _, p := range s.Plugins {
		if slices.Contains(f.plugins, p.ID) {
			startup[p.ID] = p.Config
		}
	}
	app := f.app
	if app == "" {
		app = s.Environment.AppConf
	}
	r := new(smtpd.Running)
	if app == "-" {
		return nil, nil, errors.New("with plug-ins (-p) the running configuration cannot be standard input")
	}
	if _, err := config.Load(app, config.SMTPDApp, r, loading); err != nil {
		return nil, nil, err
	}
	for _, p := range r.Plugins {
		if slices.Contains(f.plugins, p.ID) {
			running[p.ID] = p.Config
		}
	}
	return startup, running, nil
}
