package smtpd

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/pki"
	"github.com/posthaste-mta/posthaste/internal/pki/acme"
)

// acmeOptions composes those of the certificate keeper, without the parts that
// only a running process has.
func (c *snapshot) acmeOptions() (*acme.Options, error) {
	a := &c.running.PKI.ACME
	o := &acme.Options{
		Agreed: a.AgreeTOS, Email: a.Email, Profile: a.Profile, Challenges: a.Challenges,
		KeyType: acme.KeyType(a.KeyType), RenewBefore: a.RenewBefore, ARI: a.ARI,
		Intervals: a.Retry.Intervals, Concurrency: a.Concurrency, Hooks: c.running.PKI.Hooks.options(),
		Check: acme.Check{
			Mode: acme.CheckMode(a.SelfCheck.Mode), Connect: a.SelfCheck.Connect,
			Timeout: a.SelfCheck.Timeout, AllowPrivate: a.SelfCheck.AllowPrivate,
		},
	}
	var errs []error
	o.Wants, errs = acme.MergeWants(c.wants())
	hostname, _ := acme.CanonicalName(c.fallback.Hostname) // what is wrong with it is among errs
	o.ReuseKey = func(name string) bool { return a.ReuseKey.Or(name == hostname) }
	for _, authority := range append([]ACMEAuthority{{a.Directory, a.Roots, a.EAB}}, a.Fallback...) {
		composed, err := authority.options()
		o.Authorities, errs = append(o.Authorities, composed), append(errs, err)
	}
	for _, x := range c.running.PKI.Exports {
		composed, err := x.options()
		o.Exports, errs = append(o.Exports, composed), append(errs, err)
	}
	return o, errors.Join(errs...)
}

// wants lists the names that are to have a certificate, in the order of listings
// (spec tls.md 4).
func (c *snapshot) wants() (all []acme.Want) {
	p := &c.running.PKI
	add := func(name, use string) { all = append(all, acme.Want{Name: name, UsedBy: []string{use}}) }
	// The system's own name is often none that an authority knows.
	_, err := acme.CanonicalName(c.fallback.Hostname)
	if p.Default.Hostname != "" || err == nil && strings.Contains(c.fallback.Hostname, ".") {
		w := acme.Want{Name: c.fallback.Hostname, UsedBy: []string{"pki.default.hostname"}}
		if len(c.fallback.Files) > 0 {
			w.Manual, w.Until = true, c.fallback.Files[0].Leaf.NotAfter
		}
		all = append(all, w)
	}
	for _, name := range p.Default.ACME {
		add(name, "pki.default.acme")
	}
	for _, name := range p.ACME.Names {
		add(name, "pki.acme.names")
	}
	refer := func(id, use string) {
		if name, managed := strings.CutPrefix(id, managedCert); managed && id != defaultCert {
			add(name, use)
		}
	}
	for _, v := range c.running.Servers {
		use := fmt.Sprintf("servers[%q].tls.certs", v.ID)
		refer(v.TLS.Certs.Cert, use)
		for _, n := range v.TLS.Certs.SNI {
			refer(n.Cert, use)
		}
	}
	refer(c.running.Monitor.TLS.Certs.Cert, "monitor.tls.certs")
	return all
}

// directories are names for those that everybody uses.
var directories = map[string]string{"production": acme.Production, "staging": acme.Staging}

func (a ACMEAuthority) options() (acme.Authority, error) {
	out := acme.Authority{Directory: a.Directory}
	if url := directories[a.Directory]; url != "" {
		out.Directory = url
	}
	if !strings.HasPrefix(out.Directory, "https://") {
		return out, fmt.Errorf("pki.acme.directory: %q is no https URL", a.Directory)
	}
	if a.EAB.KID != "" {
		out.Binding = &acme.Binding{KeyID: a.EAB.KID, HMACKey: a.EAB.HMACKey}
	}
	if a.Roots == "" {
		return out, nil
	}
	roots, err := pki.ReadAuthorities(config.Source{Path: a.Roots})
	if err != nil {
		return out, fmt.Errorf("pki.acme.roots: %w", err)
	}
	out.Roots = x509.NewCertPool()
	for _, c := range roots {
		out.Roots.AddCert(c)
	}
	return out, nil
}

func (h *CertHooks) options() acme.Hooks {
	convert := func(all []CertHook) (out []acme.Hook) {
		for _, one := range all {
			out = append(out, acme.Hook(one))
		}
		return out
	}
	return acme.Hooks{Deploy: convert(h.Deploy), Failure: convert(h.Failure), Expiry: convert(h.Expiry)}
}

func (x *CertExport) options() (acme.Export, error) {
	out := acme.Export{
		ID: x.ID, Type: acme.ExportType(x.Type), Path: x.Path, Pair: x.Format == "pair", RuntimeAPI: x.RuntimeAPI,
		UID: -1, GID: -1, Mode: fs.FileMode(x.Mode),
	}
	switch {
	case x.RuntimeAPI != "" && (x.Type != string(acme.ExportHAProxy) || out.Pair):
		// HAProxy before 2.9 cannot replace NAME.crt (spec tls.md 14.1, TLS-43).
		return out, fmt.Errorf("pki.exports %q: runtimeapi needs the type haproxy and the format pem", x.ID)
	case x.Type != string(acme.ExportHAProxy) && !strings.Contains(x.Path, "{name}"):
		return out, fmt.Errorf("pki.exports %q: the path of type %s must hold {name}", x.ID, x.Type)
	}
	if x.Owner != "" {
		id, err := daemon.LookupIdentity(x.Owner, "")
		if err != nil {
			return out, fmt.Errorf("pki.exports %q: %w", x.ID, err)
		}
		out.UID = id.UID
	}
	if x.Group != "" {
		gid, err := daemon.LookupGroup(x.Group)
		if err != nil {
			return out, fmt.Errorf("pki.exports %q: %w", x.ID, err)
		}
		out.GID = gid
	}
	return out, nil
}

// publisher composes what publishes records for dns-01; nil where nothing is
// configured.
func (a *ACMEDNS) publisher(r acme.Resolver) acme.Publisher {
	switch {
	case a.Update.Set:
		u := a.Update.Value
		return &acme.Updated{
			Updater:  &dns.Updater{Server: u.Server.AddrPort, Zone: u.Zone, KeyName: u.KeyName, Algorithm: u.Algorithm, Secret: u.Secret},
			Resolver: r, Wait: a.Wait,
		}
	case a.Program != "":
		return &acme.Program{Path: a.Program, Resolver: r, Wait: a.Wait}
	}
	return nil
}

// checkResolver composes the options of the DNS as the self-check sees it: the MTA's own without its
// cache, which may hold what was there before a customer changed it.
func (r *Running) checkResolver() dns.Options {
	o := r.Resolver.Options()
	o.CacheSize, o.DomainCacheSize = 0, 0
	if s := r.PKI.ACME.SelfCheck.Resolver; s.Set {
		o.Servers = append(o.Servers[:0:0], s.Value.AddrPort)
	}
	if o.Timeout == 0 || o.Timeout > 5*time.Second {
		o.Timeout = 5 * time.Second
	}
	return o
}

// hasCertificates reports whether a folder holds what was obtained before.
func hasCertificates(dir string) bool {
	_, err := os.Stat(dir + "/certs")
	return err == nil
}
