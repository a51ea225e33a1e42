// Package stdlib is the standard library of HSL: what scripts can call without
// any mail system around them.
//
// Each theme is a package below this one that declares its builtins in a table,
// with the texts from which the reference page is made and an example that a
// test runs. New joins the tables to a value.Library. What a theme needs of the
// world, such as answers of the DNS or files, it takes as an interface from
// Options; functions whose Options are missing are not declared at all, so that
// a script that needs them does not compile.
//
// Functions never trust the sizes that scripts ask for. What grows is charged to
// the thread before it is made, loops count steps, and whatever waits ends with
// the context of the thread.
package stdlib

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/directory"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/engine"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/file"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/network"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/pattern"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/system"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/web"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Options are what the library needs of the program around it. All are
// optional.
type Options struct {
	// System is what scripts learn of the host, whose own name is taken when
	// there is none, and their way to the system log.
	System system.Options
	// Files are what the class File opens.
	Files file.Store
	// Keys are the certificates and private keys that scripts name.
	Keys certificate.Keyring
	// Resolver answers dns_query.
	Resolver network.Resolver
	// Web is what http needs besides.
	Web web.Options
	// Engine are the parts of the program that scripts may steer.
	Engine engine.Options
}

// New returns the library. It is immutable and safe for concurrent use; a
// program with new Options makes a new one.
func New(o Options) *value.Library {
	var builtins []*value.Builtin
	var classes []*value.Class
	for _, t := range Themes(o) {
		builtins = append(builtins, t.Builtins...)
		classes = append(classes, t.Classes...)
	}
	builtins = append(builtins, Legacy(o, builtins)...)
	return value.NewLibrary(nil, value.Declarations{
		Builtins: builtins, Classes: classes, Loaders: loaders(), Pattern: pattern.Compile,
	})
}

// Modules returns the modules written in Go that scripts import from extras://,
// by name.
func Modules() map[string]*value.Library {
	return map[string]*value.Library{"ldap": directory.Library()}
}
