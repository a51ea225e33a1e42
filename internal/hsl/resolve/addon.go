package resolve

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Modules are the modules of a program that scripts import from extras://.
type Modules interface {
	// Module returns the module of that name, or nil.
	Module(name string) *File
	// Modules returns the names of all.
	Modules() []string
	// Missing says why there is no module of a name that people ask for; "" for
	// other names.
	Missing(name string) string
}

const (
	addOnPrefix = "extras://"
	extension   = ".hsl"
)

// AddOns is a Loader that finds modules by name, extras://NAME or
// extras://NAME.hsl, and leaves all other paths to Files.
type AddOns struct {
	Modules Modules // nil: there are none
	Files   Loader
}

// Load implements Loader.
func (a AddOns) Load(path, from string) (*File, error) {
	name, ok := strings.CutPrefix(path, addOnPrefix)
	if !ok {
		return a.Files.Load(path, from)
	}
	if a.Modules == nil {
		return nil, errors.New("there are no add-on modules")
	}
	name = strings.TrimSuffix(name, extension)
	found := a.Modules.Module(name)
	if found == nil {
		if why := a.Modules.Missing(name); why != "" {
			return nil, errors.New(why)
		}
		names := slices.Sorted(slices.Values(a.Modules.Modules()))
		return nil, fmt.Errorf("there is no such module; there are %s", strings.Join(names, ", "))
	}
	module := *found
	module.ID = addOnPrefix + name
	return &module, nil
}
