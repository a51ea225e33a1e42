// Package extra is the modules of extras://: functions that scripts of other
// installations import from there, written anew.
//
// A module is a value.Library that a function of this package declares, in a file
// named for the module or in a package below. Most need nothing but what scripts
// give them. Those with state, such as log files and queues on disk, are the faces
// of plug-ins: packages below internal/plugin that know no scripts. Plugins makes
// these once for a process from the startup settings; Modules makes libraries
// over them for each configuration, when a script first imports them.
package extra

import (
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/handlebars"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/web"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Options are what the modules need of the program around them.
type Options struct {
	// Plugins are those of the process; nil makes some without settings, which is
	// enough to check scripts.
	Plugins *Plugins
	// Stdout and Stderr are what extras://stdout writes to; nil: those of the
	// process.
	Stdout, Stderr io.Writer
	// Web is what requests by HTTP need besides.
	Web web.Options
	// Complain is told what a function does not tell its script; nil: nobody is.
	Complain func(error)
}

func (o Options) complain(err error) {
	if o.Complain != nil {
		o.Complain(err)
	}
}

// Modules are the modules as the scripts of one configuration find them. They are
// safe for concurrent use.
type Modules struct {
	options Options
	made    sync.Map // *value.Library by name
}

var _ resolve.Modules = (*Modules)(nil)

// New returns the modules.
func New(o Options) *Modules {
	if o.Plugins == nil {
		o.Plugins = mustPlugins()
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	return &Modules{options: o}
}

// libraries declare the modules by name.
var libraries = map[string]func(Options) *value.Library{
	"bounce-list":       bounceListLibrary,
	"bounce-normalizer": normalizerLibrary,
	"bounce-classifier": classifierLibrary,
	"telemetry":         telemetryLibrary,
	"tracking":          trackingLibrary,
	"milter":            milterLibrary,
	"clamav":            clamLibrary,
	"dlp":               dlpLibrary,
	"dovecot":           dovecotLibrary,
	"env":               envLibrary,
	"interfaces":        interfacesLibrary,
	"handlebars":        func(Options) *value.Library { return handlebars.Library() },
	"http-background":   backgroundLibrary,
	"http-bulk":         bulkLibrary,
	"ip-list":           ipListLibrary,
	"logger":            loggerLibrary,
	"proxytlv":          proxyTLVLibrary,
	"mta-sts":           mtaSTSLibrary,
	"tls-rpt":           tlsRPTLibrary,
	"rate":              rateLibrary,
	"sleep-background":  sleepLibrary,
	"spamassassin":      spamLibrary,
	"stdout":            stdoutLibrary,
	"suppression-list":  suppressionLibrary,
	"time-rfc2822":      timeLibrary,
	"ulid":              ulidLibrary,
}

func init() {
	for name, library := range stdlib.Modules() {
		libraries[name] = func(Options) *value.Library { return library }
	}
}

// aliases are other names of modules, mostly older ones.
var aliases = map[string]string{}

// elsewhere are names that are known and will not come: why, and what to do.
var elsewhere = map[string]string{}

// Module implements resolve.Modules.
func (m *Modules) Module(name string) *resolve.File {
	if real, ok := aliases[name]; ok {
		name = real
	}
	l := m.Library(name)
	if l == nil {
		return nil
	}
	return &resolve.File{Library: l}
}

// Library returns the module of that name, or nil.
func (m *Modules) Library(name string) *value.Library {
	declare := libraries[name]
	if declare == nil {
		return nil
	}
	if made, ok := m.made.Load(name); ok {
		return made.(*value.Library)
	}
	made, _ := m.made.LoadOrStore(name, declare(m.options))
	return made.(*value.Library)
}

// Modules implements resolve.Modules.
func (m *Modules) Modules() []string { return slices.Sorted(maps.Keys(libraries)) }

// Missing implements resolve.Modules.
func (m *Modules) Missing(name string) string { return strings.TrimSpace(elsewhere[name]) }

// library returns a module of functions and classes.
func library(builtins []*value.Builtin, classes ...*value.Class) *value.Library {
	return value.NewLibrary(nil, value.Declarations{Builtins: builtins, Classes: classes})
}
