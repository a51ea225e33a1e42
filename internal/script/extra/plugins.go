package extra

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/mtasts"
	"github.com/posthaste-mta/posthaste/internal/plugin"
	"github.com/posthaste-mta/posthaste/internal/plugin/bulk"
	"github.com/posthaste-mta/posthaste/internal/plugin/journal"
	"github.com/posthaste-mta/posthaste/internal/plugin/list"
	"github.com/posthaste-mta/posthaste/internal/plugin/rate"
	"github.com/posthaste-mta/posthaste/internal/plugin/throttle"
)

// Plugins are the plug-ins of a process.
type Plugins struct {
	plugin.Set
	logger      *journal.Plugin
	suppression *list.Suppression
	bounce      *list.Bounce
	ip          *list.IP
	background  *throttle.Plugin
	bulk        *bulk.Plugin
	rate        *rate.Plugin
	dlp         *dlpPlugin
	sts         *mtasts.Cache
	replies     *replyCache
}

// Host is what plug-ins need of the process. The zero value is enough to check
// settings.
type Host struct {
	// Run is the folder in which other daemons listen unless settings say otherwise.
	Run string
	// Complain is told what goes wrong while nobody asks; nil: nobody is.
	Complain func(error)
	// STS fetches policies of MTA-STS; nil takes a client that trusts the authorities
	// of the system.
	STS *http.Client
}

// NewPlugins makes the plug-ins from their startup settings, by id, and opens
// nothing. Those that nobody lists are there as well, without settings. unknown
// are the ids of settings that no plug-in has.
func NewPlugins(startup map[string]plugin.Settings, h Host) (p *Plugins, unknown []string, err error) {
	p = &Plugins{sts: mtasts.NewCache(h.STS), replies: &replyCache{}}
	for _, make := range []func(map[string]plugin.Settings) error{
		member(p, "logger", &p.logger, journal.New),
		member(p, "suppression-list", &p.suppression, func(s plugin.Settings) (*list.Suppression, error) {
			return list.NewSuppression(s, compileCaseless)
		}),
		member(p, "bounce-list", &p.bounce, func(s plugin.Settings) (*list.Bounce, error) { return list.NewBounce(s, compileCaseless) }),
		member(p, "ip-list", &p.ip, list.NewIP),
		member(p, "http-background", &p.background, throttle.New),
		member(p, "http-bulk", &p.bulk, func(s plugin.Settings) (*bulk.Plugin, error) { return bulk.New(s, h.Complain) }),
		member(p, "rate", &p.rate, func(s plugin.Settings) (*rate.Plugin, error) {
			return rate.New(s, filepath.Join(h.Run, "rated.sock"))
		}),
		member(p, "dlp", &p.dlp, func(s plugin.Settings) (*dlpPlugin, error) { return newDLP(s, filepath.Join(h.Run, "dlpd.sock")) }),
	} {
		if err := make(startup); err != nil {
			return nil, nil, err
		}
	}
	for _, id := range slices.Sorted(maps.Keys(libraries)) {
		switch {
		case p.Has(id):
		case len(startup[id]) > 0:
			return nil, nil, fmt.Errorf("plug-in %s: has no settings", id)
		default:
			p.Add(id, plugin.Base{}) // may be listed, and has nothing to set
		}
	}
	for id := range startup {
		if !p.Has(id) {
			unknown = append(unknown, id)
		}
	}
	return p, unknown, nil
}

// member returns what makes a plug-in, keeps it in its field and adds it to the
// set.
func member[T plugin.Plugin](p *Plugins, id string, field *T, make func(plugin.Settings) (T, error)) func(map[string]plugin.Settings) error {
	return func(startup map[string]plugin.Settings) error {
		made, err := make(startup[id])
		if err != nil {
			return fmt.Errorf("plug-in %s: %w", id, err)
		}
		*field = made
		p.Add(id, made)
		return nil
	}
}

func mustPlugins() *Plugins {
	p, _, err := NewPlugins(nil, Host{})
	if err != nil {
		panic(err) // plug-ins without settings cannot be wrong
	}
	return p
}
