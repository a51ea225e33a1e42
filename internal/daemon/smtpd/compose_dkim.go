package smtpd

import (
	"crypto"
	"errors"
	"fmt"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/autosign"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// signer returns what signs with a key, which is pki:ID or a PEM.
func (c *snapshot) signer(text string, o dkim.Options) (*dkim.Signer, error) {
	var key crypto.Signer
	if id, ok := strings.CutPrefix(text, pkiKey); ok {
		if key = (keyring{c.certificates}).PrivateKey(id); key == nil {
			return nil, fmt.Errorf("%q is not a private key for signatures", id)
		}
	} else {
		var err error
		if key, err = dkim.ParsePrivateKey([]byte(text)); err != nil {
			return nil, err
		}
	}
	return dkim.NewSigner(key, o)
}

// signed puts the signatures of dkim[] on what the hooks queue.
func (c *snapshot) signed(h session.Hooks) session.Hooks {
	return autosign.Wrap(h, c.signing)
}

// composeSigning prepares the signatures of dkim[].
func (c *snapshot) composeSigning(host *scriptHost) error {
	var errs []error
	o := autosign.Options{Signers: map[string][]*dkim.Signer{}, Pool: host.signing, Failed: func(transaction string, err error) {
		if host.events.Failed != nil {
			host.events.Failed(session.PhaseEndOfData.String(), "dkim", transaction, err.Error())
		}
	}}
	if o.Pool == nil {
		o.Pool = dkim.NewPool(0)
	}
	for i, d := range c.running.DKIM {
		s, err := c.signer(d.Key, dkim.Options{Selector: d.Selector, Domain: d.Domain, Oversign: d.Headers.Oversign})
		if err != nil {
			errs = append(errs, fmt.Errorf("dkim[%d]: %w", i, err))
			continue
		}
		domain := address.FoldDomain(d.Domain)
		o.Signers[domain] = append(o.Signers[domain], s)
	}
	c.signing = o
	return errors.Join(errs...)
}
