package smtpd

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// The checks of this file are those that a schema cannot make: whether what one
// part of the configuration refers to exists in another (spec config.md 18).

// managedCert begins the ids of certificates that are obtained rather than
// configured, and pkiKey a reference to a private key.
const (
	managedCert = "acme:"
	pkiKey      = "pki:"
)

// checks gathers what is wrong with one file.
type checks struct {
	doc      *config.Document
	errors   config.Errors
	warnings config.Warnings
}

func (c *checks) errorf(path, format string, args ...any) {
	c.errors = append(c.errors, c.doc.Errorf(path, format, args...))
}

func (c *checks) warnf(path, format string, args ...any) {
	c.warnings = append(c.warnings, c.doc.Warnf(path, format, args...))
}

func checkStartup(s *Startup) error {
	c := checks{doc: s.document}
	for i, server := range s.Servers {
		path := fmt.Sprintf("servers[%d]", i)
		c.checkListeners(path, server)
		if server.Threads.Script.Set {
			c.checkPool(path+".threads.script", server.Threads.Script.Value, s)
		}
	}
	if pool := s.Queues.Threads.Script; pool.Set {
		c.checkPool("queues.threads.script", pool.Value, s)
	}
	return c.errors.Err()
}

func (c *checks) checkListeners(path string, server StartupServer) {
	count := len(server.Listeners)
	switch server.Type {
	case ServerPlugin:
		if count > 0 {
			c.errorf(path+".listeners", "a server of type plugin has no listeners")
		}
	case ServerHTTP, ServerHTTPS:
		if count != 1 {
			c.errorf(path+".listeners", "a server of type %s has exactly one listener, got %d", server.Type, count)
		}
	}
}

func (c *checks) checkPool(path string, pool ScriptPool, s *Startup) {
	known := func(t ThreadPool) bool { return t.ID == pool.ID }
	switch pool.ID {
	case "", DefaultPool, QueuesPool:
		return
	}
	if !slices.ContainsFunc(s.Threads.Scripts, known) {
		c.errorf(path, "no pool %q in threads.scripts", pool.ID)
	}
}

// runningCheck checks smtpd-app.yaml against the startup file.
type runningCheck struct {
	checks
	startup    *Startup
	running    *Running
	transports map[string]bool
	addresses  map[string]bool
	keys       map[string]*KeyPair
}

func checkRunning(startup *Startup, r *Running) (config.Warnings, error) {
	c := &runningCheck{checks: checks{doc: r.document}, startup: startup, running: r}
	c.index()
	c.checkServers()
	for i, group := range r.TransportGroups {
		for j, t := range group.Transports {
			c.checkTransport(fmt.Sprintf("transportgroups[%d].transports[%d]", i, j), t)
		}
	}
	c.checkPKI()
	c.checkMonitor()
	c.checkQueues()
	c.checkLists()
	for i, key := range r.DKIM {
		c.checkKey(fmt.Sprintf("dkim[%d].key", i), key.Key)
	}
	if ttl := r.Resolver.Cache.TTL; ttl.Min > ttl.Max {
		c.errorf("resolver.cache.ttl.min", "greater than the maximum, %s", config.FormatDuration(ttl.Max))
	}
	return c.warnings, c.errors.Err()
}

// index collects the ids that others refer to.
func (c *runningCheck) index() {
	c.transports, c.addresses, c.keys = map[string]bool{}, map[string]bool{}, map[string]*KeyPair{}
	for i, group := range c.running.TransportGroups {
		for j, t := range group.Transports {
			if c.transports[t.ID] {
				c.errorf(fmt.Sprintf("transportgroups[%d].transports[%d].id", i, j),
					"duplicate id %q; transports are told apart over all groups", t.ID)
			}
			c.transports[t.ID] = true
		}
	}
	for _, a := range c.running.Addresses {
		c.addresses[a.ID] = true
	}
	for _, pair := range slices.Concat(c.startup.PKI.Private, c.running.PKI.Private) {
		joined := c.keys[pair.ID]
		if joined == nil {
			joined = &KeyPair{ID: pair.ID}
			c.keys[pair.ID] = joined
		}
		if !pair.PrivateKey.IsZero() {
			joined.PrivateKey = pair.PrivateKey
		}
		if !pair.Certificate.IsZero() {
			joined.Certificate = pair.Certificate
		}
	}
}

func (c *runningCheck) checkServers() {
	for i, server := range c.running.Servers {
		path := fmt.Sprintf("servers[%d]", i)
		started := c.startupServer(server.ID)
		if started == nil {
			c.errorf(path+".id", "no server %q in %s", server.ID, c.startup.Path)
			continue
		}
		if started.Type != server.Type {
			c.errorf(path+".type", "%s here, %s in %s", server.Type, started.Type, c.startup.Path)
		}
		c.checkServer(path, server, started)
	}
	for _, started := range c.startup.Servers {
		has := func(s Server) bool { return s.ID == started.ID }
		if started.Type == ServerSMTP && !slices.ContainsFunc(c.running.Servers, has) {
			c.errorf("servers", "no server %q, which %s starts", started.ID, c.startup.Path)
		}
	}
}

func (c *runningCheck) startupServer(id string) *StartupServer {
	for i := range c.startup.Servers {
		if c.startup.Servers[i].ID == id {
			return &c.startup.Servers[i]
		}
	}
	return nil
}

func (c *runningCheck) checkServer(path string, server Server, started *StartupServer) {
	c.checkTransportID(path+".transport", server.Transport)
	c.checkCert(path+".tls.certs.cert", server.TLS.Certs.Cert)
	for i, sni := range server.TLS.Certs.SNI {
		c.checkCert(fmt.Sprintf("%s.tls.certs.sni[%d].cert", path, i), sni.Cert)
	}
	if server.Type == ServerHTTPS && server.TLS.Certs.Cert == "" {
		c.errorf(path, "a server of type https needs tls.certs.cert")
	}
	for i, id := range server.TLS.Implicit.Listeners {
		named := func(l Listener) bool { return l.ID == id }
		if !slices.ContainsFunc(started.Listeners, named) {
			c.errorf(fmt.Sprintf("%s.tls.implicit[%d]", path, i), "server %q has no listener %q", server.ID, id)
		}
	}
	if implicit := server.TLS.Implicit; (implicit.All || len(implicit.Listeners) > 0) && server.TLS.Certs.Cert == "" {
		c.errorf(path+".tls.implicit", "needs tls.certs.cert")
	}
	c.checkHooks(path+".phases", server.Phases)
}

// checkHooks looks for the script of every hook that the phases name.
func (c *runningCheck) checkHooks(path string, p Phases) {
	hooks := c.running.Scripting.Hooks
	for _, use := range []struct {
		phase string
		id    string
		among []Script
	}{
		{"connect", p.Connect.Hook, hooks.Connect},
		{"disconnect", p.Disconnect.Hook, hooks.Disconnect},
		{"proxy", p.Proxy.Hook, hooks.Proxy},
		{"helo", p.HELO.Hook, hooks.HELO},
		{"auth", p.Auth.Hook, hooks.Auth},
		{"mailfrom", p.MailFrom.Hook, hooks.MailFrom},
		{"rcptto", p.RcptTo.Hook.ID, hooks.RcptTo},
		{"eod", p.EOD.Hook, hooks.EOD},
	} {
		c.checkHook(path+"."+use.phase+".hook", use.phase, use.id, use.among)
	}
	for domain, id := range p.RcptTo.Hook.RecipientDomains {
		c.checkHook(fmt.Sprintf("%s.rcptto.hook.recipientdomains[%q]", path, domain), "rcptto", id, hooks.RcptTo)
	}
}

func (c *runningCheck) checkHook(path, phase, id string, among []Script) {
	named := func(s Script) bool { return s.ID == id }
	if id != "" && !slices.ContainsFunc(among, named) {
		c.errorf(path, "no hook %q in scripting.hooks.%s", id, phase)
	}
}

func (c *runningCheck) checkTransport(path string, t Transport) {
	c.checkTransportID(path+".dsn.transport", t.DSN.Transport)
	c.checkCert(path+".session.tls.clientcert", t.Session.TLS.ClientCert)
	if t.DSN.DKIM.Set {
		c.checkKey(path+".dsn.dkim.key", t.DSN.DKIM.Value.Key)
	}
	source := t.Connection.SourceIP
	for i, id := range source.Addresses {
		if _, err := netip.ParseAddr(id); err != nil && !c.addresses[id] {
			c.errorf(fmt.Sprintf("%s.connection.sourceip.addresses[%d]", path, i), "no address %q in addresses", id)
		}
	}
	if !source.IPv4 && !source.IPv6 {
		c.errorf(path+".connection.sourceip", "ipv4 and ipv6 are both off")
	}
	if proxy := t.Connection.ProxyProtocol; proxy.Server != "" && proxy.Port == 0 {
		c.errorf(path+".connection.proxyprotocol", `"port" is missing`)
	}
}

func (c *runningCheck) checkTransportID(path, id string) {
	if id != "" && !c.transports[id] {
		c.errorf(path, "no transport %q", id)
	}
}

// checkCert looks for a certificate and its key. Whether they match is found
// out by whoever reads them.
func (c *runningCheck) checkCert(path, id string) {
	if id == "" || strings.HasPrefix(id, managedCert) {
		return
	}
	pair := c.keys[id]
	switch {
	case pair == nil:
		c.errorf(path, "no certificate %q in pki.private", id)
	case pair.PrivateKey.IsZero():
		c.errorf(path, "pki.private has no private key for %q", id)
	case pair.Certificate.IsZero():
		c.errorf(path, "pki.private has no certificate for %q", id)
	}
}

func (c *runningCheck) checkKey(path, key string) {
	id, found := strings.CutPrefix(key, pkiKey)
	if found && (c.keys[id] == nil || c.keys[id].PrivateKey.IsZero()) {
		c.errorf(path, "pki.private has no private key for %q", id)
	}
}

func (c *runningCheck) checkMonitor() {
	monitor := c.running.Monitor
	c.checkCert("monitor.tls.certs.cert", monitor.TLS.Certs.Cert)
	if monitor.Type.Or(c.startup.Monitor.Listener.Type) == ServerHTTPS && monitor.TLS.Certs.Cert == "" {
		c.errorf("monitor", "an https monitor needs tls.certs.cert")
	}
	band := monitor.Healthy.MaxMessages
	if band.Upper.Set && band.Lower.Or(0) > band.Upper.Value {
		c.errorf("monitor.healthy.maxmessages.lower", "greater than upper, %d", band.Upper.Value)
	}
}

func (c *runningCheck) checkQueues() {
	if pool := c.running.Queues.Threads.Script; pool.Set {
		c.checkPool("queues.threads.script", pool.Value, c.startup)
	}
	for i, g := range c.running.Queues.Grouping.Groupings {
		path := fmt.Sprintf("queues.grouping.groupings[%d]", i)
		match := Match{RemoteMX: g.RemoteMX, RecipientDomain: g.RecipientDomain, RemoteIP: g.RemoteIP}
		c.checkMatch(path, &match, c.running, nil)
	}
}

func (c *runningCheck) checkLists() {
	for _, field := range QueueFields {
		lists := c.running.Lists[field]
		for _, name := range slices.Sorted(maps.Keys(lists)) {
			for i, m := range lists[name] {
				path := fmt.Sprintf("lists.%s[%q][%d]", field, name, i)
				c.checkMatcher(path, field, m, c.running, nil)
			}
		}
	}
}
