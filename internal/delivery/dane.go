package delivery

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/posthaste-mta/posthaste/internal/dane"
)

// errDANE is a host that does not match its TLSA records.
var errDANE = errors.New("delivery: DANE")

// lookUpTLSA finds out what TLSA records demand of the host of a route. A host
// whose records cannot be found out is not connected to: that may be what an
// attacker wants (RFC 7672 §2.2).
func (c *Courier) lookUpTLSA(ctx context.Context, r *route) *Outcome {
	resolver, ok := c.resolver.(dane.Resolver)
	if !ok || !r.TLS.Mode.dane() {
		return nil
	}
	if r.host.Name == "" { // an address has no records
		r.tlsa = new(dane.Policy)
		return nil
	}
	p, err := dane.Lookup(ctx, resolver, r.host.Name, r.host.Addr.Port(), r.host.SecureName)
	if err != nil {
		out := verdict(StageSTARTTLS, KindDANE, codeTLS, "the TLSA records of "+r.host.Name+" cannot be looked up", err)
		out.Connection = r.describe()
		out.Connection.TLS.Unvalidated, out.Connection.TLS.Report = true, reportBogus
		return out
	}
	r.tlsa = p
	return nil
}

// byDANE reports whether the host must match its TLSA records.
func (r *route) byDANE() bool { return r.tlsa != nil && r.tlsa.Level == dane.Authenticate }

// mode is the policy for this host: one with DANE becomes what it means for the
// records that the host has.
func (r *route) mode() TLSMode {
	switch mode := r.TLS.Mode; {
	case !mode.dane():
		return mode
	case r.byDANE():
		return TLSRequire
	case mode == TLSDANE && r.tlsa != nil && r.tlsa.Level == dane.Encrypt:
		return TLSRequire
	case mode == TLSDANE:
		return TLSOptional
	case mode == TLSDANEFallbackRequireVerify:
		// Also with records none of which can be used: encryption alone, which RFC
		// 7672 §2.2 asks for then, would undo the policy that this mode stands in
		// for (RFC 8461 §2).
		return TLSRequireVerify
	}
	return TLSDANERequire
}

// withoutDANE is the result type for a host that has no usable records where the
// policy demands them.
func (r *route) withoutDANE() string {
	if r.tlsa != nil && r.tlsa.Level == dane.Encrypt {
		return reportNoTLSA
	}
	return reportNoDANE
}

// describeDANE notes what is known of the records of the host.
func (c *client) describeDANE() {
	c.info.TLS.Unvalidated = c.TLS.Mode.dane() && c.tlsa == nil
	if c.tlsa != nil {
		c.info.TLS.TLSA = c.tlsa.Records
	}
}

// daneConfig is the TLS configuration for a host that must match its records: no
// public authority is asked, and the name that is sent is the one that the
// records stand at (RFC 7672 §8.1).
func (c *client) daneConfig(a *Attempt) *tls.Config {
	cfg := c.profile.tls.Clone()
	cfg.ServerName = c.tlsa.Base
	policy, names := c.tlsa, []string{c.tlsa.Base, c.host.Name, a.Recipient.Domain}
	cfg.VerifyConnection = func(s tls.ConnectionState) error {
		if err := policy.Verify(s.PeerCertificates, names, time.Now()); err != nil {
			return fmt.Errorf("%w: %w", errDANE, err)
		}
		return nil
	}
	return cfg
}
