package smtpd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/server"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// arrival is a setting and where it must be found in what is composed.
type arrival struct {
	path string // of the setting; a path of transportgroups[] is tried in a transport too
	text string // of the setting, in the flow style, from the key below the server, transport or file on
	got  func(*snapshot) any
	want any
}

// TestSettingsArrive sets each setting of the running configuration alone and
// finds it in the options of the part that obeys it.
func TestSettingsArrive(t *testing.T) {
	files := newArrivalFiles(t)
	without := files.compose(t, files.place(arrival{path: "servers[]"})[0])
	for _, group := range [][]arrival{serverArrivals, transportArrivals, deliveryArrivals, queueArrivals, resolverArrivals, files.tlsArrivals()} {
		for _, a := range group {
			t.Run(a.path, func(t *testing.T) {
				if cmp.Equal(a.want, a.absent(without), sameAddress, samePrefix) {
					t.Errorf("%v is there without the setting: choose another value", a.want)
				}
				for _, c := range files.place(a) {
					s := files.compose(t, c)
					if diff := cmp.Diff(a.want, a.got(s), sameAddress, samePrefix); diff != "" {
						t.Errorf("%s (-want +got):\n%s", a.text, diff)
					}
				}
			})
		}
	}
}

var (
	sameAddress = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	samePrefix  = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
)

// absent is what is there when the setting is not; nil where that is nothing to
// look into.
func (a arrival) absent(s *snapshot) (value any) {
	defer func() {
		if recover() != nil {
			value = nil
		}
	}()
	return a.got(s)
}

func ses(get func(*session.Settings) any) func(*snapshot) any {
	return func(s *snapshot) any { return get(s.servers["a"].session) }
}

func limits(get func(server.Limits) any) func(*snapshot) any {
	return func(s *snapshot) any { return get(s.servers["a"].limits) }
}

func way(get func(*delivery.Transport) any) func(*snapshot) any {
	return func(s *snapshot) any { return get(s.queue.Transports["t"].Delivery) }
}

func fate(get func(*queue.Transport) any) func(*snapshot) any {
	return func(s *snapshot) any { return get(s.queue.Transports["t"]) }
}

func courier(get func(delivery.Options) any) func(*snapshot) any {
	return func(s *snapshot) any { return get(s.courierOptions(new(Startup))) }
}

func resolving(get func(dns.Options) any) func(*snapshot) any {
	return func(s *snapshot) any { return get(s.running.Resolver.Options()) }
}

var serverArrivals = []arrival{
	{"servers[].transport", "transport: t", ses(func(s *session.Settings) any { return s.Transport }), "t"},
	{"servers[].hostname", "hostname: h.example", ses(func(s *session.Settings) any { return s.Hostname }), "h.example"},
	{"servers[].priority", "priority: 1", ses(func(s *session.Settings) any { return s.Priority }), uint8(1)},
	{"servers[].logging.verbose", "logging: { verbose: true }", ses(func(s *session.Settings) any { return s.Verbose }), true},
	{"servers[].resolve.ptr", "resolve: { ptr: false }", func(s *snapshot) any { return s.servers["a"].ptr }, false},
	{"servers[].concurrency.total", "concurrency: { total: 7 }", limits(func(l server.Limits) any { return l.Total }), 7},
	{"servers[].concurrency.remoteip", "concurrency: { remoteip: 7 }", limits(func(l server.Limits) any { return l.RemoteIP }), 7},
	{"servers[].concurrency.networks[].network", "concurrency: { networks: [{ network: 192.0.2.0/24, limit: 7 }] }",
		limits(func(l server.Limits) any { return l.Networks[0].Network }), netip.MustParsePrefix("192.0.2.0/24")},
	{"servers[].concurrency.networks[].limit", "concurrency: { networks: [{ network: 192.0.2.0/24, limit: 7 }] }",
		limits(func(l server.Limits) any { return l.Networks[0].Limit }), 7},
	{"servers[].timeout.idle", "timeout: { idle: 7 }", ses(func(s *session.Settings) any { return s.Timeouts.Idle }), 7 * time.Second},
	{"servers[].timeout.data", "timeout: { data: 7 }", ses(func(s *session.Settings) any { return s.Timeouts.Data }), 7 * time.Second},
	{"servers[].tls.required", "tls: { required: true, certs: { cert: k } }", ses(func(s *session.Settings) any { return s.RequireTLS }), true},
	{"servers[].extensions.pipelining", "extensions: { pipelining: false }", ses(func(s *session.Settings) any { return s.Extensions.Pipelining }), false},
	{"servers[].extensions.8bitmime", "extensions: { 8bitmime: false }", ses(func(s *session.Settings) any { return s.Extensions.EightBitMIME }), false},
	{"servers[].extensions.smtputf8", "extensions: { smtputf8: false }", ses(func(s *session.Settings) any { return s.Extensions.SMTPUTF8 }), false},
	{"servers[].extensions.enhancedstatuscodes", "extensions: { enhancedstatuscodes: false }",
		ses(func(s *session.Settings) any { return s.Extensions.EnhancedStatusCodes }), false},
	{"servers[].extensions.size", "extensions: { size: false }", ses(func(s *session.Settings) any { return s.Extensions.Size }), false},
	{"servers[].extensions.chunking", "extensions: { chunking: false }", ses(func(s *session.Settings) any { return s.Extensions.Chunking }), false},
	{"servers[].extensions.dsn", "extensions: { dsn: true }", ses(func(s *session.Settings) any { return s.Extensions.DSN }), true},
	{"servers[].extensions.xclient", "extensions: { xclient: [192.0.2.0/24] }",
		ses(func(s *session.Settings) any { return s.XCLIENT }), []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}},
	{"servers[].phases.mailfrom.maxmessages", "phases: { mailfrom: { maxmessages: 7 } }", ses(func(s *session.Settings) any { return s.Limits.Messages }), 7},
	{"servers[].phases.rcptto.maxrecipients", "phases: { rcptto: { maxrecipients: 700 } }", ses(func(s *session.Settings) any { return s.Limits.Recipients }), 700},
	{"servers[].phases.data.maxsize", "phases: { data: { maxsize: 7MiB } }", ses(func(s *session.Settings) any { return s.Limits.Size }), int64(7 << 20)},
	{"servers[].phases.data.lineends", "phases: { data: { lineends: repair } }", ses(func(s *session.Settings) any { return s.LineEnds }), smtp.Repair},
	{"servers[].phases.data.nuls", "phases: { data: { nuls: repair } }", ses(func(s *session.Settings) any { return s.NULs }), smtp.Repair},
	{"servers[].phases.connect.greetdelay", "phases: { connect: { greetdelay: 7 } }", ses(func(s *session.Settings) any { return s.GreetDelay }), 7 * time.Second},
	{"servers[].phases.connect.earlytalkers", "phases: { connect: { earlytalkers: refuse, greetdelay: 1 } }", ses(func(s *session.Settings) any { return s.RefuseEarly }), true},
	{"servers[].phases.auth.mechanisms", "phases: { auth: { mechanisms: [LOGIN] } }", ses(func(s *session.Settings) any { return s.Auth.Mechanisms }), []string{"LOGIN"}},
	{"servers[].phases.auth.tlsonly", "phases: { auth: { tlsonly: true } }", ses(func(s *session.Settings) any { return s.Auth.TLSOnly }), true},
	{"servers[].protocol", "protocol: lmtp", ses(func(s *session.Settings) any { return s.LMTP }), true},
	{"servers[].phases.data.maxhops", "phases: { data: { maxhops: 7 } }", ses(func(s *session.Settings) any { return s.Limits.Hops }), 7},
}

// dkimText is a signature of reports, by the key of RFC 8463 appendix A.2.
const dkimText = `dsn: { dkim: { selector: s, domain: h.example, key: "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n" } }`

var transportArrivals = []arrival{
	{"transportgroups[].connection.server", "connection: { server: mx.example }", way(func(d *delivery.Transport) any { return d.Servers }), []string{"mx.example"}},
	{"transportgroups[].connection.port", "connection: { port: 7 }", way(func(d *delivery.Transport) any { return d.Port }), uint16(7)},
	{"transportgroups[].connection.timeout", "connection: { timeout: 7 }", way(func(d *delivery.Transport) any { return d.ConnectTimeout }), 7 * time.Second},
	{"transportgroups[].connection.sourceip.ipv4", "connection: { sourceip: { ipv4: false } }", way(func(d *delivery.Transport) any { return d.Families }), dns.IPv6},
	{"transportgroups[].connection.sourceip.ipv6", "connection: { sourceip: { ipv6: false } }", way(func(d *delivery.Transport) any { return d.Families }), dns.IPv4},
	{"transportgroups[].connection.sourceip.addresses", "connection: { sourceip: { addresses: [192.0.2.7] } }",
		way(func(d *delivery.Transport) any { return d.Sources }), []delivery.Source{{Addr: netip.MustParseAddr("192.0.2.7")}}},
	{"transportgroups[].connection.sourceip.random", "connection: { sourceip: { random: false } }", way(func(d *delivery.Transport) any { return d.Ordered }), true},
	{"transportgroups[].connection.sourceip.nonlocal", "connection: { sourceip: { nonlocal: true, addresses: [192.0.2.7] } }",
		way(func(d *delivery.Transport) any { return d.Sources[0].NonLocal }), true},
	{"transportgroups[].connection.proxyprotocol.server", "connection: { proxyprotocol: { server: 192.0.2.8, port: 7 } }",
		way(func(d *delivery.Transport) any { return d.Proxy.Server }), "192.0.2.8"},
	{"transportgroups[].connection.proxyprotocol.port", "connection: { proxyprotocol: { server: 192.0.2.8, port: 7 } }",
		way(func(d *delivery.Transport) any { return d.Proxy.Port }), uint16(7)},
	{"transportgroups[].connection.proxyprotocol.version", "connection: { proxyprotocol: { server: 192.0.2.8, port: 7, version: 2 } }",
		way(func(d *delivery.Transport) any { return d.Proxy.Version }), 2},
	{"transportgroups[].session.protocol", "session: { protocol: lmtp }", way(func(d *delivery.Transport) any { return d.Protocol }), delivery.LMTP},
	{"transportgroups[].session.helo", "session: { helo: h.example }", way(func(d *delivery.Transport) any { return d.Helo }), "h.example"},
	{"transportgroups[].session.tls.mode", "session: { tls: { mode: require } }", way(func(d *delivery.Transport) any { return d.TLS.Mode }), delivery.TLSRequire},
	{"transportgroups[].session.tls.protocols", "session: { tls: { protocols: \"!TLSv1,!TLSv1.1,!TLSv1.2\" } }",
		way(func(d *delivery.Transport) any { return d.TLS.MinVersion }), uint16(tls.VersionTLS13)},
	{"transportgroups[].session.tls.ciphers", "session: { tls: { ciphers: ECDHE-RSA-AES128-GCM-SHA256 } }",
		way(func(d *delivery.Transport) any { return d.TLS.Ciphers }), []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
	{"transportgroups[].session.tls.sni", "session: { tls: { sni: n.example } }", way(func(d *delivery.Transport) any { return d.TLS.SNIName }), "n.example"},
	{"transportgroups[].session.tls.verifyhost", "session: { tls: { verifyhost: true } }", way(func(d *delivery.Transport) any { return d.TLS.VerifyHost }), true},
	{"transportgroups[].session.tls.verifyname", "session: { tls: { verifyname: [n.example] } }",
		way(func(d *delivery.Transport) any { return d.TLS.VerifyNames }), []string{"n.example"}},
	{"transportgroups[].session.tls.defaultca", "session: { tls: { defaultca: true } }", way(func(d *delivery.Transport) any { return d.TLS.DefaultCA }), true},
	{"transportgroups[].session.tls.clientcert", "session: { tls: { clientcert: k } }", way(func(d *delivery.Transport) any { return d.TLS.Certificate != nil }), true},
	{"transportgroups[].session.auth.username", "session: { auth: { username: u, password: p } }", way(func(d *delivery.Transport) any { return d.Auth.Username }), "u"},
	{"transportgroups[].session.auth.password", "session: { auth: { username: u, password: p } }", way(func(d *delivery.Transport) any { return d.Auth.Password }), "p"},
	{"transportgroups[].session.xclient", "session: { xclient: { ADDR: 192.0.2.7 } }",
		way(func(d *delivery.Transport) any { return d.XClient }), map[string]string{"ADDR": "192.0.2.7"}},
	{"transportgroups[].session.timeout", "session: { timeout: { EHLO: 7 } }",
		way(func(d *delivery.Transport) any { return d.Timeouts }), map[delivery.Stage]time.Duration{mustStage("EHLO"): 7 * time.Second}},
	{"transportgroups[].session.mx.include", "session: { mx: { include: [mx.example] } }", way(func(d *delivery.Transport) any { return d.MXInclude }), []string{"mx.example"}},
	{"transportgroups[].session.mx.exclude", "session: { mx: { exclude: [mx.example] } }", way(func(d *delivery.Transport) any { return d.MXExclude }), []string{"mx.example"}},
	{"transportgroups[].retry.count", "retry: { count: 7 }", fate(func(q *queue.Transport) any { return q.Retry.Count }), 7},
	{"transportgroups[].retry.intervals[].interval", "retry: { intervals: [{ interval: 7 }] }",
		fate(func(q *queue.Transport) any { return q.Retry.Intervals }), []queue.Interval{{After: 7 * time.Second}}},
	{"transportgroups[].retry.intervals[].notify", "retry: { intervals: [{ interval: 7, notify: true }] }",
		fate(func(q *queue.Transport) any { return q.Retry.Intervals[0].Notify }), true},
	{"transportgroups[].retry.during", "retry: { during: 4d }", fate(func(q *queue.Transport) any { return q.Retry.During }), 96 * time.Hour},
	{"transportgroups[].dsn.transport", "dsn: { transport: t }", fate(func(q *queue.Transport) any { return q.DSN.Transport }), "t"},
	{"transportgroups[].dsn.from", "dsn: { from: post@h.example }", fate(func(q *queue.Transport) any { return q.DSN.From.String() }), "post@h.example"},
	{"transportgroups[].dsn.fromname", "dsn: { fromname: Post }", fate(func(q *queue.Transport) any { return q.DSN.FromName }), "Post"},
	{"transportgroups[].dsn.dkim.selector", dkimText, fate(func(q *queue.Transport) any { return q.DSN.Signer.KeyName() }), "s._domainkey.h.example"},
	{"transportgroups[].dsn.dkim.domain", dkimText, fate(func(q *queue.Transport) any { return q.DSN.Signer.KeyName() }), "s._domainkey.h.example"},
	{"transportgroups[].dsn.dkim.key", dkimText, fate(func(q *queue.Transport) any { return q.DSN.Signer.Key().Algorithm().String() }), "ed25519-sha256"},
	{"transportgroups[].dsn.ret", "dsn: { ret: FULL }", fate(func(q *queue.Transport) any { return q.DSN.Return }), mustRet("FULL")},
	{"transportgroups[].dsn.headers", "dsn: { headers: FULL }", fate(func(q *queue.Transport) any { return q.DSN.Return }), mustRet("FULL")},
}

var deliveryArrivals = []arrival{
	{"delivery.default.tls.mode", "tls: { mode: require }", way(func(d *delivery.Transport) any { return d.TLS.Mode }), delivery.TLSRequire},
	{"delivery.default.tls.protocols", "tls: { protocols: \"!TLSv1,!TLSv1.1,!TLSv1.2\" }",
		way(func(d *delivery.Transport) any { return d.TLS.MinVersion }), uint16(tls.VersionTLS13)},
	{"delivery.default.tls.ciphers", "tls: { ciphers: ECDHE-RSA-AES128-GCM-SHA256 }",
		way(func(d *delivery.Transport) any { return d.TLS.Ciphers }), []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
	{"delivery.default.tls.sni", "tls: { sni: true }", way(func(d *delivery.Transport) any { return d.TLS.SNIHost }), true},
	{"delivery.default.tls.verifyhost", "tls: { verifyhost: true }", way(func(d *delivery.Transport) any { return d.TLS.VerifyHost }), true},
	{"delivery.default.tls.verifyname", "tls: { verifyname: [n.example] }", way(func(d *delivery.Transport) any { return d.TLS.VerifyNames }), []string{"n.example"}},
	{"delivery.default.tls.defaultca", "tls: { defaultca: true }", way(func(d *delivery.Transport) any { return d.TLS.DefaultCA }), true},
	{"delivery.default.pooling.enabled", "pooling: { enabled: true }", way(func(d *delivery.Transport) any { return d.Pooling.Enabled }), true},
	{"delivery.default.pooling.timeout", "pooling: { timeout: 7 }", way(func(d *delivery.Transport) any { return d.Pooling.Timeout }), 7 * time.Second},
	{"delivery.default.pooling.transactions", "pooling: { transactions: 7 }", way(func(d *delivery.Transport) any { return d.Pooling.Transactions }), 7},
	{"delivery.default.pooling.evictable", "pooling: { evictable: false }", way(func(d *delivery.Transport) any { return d.Pooling.Fixed }), true},
	{"delivery.default.timeout.connect", "timeout: { connect: 7 }", way(func(d *delivery.Transport) any { return d.ConnectTimeout }), 7 * time.Second},
	{"delivery.default.timeout.smtp", "timeout: { smtp: { EHLO: 7 } }",
		way(func(d *delivery.Transport) any { return d.Timeouts }), map[delivery.Stage]time.Duration{mustStage("EHLO"): 7 * time.Second}},
	{"delivery.default.retry.count", "retry: { count: 7 }", fate(func(q *queue.Transport) any { return q.Retry.Count }), 7},
	{"delivery.default.retry.intervals[].interval", "retry: { intervals: [{ interval: 7 }] }",
		fate(func(q *queue.Transport) any { return q.Retry.Intervals }), []queue.Interval{{After: 7 * time.Second}}},
	{"delivery.default.retry.intervals[].notify", "retry: { intervals: [{ interval: 7, notify: true }] }",
		fate(func(q *queue.Transport) any { return q.Retry.Intervals[0].Notify }), true},
}

var queueArrivals = []arrival{
	{"queues.pooling.size", "queues: { pooling: { size: 7 } }", courier(func(o delivery.Options) any { return o.PoolSize }), 7},
	{"queues.pooling.policy", "queues: { pooling: { policy: remoteip } }", courier(func(o delivery.Options) any { return o.PoolPolicy }), mustPoolPolicy("remoteip")},
	{"queues.concurrency.total", "queues: { concurrency: { total: 7 } }", func(s *snapshot) any {
		return []int{s.queue.Concurrency, s.courierOptions(new(Startup)).MaxConnections}
	}, []int{7, 7}},
	{"queues.maxmessages", "queues: { maxmessages: 7 }", func(s *snapshot) any { return s.queue.MaxMessages }, 7},
	{"queues.proxy.holddown", "queues: { proxy: { holddown: 7 } }", func(s *snapshot) any {
		return []time.Duration{s.queue.HoldDown, s.courierOptions(new(Startup)).ProxyHoldDown}
	}, []time.Duration{7 * time.Second, 7 * time.Second}},
	{"queues.shutdown.timeout", "queues: { shutdown: { timeout: 7 } }", func(s *snapshot) any { return s.running.Queues.Shutdown.Timeout }, 7 * time.Second},
	{"addresses[].address", "addresses: [{ id: i, address: 192.0.2.7 }]", source(func(s delivery.Source) any { return s.Addr }), netip.MustParseAddr("192.0.2.7")},
	{"addresses[].id", "addresses: [{ id: i, address: 192.0.2.7 }]", source(func(s delivery.Source) any { return s.ID }), "i"},
	{"addresses[].hostname", "addresses: [{ id: i, address: 192.0.2.7, hostname: h.example }]", source(func(s delivery.Source) any { return s.Hostname }), "h.example"},
	{"addresses[].nonlocal", "addresses: [{ id: i, address: 192.0.2.7, nonlocal: true }]", source(func(s delivery.Source) any { return s.NonLocal }), true},
	{"addresses[].proxyprotocol.server", "addresses: [{ id: i, address: 192.0.2.7, proxyprotocol: { server: 192.0.2.8, port: 7 } }]",
		source(func(s delivery.Source) any { return s.Proxy.Server }), "192.0.2.8"},
	{"addresses[].proxyprotocol.port", "addresses: [{ id: i, address: 192.0.2.7, proxyprotocol: { server: 192.0.2.8, port: 7 } }]",
		source(func(s delivery.Source) any { return s.Proxy.Port }), uint16(7)},
	{"addresses[].proxyprotocol.version", "addresses: [{ id: i, address: 192.0.2.7, proxyprotocol: { server: 192.0.2.8, port: 7, version: 2 } }]",
		source(func(s delivery.Source) any { return s.Proxy.Version }), 2},
}

// source composes the address with the id i as a transport that names it would.
func source(get func(delivery.Source) any) func(*snapshot) any {
	return func(s *snapshot) any {
		all, err := s.running.sources(SourceIP{Addresses: []string{"i"}})
		if err != nil {
			return err
		}
		return get(all[0])
	}
}

var resolverArrivals = []arrival{
	{"resolver.cache.size", "resolver: { cache: { size: 7 } }", resolving(func(o dns.Options) any { return []int{o.CacheSize, o.DomainCacheSize} }), []int{7, 7}},
	{"resolver.cache.ttl.min", "resolver: { cache: { ttl: { min: 7 } } }", resolving(func(o dns.Options) any { return o.MinTTL }), 7 * time.Second},
	{"resolver.cache.ttl.max", "resolver: { cache: { ttl: { max: 7 } } }", resolving(func(o dns.Options) any { return o.MaxTTL }), 7 * time.Second},
	{"resolver.cache.ttl.negative", "resolver: { cache: { ttl: { negative: 7 } } }", resolving(func(o dns.Options) any { return o.NegativeTTL }), 7 * time.Second},
	{"resolver.concurrency", "resolver: { concurrency: 7 }", resolving(func(o dns.Options) any { return o.Concurrency }), 7},
	{"resolver.servers", "resolver: { servers: [192.0.2.7] }", resolving(func(o dns.Options) any { return fmt.Sprint(o.Servers) }), "[192.0.2.7:53]"},
	{"resolver.timeout", "resolver: { timeout: 7 }", resolving(func(o dns.Options) any { return o.Timeout }), 7 * time.Second},
	{"resolver.retries", "resolver: { retries: 7 }", resolving(func(o dns.Options) any { return o.Retries }), 7},
	{"resolver.domaincache.size", "resolver: { domaincache: { size: 7 } }", resolving(func(o dns.Options) any { return o.DomainCacheSize }), 7},
}

// tlsArrivals are those of a server's TLS, which needs a certificate.
func (f arrivalFiles) tlsArrivals() []arrival {
	config := func(get func(*tls.Config) any) func(*snapshot) any {
		return ses(func(s *session.Settings) any { return get(s.TLS()) })
	}
	certificate := func(name string) func(*tls.Config) any {
		return func(c *tls.Config) any {
			got, err := c.GetCertificate(&tls.ClientHelloInfo{ServerName: name})
			if err != nil {
				return err
			}
			return got.Leaf.Subject.CommonName
		}
	}
	return []arrival{
		{"servers[].tls.certs.cert", "tls: { certs: { cert: k } }", config(certificate("")), "k"},
		{"servers[].tls.certs.sni[].cert", "tls: { certs: { cert: k, sni: [{ hostname: l.example, cert: l }] } }", config(certificate("l.example")), "l"},
		{"servers[].tls.certs.sni[].hostname", "tls: { certs: { cert: k, sni: [{ hostname: \"*.sub.example\", cert: l }] } }", config(certificate("x.sub.example")), "l"},
		{"servers[].tls.implicit", "tls: { certs: { cert: k }, implicit: true }", func(s *snapshot) any { return s.servers["a"].implicit.covers("smtps") }, true},
		{"servers[].tls.protocols", "tls: { certs: { cert: k }, protocols: \"!TLSv1,!TLSv1.1,!TLSv1.2\" }",
			config(func(c *tls.Config) any { return c.MinVersion }), uint16(tls.VersionTLS13)},
		{"servers[].tls.ciphers", "tls: { certs: { cert: k }, ciphers: ECDHE-RSA-AES128-GCM-SHA256 }",
			config(func(c *tls.Config) any { return c.CipherSuites }), []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}},
		{"servers[].tls.clientcert.request", "tls: { certs: { cert: k }, clientcert: { request: true } }",
			config(func(c *tls.Config) any { return c.ClientAuth }), tls.RequestClientCert},
	}
}

// arrivalFiles is a configuration folder that is written anew for each setting.
type arrivalFiles struct {
	dir string
	pki string // two key pairs, k and l
}

func newArrivalFiles(t *testing.T) arrivalFiles {
	f := arrivalFiles{dir: t.TempDir()}
	for _, id := range []string{"k", "l"} {
		key, certificate := selfSigned(t, id)
		f.pki += fmt.Sprintf("    - { id: %s, privatekey: { data: %q }, certificate: { data: %q } }\n", id, key, certificate)
	}
	f.pki = "pki:\n  private:\n" + f.pki
	return f
}

// place returns the texts of the running and the delivery file in which the
// setting can stand.
func (f arrivalFiles) place(a arrival) (files [][2]string) {
	app := func(server, group, transport, rest string) [2]string {
		return [2]string{"version: \"6.9\"\n" + f.pki +
			"servers: [{ " + strings.TrimSuffix("id: a, "+server, ", ") + " }]\n" +
			"transportgroups: [{ " + strings.TrimSuffix("id: g, "+group, ", ") + ", transports: [{ " + strings.TrimSuffix("id: t, "+transport, ", ") + " }] }]\n" + rest + "\n"}
	}
	switch head, _, _ := strings.Cut(a.path, "."); head {
	case "servers[]":
		return [][2]string{app(a.text, "", "", "")}
	case "transportgroups[]":
		return [][2]string{app("", a.text, "", ""), app("", "", a.text, "")}
	case "delivery":
		both := app("", "", "", "")
		both[1] = "version: \"6.9\"\ndelivery: { default: { " + a.text + " } }\n"
		return [][2]string{both}
	}
	return [][2]string{app("", "", "", a.text)}
}

func (f arrivalFiles) compose(t *testing.T, files [2]string) *snapshot {
	t.Helper()
	write := func(name, text string) {
		path := filepath.Join(f.dir, name)
		if text == "" {
			os.Remove(path)
		} else if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("smtpd.yaml", "version: \"6.9\"\nservers: [{ id: a, listeners: [{ port: 2525 }] }]\n")
	write("smtpd-app.yaml", files[0])
	write("smtpd-delivery.yaml", files[1])
	startup, _, err := LoadStartup(filepath.Join(f.dir, "smtpd.yaml"), config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	running, _, err := LoadRunning(startup, config.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := compose(startup, running, nil, new(scriptHost))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// selfSigned makes a key and a certificate with that common name, in PEM.
func selfSigned(t *testing.T, name string) (key, certificate []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name + ".example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func mustStage(name string) delivery.Stage {
	s, err := delivery.ParseStage(name)
	if err != nil {
		panic(err)
	}
	return s
}

func mustRet(name string) envelope.Ret {
	r, err := envelope.ParseRet(name)
	if err != nil {
		panic(err)
	}
	return r
}

func mustPoolPolicy(name string) delivery.PoolPolicy {
	p, err := delivery.ParsePoolPolicy(name)
	if err != nil {
		panic(err)
	}
	return p
}
