package handshake

import (
	"crypto/tls"
	"slices"
	"testing"
)

func TestProtocols(t *testing.T) {
	for list, want := range map[string][2]uint16{
		"":                     {tls.VersionTLS12, tls.VersionTLS13},
		"!SSLv2,!SSLv3":        {tls.VersionTLS10, tls.VersionTLS13},
		"TLSv1.2":              {tls.VersionTLS12, tls.VersionTLS12},
		"TLSv1.2, TLSv1.3":     {tls.VersionTLS12, tls.VersionTLS13},
		"TLSv1,TLSv1.2,!TLSv1": {tls.VersionTLS12, tls.VersionTLS12},
		"!TLSv1.3,!TLSv1":      {tls.VersionTLS11, tls.VersionTLS12},
		"SSLv3,TLSv1.1":        {tls.VersionTLS11, tls.VersionTLS11},
	} {
		low, high, err := parseProtocols(list)
		if err != nil || [2]uint16{low, high} != want {
			t.Errorf("%q: %x to %x, %v", list, low, high, err)
		}
	}
	for _, list := range []string{"SSLv3", "TLSv2", "TLSv1.2,,", "TLSv1.2,!TLSv1.2"} {
		if _, err := (Terms{Protocols: list}).Config(); err == nil {
			t.Errorf("%q is taken", list)
		}
	}
}

func TestCiphers(t *testing.T) {
	want := []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_CBC_SHA}
	if got := parseCiphers("ECDHE-RSA-AES128-GCM-SHA256:!aNULL:AES256-SHA"); !slices.Equal(got, want) {
		t.Errorf("got %x", got)
	}
	if got := parseCiphers("HIGH:!aNULL"); got != nil {
		t.Errorf("got %x", got)
	}
}

func TestVerify(t *testing.T) {
	if err := (Terms{}).Verify(tls.ConnectionState{}); err != nil {
		t.Error(err)
	}
	if err := (Terms{VerifyNames: []string{"a"}}).Verify(tls.ConnectionState{}); err == nil {
		t.Error("a peer without a certificate has a name")
	}
}
