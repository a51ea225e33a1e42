package extra

import (
	"fmt"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

// Plugins are the plug-ins of a process.
type Plugins struct {
	plugin.Set
}

// known are settings of plug-ins that scripts use and that keep no state here.
var stateless = []string{"env", "interfaces", "ldap", "proxytlv", "sleep-background", "stdout", "time-rfc2822", "ulid"}

// NewPlugins makes the plug-ins from their startup settings, by id, and opens
// nothing. Those that nobody lists are there as well, without settings. unknown
// are the ids of settings that no plug-in has.
func NewPlugins(startup map[string]plugin.Settings) (p *Plugins, unknown []string, err error) {
	p = &Plugins{}
	for _, id := range stateless {
		if len(startup[id]) > 0 {
			return nil, nil, fmt.Errorf("plug-in %s: has no settings", id)
		}
		p.Add(id, plugin.Base{})
	}
	for id := range startup {
		if !p.Has(id) {
			unknown = append(unknown, id)
		}
	}
	return p, unknown, nil
}

func mustPlugins() *Plugins {
	p, _, err := NewPlugins(nil)
	if err != nil {
		panic(err) // plug-ins without settings cannot be wrong
	}
	return p
}
