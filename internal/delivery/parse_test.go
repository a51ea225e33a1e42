package delivery_test

import (
	"crypto/tls"
	"slices"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/delivery"
)

func TestParseProtocols(t *testing.T) {
	const (
		v10, v11, v12, v13 = tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13
	)
	for s, want := range map[string][2]uint16{
		"":                                {0, 0},
		"!SSLv2,!SSLv3,!TLSv1,!TLSv1.1":   {v12, v13},
		"!SSLv2, !SSLv3":                  {v10, v13},
		"TLSv1.2":                         {v12, v12},
		"tlsv1.2,TLSV1.3":                 {v12, v13},
		"TLSv1,TLSv1.1,TLSv1.2,!TLSv1":    {v11, v12},
		"!TLSv1.3,!TLSv1,!TLSv1.1,!SSLv3": {v12, v12},
	} {
		lowest, highest, err := delivery.ParseProtocols(s)
		if err != nil || lowest != want[0] || highest != want[1] {
			t.Errorf("%q: %x %x %v", s, lowest, highest, err)
		}
	}
	for _, s := range []string{"TLSv1.4", "!", "SSLv3", "TLSv1,TLSv1.2", "!TLSv1.1", "TLSv1.2 TLSv1.3"} {
		if lowest, highest, err := delivery.ParseProtocols(s); err == nil {
			t.Errorf("%q: %x %x", s, lowest, highest)
		}
	}
}

func TestParseCiphers(t *testing.T) {
	want := []uint16{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
	}
	for _, s := range []string{
		"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:AES256-SHA:TLS_AES_128_GCM_SHA256:DES-CBC3-SHA",
		"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, ecdhe-ecdsa-chacha20-poly1305 TLS_RSA_WITH_AES_256_CBC_SHA,TLS_AES_128_GCM_SHA256,DES-CBC3-SHA",
	} {
		if got, err := delivery.ParseCiphers(s); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %x %v", s, got, err)
		}
	}
	if got, err := delivery.ParseCiphers("HIGH:!aNULL"); err == nil {
		t.Errorf("%x", got)
	}
}

// What is printed can be read back, and only that.
func TestNames(t *testing.T) {
	for s := delivery.StageResolve; s <= delivery.StageQUIT; s++ {
		if got, err := delivery.ParseStage(s.String()); err != nil || got != s {
			t.Errorf("stage %s: %v %v", s, got, err)
		}
	}
	for m := delivery.TLSOptional; m <= delivery.TLSDANEFallbackRequireVerify; m++ {
		if got, err := delivery.ParseTLSMode(m.String()); err != nil || got != m {
			t.Errorf("mode %s: %v %v", m, got, err)
		}
	}
	for p := delivery.PoolByRemoteMX; p <= delivery.PoolByGrouping; p++ {
		if got, err := delivery.ParsePoolPolicy(p.String()); err != nil || got != p {
			t.Errorf("policy %s: %v %v", p, got, err)
		}
	}
	for _, s := range []string{"", "Optional", "EHL", "0"} {
		if _, err := delivery.ParseStage(s); err == nil {
			t.Errorf("stage %q", s)
		}
		if _, err := delivery.ParseTLSMode(s); err == nil {
			t.Errorf("mode %q", s)
		}
		if _, err := delivery.ParsePoolPolicy(s); err == nil {
			t.Errorf("policy %q", s)
		}
	}
	for got, want := range map[string]string{
		delivery.Deferred.String(): "deferred", delivery.StageAuthCRAMMD5.String(): "AUTH-CRAM-MD5",
		delivery.StageAuthLoginUser.String(): "AUTH-LOGIN-USER", delivery.KindDANE.String(): "dane",
		delivery.DNSIPFamily.String(): "ipfamily", delivery.LMTP.String(): "lmtp", delivery.Stage(99).String(): "99",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
