package daemon

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
)

// Inherited are the sockets that the service manager opened for us (systemd
// socket activation), by the name of FileDescriptorName or by address. Each is
// taken once. It is not safe for concurrent use.
type Inherited struct{ listeners map[string][]net.Listener }

// InheritSockets takes the sockets that were passed to the process, if any.
func InheritSockets() (*Inherited, error) {
	byName, err := activation.ListenersWithNames()
	if err != nil {
		return nil, err
	}
	in := &Inherited{listeners: map[string][]net.Listener{}}
	for name, ls := range byName {
		if strings.HasSuffix(name, ".socket") {
			name = "" // the manager's default: the unit's name says nothing to us
		}
		in.listeners[name] = append(in.listeners[name], ls...)
	}
	return in, nil
}

// Take returns the inherited socket of that name, or one without a name that
// listens on that address, or nil.
func (in *Inherited) Take(name, address string) net.Listener {
	if ls := in.listeners[name]; name != "" && len(ls) > 0 {
		in.listeners[name] = ls[1:]
		return ls[0]
	}
	for i, l := range in.listeners[""] {
		if l != nil && l.Addr().String() == address {
			in.listeners[""][i] = nil
			return l
		}
	}
	return nil
}

// Leftover describes the sockets that nobody has taken: a client of one of them
// would wait in vain.
func (in *Inherited) Leftover() []string {
	var out []string
	for name, ls := range in.listeners {
		for _, l := range ls {
			if l != nil {
				out = append(out, fmt.Sprintf("%q on %s", name, l.Addr()))
			}
		}
	}
	slices.Sort(out)
	return out
}
