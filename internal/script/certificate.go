package script

import (
	"bytes"
	"crypto/x509"
	"errors"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/certificate"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// clientCertificate is what a client has shown: itself, those that lead to its
// issuer, and what is wrong with it.
func clientCertificate(all []*x509.Certificate) value.Value {
	if len(all) == 0 {
		return value.Undefined
	}
	chain := value.NewArray(len(all) - 1)
	for _, c := range all[1:] {
		chain.Append(value.FromResource(&certificate.Resource{Certificate: c}))
	}
	return record("x509", value.FromResource(&certificate.Resource{Certificate: all[0]}),
		"chain", value.FromArray(chain), "error", number(verifyCode(all)))
}

// Codes of OpenSSL's verification that scripts compare with.
const (
	verifyOK             = 0
	verifyNotYet         = 9  // X509_V_ERR_CERT_NOT_YET_VALID
	verifyExpired        = 10 // X509_V_ERR_CERT_HAS_EXPIRED
	verifySelfSigned     = 18 // X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
	verifySelfSignedRoot = 19 // X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
	verifyNoIssuer       = 20 // X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
	verifyPurpose        = 26 // X509_V_ERR_INVALID_PURPOSE
	verifyRejected       = 28 // X509_V_ERR_CERT_REJECTED
)

// verifyCode checks the certificate of a client against the authorities of the
// system.
func verifyCode(all []*x509.Certificate) int {
	o := x509.VerifyOptions{Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, c := range all[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := all[0].Verify(o)
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case err == nil:
		return verifyOK
	case errors.As(err, &unknown):
		return unknownIssuer(all)
	case errors.As(err, &invalid):
		return invalidCode(&invalid)
	}
	return verifyRejected
}

// unknownIssuer tells apart how an authority is not known.
func unknownIssuer(all []*x509.Certificate) int {
	last := all[len(all)-1]
	switch {
	case !bytes.Equal(last.RawIssuer, last.RawSubject):
		return verifyNoIssuer
	case len(all) == 1:
		return verifySelfSigned
	}
	return verifySelfSignedRoot
}

func invalidCode(err *x509.CertificateInvalidError) int {
	switch {
	case err.Reason == x509.Expired && time.Now().Before(err.Cert.NotBefore):
		return verifyNotYet
	case err.Reason == x509.Expired:
		return verifyExpired
	case err.Reason == x509.IncompatibleUsage:
		return verifyPurpose
	}
	return verifyRejected
}
