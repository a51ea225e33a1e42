package extra_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// issueMark makes an authority and a certificate of it with a logo for a domain,
// both in PEM.
func issueMark(t *testing.T, domain string) (authority, leaf string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	logo, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassUniversal, Tag: asn1.TagIA5String, Bytes: []byte("data:image/svg+xml;base64,PHN2Zy8+")}})
	if err != nil {
		t.Fatal(err)
	}
	mark := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: root.Subject, NotBefore: root.NotBefore, NotAfter: root.NotAfter, DNSNames: []string{domain},
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 31}},
		ExtraExtensions:    []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 12}, Value: logo}},
	}
	sign := func(c *x509.Certificate) string {
		der, err := x509.CreateCertificate(rand.Reader, c, root, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	return sign(root), sign(mark)
}

// served is the function http of a web that has one text.
func served(text string) *value.Builtin {
	return declare.Function("http(string url, [array options]) string or none", "Returns the text.", "",
		func(*value.Call) (value.Value, error) { return value.String(text), nil })
}
