package session

import (
	"crypto/tls"
	"testing"
)

func TestProtocol(t *testing.T) {
	for version, want := range map[uint16]string{
		tls.VersionTLS10: "TLSv1", tls.VersionTLS11: "TLSv1.1", tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3",
	} {
		c := TLS{ConnectionState: tls.ConnectionState{Version: version}}
		if got := c.Protocol(); got != want {
			t.Errorf("%x: %s", version, got)
		}
	}
}
