package smtpd

import (
	"net/netip"
	"strings"
	"testing"
)

// Addresses that transports bind and the host lacks are named when the
// configuration loads; those of a proxy, and those that may be lacking, are not.
func TestAbsentSources(t *testing.T) {
	files := newArrivalFiles(t)
	has := func(a netip.Addr) bool { return a == netip.MustParseAddr("192.0.2.1") }
	for text, want := range map[string]string{
		"connection: { sourceip: { addresses: [192.0.2.1] } }":                                                 "",
		"connection: { sourceip: { addresses: [192.0.2.1, 192.0.2.7] } }":                                      "transportgroups[0].transports[0].connection.sourceip.addresses[1]: this host does not have the address 192.0.2.7",
		"connection: { sourceip: { nonlocal: true, addresses: [192.0.2.7] } }":                                 "",
		"connection: { sourceip: { addresses: [192.0.2.7] }, proxyprotocol: { server: 192.0.2.8, port: 25 } }": "",
	} {
		for _, c := range files.place(arrival{path: "transportgroups[].connection", text: text}) {
			got := strings.Join(files.compose(t, c).running.absentSources(has).Lines(), "\n")
			if (got == "") != (want == "") || !strings.Contains(got, want) {
				t.Errorf("%s: %q", text, got)
			}
		}
	}
	for a, want := range map[string]bool{"127.0.0.1": true, "192.0.2.7": false} {
		if got := hasAddress(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s is here: %t", a, got)
		}
	}
}
