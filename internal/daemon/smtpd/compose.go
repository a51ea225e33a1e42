package smtpd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/posthaste-mta/posthaste/internal/autosign"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/pki"
	"github.com/posthaste-mta/posthaste/internal/pki/acme"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/telemetry"
)

// snapshot is everything that a reload replaces, composed and checked. It is
// immutable.
type snapshot struct {
	running      *Running
	hostname     string
	certificates *pki.Store
	legacy       *tls.Certificate    // of pki.legacy.smtp, if any
	fallback     *pki.Default        // the server-default certificate
	monitor      *pki.Selector       // nil: the monitor names no certificate
	acme         *acme.Options       // of the certificate keeper
	faults       []error             // what refuses a reload and not a start
	plugins      func()              // puts the running settings of plug-ins in force
	authorities  []*x509.Certificate // of pki.public
	scripts      *script.Engine
	signing      autosign.Options // of dkim[]
	pools        *scriptPools     // nil: scripts are not going to run
	queue        *queue.Settings
	poolPolicy   delivery.PoolPolicy
	servers      map[string]*serverSettings
}

// compose turns the running configuration into options for the parts. It fails
// without having changed anything.
func compose(startup *Startup, r *Running, keys []pki.Key, host *scriptHost) (*snapshot, error) {
	hostname, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("host name: %w", err)
	}
	s := &snapshot{running: r, hostname: hostname, pools: host.pools, servers: map[string]*serverSettings{}}
	if err := s.composePKI(startup, keys); err != nil {
		return nil, err
	}
	if s.plugins, err = r.preparePlugins(host.plugins); err != nil {
		return nil, err
	}
	if s.queue, err = s.queueSettings(); err != nil {
		return nil, err
	}
	named := resources{running: r, certificates: s.certificates, transports: s.queue.Transports}
	if s.scripts, err = s.engine(startup, host, named); err != nil {
		return nil, err
	}
	if err := s.composeSigning(host); err != nil {
		return nil, err
	}
	if hooks := s.scripts.Queue(named, host.load); hooks != nil {
		s.queue.Hooks = hooks
	}
	if err := r.declare(new(telemetry.UserMetrics)); err != nil {
		return nil, err
	}
	if s.poolPolicy, err = delivery.ParsePoolPolicy(r.Queues.Pooling.Policy); err != nil {
		return nil, err
	}
	return s, s.composeServers(startup)
}

func (s *snapshot) composeServers(startup *Startup) error {
	var errs []error
	for _, v := range startup.Servers {
		running := s.running.serverByID(v.ID)
		if v.Type != ServerSMTP || running == nil {
			continue
		}
		composed, err := s.serverSettings(running)
		if err != nil {
			errs = append(errs, fmt.Errorf("server %q: %w", v.ID, err))
			continue
		}
		s.servers[v.ID] = composed
	}
	return errors.Join(errs...)
}

func entries(pairs []KeyPair) []pki.Entry {
	var out []pki.Entry
	for _, p := range pairs {
		out = append(out, pki.Entry{ID: p.ID, PrivateKey: p.PrivateKey, Certificate: p.Certificate})
	}
	return out
}

// Options composes those of the resolver.
func (r Resolver) Options() dns.Options {
	o := dns.Options{
		Timeout: r.Timeout, Retries: r.Retries, Concurrency: r.Concurrency,
		CacheSize: r.Cache.Size, DomainCacheSize: r.DomainCache.Size.Or(r.Cache.Size),
		MinTTL: r.Cache.TTL.Min, MaxTTL: r.Cache.TTL.Max, NegativeTTL: r.Cache.TTL.Negative.Value,
	}
	for _, u := range r.Servers {
		o.Servers = append(o.Servers, netip.AddrPort(u.AddrPort))
	}
	return o
}
