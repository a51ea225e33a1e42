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
	"slices"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/array"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/clock"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/codec"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/data"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/digest"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/kind"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/network"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/number"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/text"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Options are what the library needs of the program around it. All are
// optional.
type Options struct {
	// Resolver answers dns_query.
	Resolver network.Resolver
}

// New returns the library. It is immutable and safe for concurrent use; a
// program with new Options makes a new one.
func New(o Options) *value.Library {
	builtins := slices.Concat(
		kind.Builtins(), text.Builtins(), array.Builtins(), number.Builtins(), digest.Builtins(),
		codec.Builtins(), data.Builtins(), clock.Builtins(), network.Builtins(),
	)
	if o.Resolver != nil {
		builtins = append(builtins, network.Resolving(o.Resolver)...)
	}
	return value.NewLibrary(nil, value.Declarations{
		Builtins: builtins,
		Classes:  []*value.Class{value.ExceptionClass},
	})
}
