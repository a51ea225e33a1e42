package smtpd

import (
	"fmt"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// unvalidated says what the modes with DANE do as long as no TLSA record is looked
// up.
var unvalidated = map[string]string{
	TLSDANE:                      "mail leaves as with " + TLSOptional + ", also to hosts that publish TLSA records",
	TLSDANERequire:               "all mail waits",
	TLSDANEFallbackRequireVerify: "mail leaves as with " + TLSRequireVerify,
}

// unvalidatedModes warns of transports that ask for DANE.
func (r *Running) unvalidatedModes() config.Warnings {
	var out config.Warnings
	for i, group := range r.TransportGroups {
		for j, t := range group.Transports {
			if what, ok := unvalidated[t.Session.TLS.Mode]; ok {
				out = append(out, r.document.Warnf(fmt.Sprintf("transportgroups[%d].transports[%d].session.tls.mode", i, j),
					"TLSA records are not looked up yet: with %s %s", t.Session.TLS.Mode, what))
			}
		}
	}
	return out
}
