package smtpd

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/pki"
)

// defaultCert refers to the server-default certificate.
const defaultCert = managedCert + "default"

// composePKI reads keys and certificates. keys are those of the startup file.
func (c *snapshot) composePKI(startup *Startup, keys []pki.Key) error {
	running := c.running.PKI
	more, err := pki.ReadKeys(entries(running.Private))
	if err != nil {
		return err
	}
	pairs := append(entries(startup.PKI.Private), entries(running.Private)...)
	if c.certificates, err = pki.NewStore(append(keys, more...), pairs); err != nil {
		return err
	}
	for _, anchor := range running.Public {
		all, err := pki.ReadAuthorities(anchor.Certificate)
		if err != nil {
			return fmt.Errorf("pki.public %q: %w", anchor.ID, err)
		}
		c.authorities = append(c.authorities, all...)
	}
	if legacy := running.Legacy.SMTP; !legacy.IsZero() {
		if c.legacy, err = pki.ReadPair("pki.legacy.smtp", legacy, legacy); err != nil {
			return err
		}
	}
	c.fallback = c.composeDefault()
	if c.acme, err = c.acmeOptions(); err != nil {
		return err
	}
	if id := c.running.Monitor.TLS.Certs.Cert; id != "" {
		c.monitor = &pki.Selector{Default: c.fallback}
		return c.own(c.monitor, id)
	}
	return nil
}

// composeDefault makes the order of the default certificate, without what only
// a running process has. Files that cannot be used are no reason not to start:
// there are further certificates (spec tls.md 5.2, TLS-11).
func (c *snapshot) composeDefault() *pki.Default {
	d := &c.running.PKI.Default
	out := &pki.Default{Generate: d.ACME, Hostname: c.hostname}
	if d.Hostname != "" {
		out.Hostname = d.Hostname
	}
	if d.Certificate.IsZero() {
		return out
	}
	pair, err := pki.ReadPair("pki.default", d.PrivateKey, d.Certificate)
	if err != nil {
		c.faults = append(c.faults, err)
		return out
	}
	out.Files = []*tls.Certificate{pair}
	return out
}

// unfit says what is wrong with the certificates that is no reason not to
// start, and is one not to reload: what serves is better. It is nil when next
// is as good as what serves.
func (c *snapshot) unfit(serves *snapshot) error {
	return errors.Join(append(slices.Clone(c.faults), c.certificates.CheckDates(time.Now(), serves.certificates))...)
}

// certificateWarnings is the same for a start, and what an operator should
// know besides.
func (c *snapshot) certificateWarnings() (lines []string) {
	for _, err := range c.faults {
		lines = append(lines, err.Error())
	}
	if c.legacy != nil {
		lines = append(lines, "pki.legacy.smtp: move this certificate to pki.default or pki.private; the old file wins over both for SMTP")
	}
	return append(lines, c.certificates.Outdated(time.Now())...)
}

// selector composes who gets which certificate from a server; nil where it
// speaks no TLS.
func (c *snapshot) selector(t ServerCerts) (*pki.Selector, error) {
	if t.Cert == "" {
		return nil, nil
	}
	s := &pki.Selector{Default: c.fallback}
	if c.legacy != nil {
		s.Legacy = []*tls.Certificate{c.legacy}
	}
	for _, n := range t.SNI {
		if name, managed := strings.CutPrefix(n.Cert, managedCert); managed {
			s.AddAlias(n.Hostname, c.obtainedName(name))
			continue
		}
		pair, err := c.certificates.Certificate(n.Cert)
		if err != nil {
			return nil, err
		}
		s.Add(n.Hostname, pair)
	}
	return s, c.own(s, t.Cert)
}

// obtainedName is the name behind an id that begins with managedCert.
func (c *snapshot) obtainedName(name string) string {
	if managedCert+name == defaultCert {
		return c.fallback.Hostname
	}
	return name
}

// own sets the certificate of the listener itself.
func (c *snapshot) own(s *pki.Selector, id string) error {
	if name, managed := strings.CutPrefix(id, managedCert); managed {
		if id != defaultCert {
			s.OwnName = name
		}
		return nil
	}
	pair, err := c.certificates.Certificate(id)
	if err != nil {
		return err
	}
	s.Own = []*tls.Certificate{pair}
	return nil
}
