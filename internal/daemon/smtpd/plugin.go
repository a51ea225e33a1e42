package smtpd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/plugin"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
)

// complaintEvery is how often at most what modules complain of is logged: it
// may be the same for each message.
const complaintEvery = 10 * time.Second

// newPlugins makes the plug-ins of the startup file and opens nothing. Settings
// of plug-ins that this program does not have are worth a warning: scripts that
// import what is missing do not compile.
func (s *Startup) newPlugins(complain func(error)) (*extra.Plugins, config.Warnings, error) {
	settings := map[string]plugin.Settings{}
	for _, p := range s.Plugins {
		settings[p.ID] = p.Config
	}
	plugins, unknown, err := extra.NewPlugins(settings, extra.Host{Run: s.layout.RunDir, Complain: complain})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", s.Path, err)
	}
	var warnings config.Warnings
	for i, p := range s.Plugins {
		if slices.Contains(unknown, p.ID) {
			warnings = append(warnings, s.document.Warnf(fmt.Sprintf("plugins[%d].id", i),
				"there is no plug-in %q in this program; its settings are ignored. There are %s", p.ID, strings.Join(plugins.IDs(), ", ")))
		}
	}
	return plugins, warnings, nil
}

// preparePlugins checks the running settings of the plug-ins and returns what
// puts them in force. plugins may be nil for who only composes.
func (r *Running) preparePlugins(plugins *extra.Plugins) (func(), error) {
	if plugins == nil {
		return func() {}, nil
	}
	settings := map[string]plugin.Settings{}
	for _, p := range r.Plugins {
		settings[p.ID] = p.Config
	}
	return plugins.Prepare(settings)
}

// commands is control.Plugins.
type commands struct{ plugins *extra.Plugins }

func (c commands) IDs() []string { return c.plugins.IDs() }

func (c commands) Command(ctx context.Context, id string, args []string) (string, error) {
	return c.plugins.Command(ctx, id, args)
}
