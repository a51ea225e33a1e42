package delivery

import (
	"net/netip"
	"testing"
)

// TestLocalFor: without configured addresses an entry still has the one that it
// will leave from, never none (spec operations.md 26.18).
func TestLocalFor(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	if got := LocalFor(netip.AddrPortFrom(loopback, 25)); got != loopback {
		t.Errorf("to loopback from %s", got)
	}
	c := New(nil, Options{}, Events{})
	d, out := c.Resolve(t.Context(), &Attempt{Transport: &Transport{Servers: []string{"127.0.0.1"}}})
	if out != nil || d.Local != loopback {
		t.Errorf("resolved to %+v, %+v", d, out)
	}
	d, out = c.Resolve(t.Context(), &Attempt{Transport: &Transport{
		Servers: []string{"127.0.0.1"}, Sources: []Source{{Addr: netip.MustParseAddr("127.0.0.2")}},
	}})
	if out != nil || d.Local.IsValid() {
		t.Errorf("with an address of its own resolved to %+v, %+v", d, out)
	}
}
