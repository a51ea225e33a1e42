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
	"os"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/array"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/charset"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/cipher"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/clock"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/codec"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/container"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/data"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/digest"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/directory"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/engine"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/ffi"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/file"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/kind"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/mailtext"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/memory"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/network"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/number"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/pattern"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/socket"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/system"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/text"
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
	if o.System.Hostname == "" {
		o.System.Hostname, _ = os.Hostname() // "" if the system will not say
	}
	if o.Web.Identities == nil {
		o.Web.Identities = o.Keys
	}
	builtins := slices.Concat(
		kind.Builtins(), text.Builtins(), array.Builtins(), number.Builtins(), digest.Builtins(), cipher.Builtins(o.Keys),
		certificate.Builtins(o.Keys), codec.Builtins(), data.Builtins(), clock.Builtins(), network.Builtins(), mailtext.Builtins(),
		pattern.Builtins(), memory.Builtins(), system.Builtins(o.System), web.Builtins(o.Web), engine.Builtins(o.Engine),
	)
	if o.Resolver != nil {
		builtins = append(builtins, network.Resolving(o.Resolver)...)
	}
	builtins = append(builtins, legacy(builtins)...)
	if o.Files != nil {
		builtins = append(builtins, file.Legacy(o.Files)...)
	}
	classes := slices.Concat(
		[]*value.Class{value.ExceptionClass, file.Class(o.Files), ffi.Class()},
		container.Classes(), charset.Classes(), certificate.Classes(), socket.Classes(o.Keys),
	)
	return value.NewLibrary(nil, value.Declarations{
		Builtins: builtins, Classes: classes, Loaders: loaders(), Pattern: pattern.Compile,
	})
}

// Modules returns the modules written in Go that scripts import from extras://,
// by name.
func Modules() map[string]*value.Library {
	return map[string]*value.Library{"ldap": directory.Library()}
}
