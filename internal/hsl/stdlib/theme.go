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

// Theme is a part of the library, as the reference is parted.
type Theme struct {
	Title    string
	Builtins []*value.Builtin
	Classes  []*value.Class
}

// Themes returns the library by theme, without the names of older versions.
func Themes(o Options) []Theme {
	if o.System.Hostname == "" {
		o.System.Hostname, _ = os.Hostname() // "" if the system will not say
	}
	if o.Web.Identities == nil {
		o.Web.Identities = o.Keys
	}
	domains := network.Builtins()
	if o.Resolver != nil {
		domains = append(domains, network.Resolving(o.Resolver)...)
	}
	return []Theme{
		{"Arrays", array.Builtins(), nil},
		{"Certificates and signed messages", certificate.Builtins(o.Keys), certificate.Classes()},
		{"Character sets", nil, charset.Classes()},
		{"Cryptography", slices.Concat(digest.Builtins(), cipher.Builtins(o.Keys)), nil},
		{"Data types", kind.Builtins(), []*value.Class{value.ExceptionClass}},
		{"Date and time", clock.Builtins(), nil},
		{"Domains and addresses", domains, nil},
		{"Encodings", slices.Concat(codec.Builtins(), data.Builtins()), nil},
		{"Files", nil, []*value.Class{file.Class(o.Files)}},
		{"Foreign functions", nil, []*value.Class{ffi.Class()}},
		{"HTTP", web.Builtins(o.Web), nil},
		{"Mail", mailtext.Builtins(), nil},
		{"Mathematics", number.Builtins(), nil},
		{"Queue, servers and metrics", engine.Builtins(o.Engine), nil},
		{"Regular expressions", pattern.Builtins(), nil},
		{"Shared memory and containers", memory.Builtins(), container.Classes()},
		{"Sockets", nil, socket.Classes(o.Keys)},
		{"Strings", text.Builtins(), nil},
		{"System", system.Builtins(o.System), nil},
	}
}

// Legacy returns the names of older versions for the functions of today.
func Legacy(o Options, today []*value.Builtin) []*value.Builtin {
	old := legacy(today)
	if o.Files != nil {
		old = append(old, file.Legacy(o.Files)...)
	}
	return old
}
