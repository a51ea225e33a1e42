package smtpd

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/pki"
	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// completeCertificates joins the order of certificates with what only a running
// process has.
func (d *Daemon) completeCertificates(next *snapshot) {
	if next.needsDefault() {
		next.fallback.SelfSigned = d.selfSigned(next)
	}
}

// needsDefault reports whether anything may serve the default certificate.
func (c *snapshot) needsDefault() bool {
	for _, v := range c.running.Servers {
		if strings.HasPrefix(v.TLS.Certs.Cert, managedCert) {
			return true
		}
	}
	return strings.HasPrefix(c.running.Monitor.TLS.Certs.Cert, managedCert)
}

// selfSignedFile is beside what is obtained.
const selfSignedFile = "selfsigned.pem"

// selfSigned returns the certificate of last resort. One that cannot be kept
// serves as long as the process.
func (d *Daemon) selfSigned(next *snapshot) func() *tls.Certificate {
	dir := next.running.PKI.ACME.Storage.File
	if err := os.MkdirAll(dir, 0o750); err != nil {
		d.log.Warn("self-signed certificate: " + err.Error())
	}
	c, err := pki.LoadSelfSigned(vfs.OS, filepath.Join(dir, selfSignedFile), next.fallback.Hostname, time.Now())
	if err != nil {
		d.log.Warn(err.Error())
	}
	return func() *tls.Certificate { return c }
}
