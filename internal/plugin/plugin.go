// Package plugin is what the plug-ins of a process have in common: parts that
// the configuration lists under plugins, each with settings of its own, and
// that scripts reach through the modules of extras://.
//
// A Plugin reads its startup settings when it is made, opens what it needs in
// Start, follows the running settings (Prepare), answers operators (Command) and
// lets go in Close. The packages below this one are the plug-ins; a Set holds
// those of a process. Nothing here knows scripts: package script/extra makes the
// modules.
package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Plugin is one plug-in. Command may be called at any time between Start and
// Close; the other methods are called one at a time.
type Plugin interface {
	// Start opens what the startup settings name. An error ends the start of the
	// process.
	Start(context.Context) error
	// Prepare reads the running settings, nil when there are none, and the files
	// that either settings name, and returns what puts them in force. It changes
	// nothing itself, so that a reload that fails elsewhere leaves all as it was.
	// It may be called before Start.
	Prepare(Settings) (adopt func(), err error)
	// Command obeys the words that an operator gives and returns what to print.
	Command(ctx context.Context, args []string) (string, error)
	// Reopen opens anew what somebody may have moved away, such as a log.
	Reopen() error
	// Close finishes what has begun, or gives up when ctx ends, and frees
	// everything. It may be called without Start.
	Close(context.Context) error
}

// Base is a Plugin that has nothing to open, follow, say or close. Plug-ins embed
// it.
type Base struct{}

var _ Plugin = Base{}

// Start implements Plugin.
func (Base) Start(context.Context) error { return nil }

// Prepare implements Plugin.
func (Base) Prepare(s Settings) (func(), error) {
	if len(s) > 0 {
		return nil, errors.New("takes its settings from the startup configuration only")
	}
	return func() {}, nil
}

// Command implements Plugin.
func (Base) Command(context.Context, []string) (string, error) {
	return "", errors.New("this plug-in has no commands")
}

// Reopen implements Plugin.
func (Base) Reopen() error { return nil }

// Close implements Plugin.
func (Base) Close(context.Context) error { return nil }

// Usage is the error for a command that a plug-in does not know.
func Usage(args []string, commands ...string) error {
	want := "want " + strings.Join(commands, ", ")
	if len(args) == 0 {
		return errors.New("no command given; " + want)
	}
	return fmt.Errorf("unknown command %q; %s", strings.Join(args, " "), want)
}

// Set is the plug-ins of a process, by id. It is filled before Start and is then
// safe for concurrent use, as far as Plugin allows.
type Set struct {
	order   []string
	plugins map[string]Plugin
}

// Add makes p a member.
func (s *Set) Add(id string, p Plugin) {
	if s.plugins == nil {
		s.plugins = map[string]Plugin{}
	}
	s.order, s.plugins[id] = append(s.order, id), p
}

// IDs returns the ids of all members, sorted.
func (s *Set) IDs() []string { return slices.Sorted(slices.Values(s.order)) }

// Has reports whether there is a plug-in of that id.
func (s *Set) Has(id string) bool { return s.plugins[id] != nil }

// Start starts all. When one fails those before it are closed again.
func (s *Set) Start(ctx context.Context) error {
	for i, id := range s.order {
		if err := s.plugins[id].Start(ctx); err != nil {
			for _, started := range s.order[:i+1] {
				_ = s.plugins[started].Close(ctx) // the first error is what to tell
			}
			return failed(id, err)
		}
	}
	return nil
}

// Prepare reads the running settings of all, by id, and returns what puts them
// in force. The error names every mistake.
func (s *Set) Prepare(running map[string]Settings) (adopt func(), err error) {
	var all []func()
	var errs []error
	for _, id := range s.order {
		one, err := s.plugins[id].Prepare(running[id])
		if err != nil {
			errs = append(errs, failed(id, err))
			continue
		}
		all = append(all, one)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return func() {
		for _, one := range all {
			one()
		}
	}, nil
}

// ErrUnknown is for a plug-in that does not exist.
var ErrUnknown = errors.New("no such plug-in")

// Command has the plug-in of that id obey.
func (s *Set) Command(ctx context.Context, id string, args []string) (string, error) {
	p := s.plugins[id]
	if p == nil {
		return "", fmt.Errorf("%q: %w; there are %s", id, ErrUnknown, strings.Join(s.IDs(), ", "))
	}
	said, err := p.Command(ctx, args)
	if err != nil {
		return said, failed(id, err)
	}
	return said, nil
}

// Reopen has all open their files anew.
func (s *Set) Reopen() error {
	return s.each(func(p Plugin) error { return p.Reopen() })
}

// Close closes all.
func (s *Set) Close(ctx context.Context) error {
	return s.each(func(p Plugin) error { return p.Close(ctx) })
}

func (s *Set) each(f func(Plugin) error) error {
	var errs []error
	for _, id := range s.order {
		if err := f(s.plugins[id]); err != nil {
			errs = append(errs, failed(id, err))
		}
	}
	return errors.Join(errs...)
}

func failed(id string, err error) error { return fmt.Errorf("plug-in %s: %w", id, err) }

// Words takes "reload:list1" apart, which older versions wrote in place of two
// words.
func Words(args []string) []string {
	if len(args) == 1 {
		return strings.SplitN(args[0], ":", 2)
	}
	return args
}
