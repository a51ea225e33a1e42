package smtpd

// noEmail registers with an authority without a contact.
const noEmail = "none"

// checkPKI looks at what the parts of pki need of each other.
func (c *runningCheck) checkPKI() {
	d := c.running.PKI.Default
	switch {
	case d.Certificate.IsZero() == d.PrivateKey.IsZero():
	case d.PrivateKey.IsZero():
		c.errorf("pki.default.certificate", "needs pki.default.privatekey")
	default:
		c.errorf("pki.default.privatekey", "needs pki.default.certificate")
	}
	// Half a consent is a mistake, not a silent no (spec tls.md 3.2, TLS-02).
	if a := c.running.PKI.ACME; a.AgreeTOS && a.Email == "" {
		c.errorf("pki.acme.agreetos", "needs pki.acme.email; %q registers without one", noEmail)
	}
}
