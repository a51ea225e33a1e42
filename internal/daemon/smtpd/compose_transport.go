package smtpd

import (
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/pki"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// queueSettings composes the settings of the queue.
func (c *snapshot) queueSettings() (*queue.Settings, error) {
	r := c.running
	s := &queue.Settings{
		Hostname:    c.hostname,
		Transports:  map[string]*queue.Transport{},
		Concurrency: r.Queues.Concurrency.Total,
		MaxMessages: r.Queues.MaxMessages,
		HoldDown:    r.Queues.Proxy.HoldDown,
	}
	var err error
	if s.Groupings, err = r.groupings(); err != nil {
		return nil, err
	}
	for _, t := range r.Transports() {
		composed, err := c.transport(t, r.Delivery.Delivery.Default)
		if err != nil {
			return nil, fmt.Errorf("transport %q: %w", t.ID, err)
		}
		s.Transports[t.ID] = composed
	}
	s.ByDestination, err = c.destinations()
	return s, err
}

// transport composes one transport with delivery settings laid over it.
func (c *snapshot) transport(t Transport, over DeliverySettings) (*queue.Transport, error) {
	r := c.running
	d := &delivery.Transport{
		ID: t.ID, Servers: t.Connection.Server, Port: t.Connection.Port,
		ConnectTimeout: over.Timeout.Connect.Or(t.Connection.Timeout),
		Families:       families(t.Connection.SourceIP),
		Ordered:        !t.Connection.SourceIP.Random,
		Proxy:          proxyOf(t.Connection.ProxyProtocol),
		Helo:           t.Session.HELO,
		Auth:           delivery.Auth{Username: t.Session.Auth.Username, Password: t.Session.Auth.Password},
		XClient:        t.Session.XCLIENT,
		MXInclude:      t.Session.MX.Include, MXExclude: t.Session.MX.Exclude,
		Pooling: delivery.Pooling{
			Enabled: over.Pooling.Enabled, Timeout: over.Pooling.Timeout,
			Transactions: over.Pooling.Transactions, Fixed: !over.Pooling.Evictable,
		},
	}
	if t.Session.Protocol == ProtocolLMTP {
		d.Protocol = delivery.LMTP
	}
	var err error
	if d.Sources, err = r.sources(t.Connection.SourceIP); err != nil {
		return nil, err
	}
	if d.Timeouts, err = timeouts(t.Session.Timeout, over.Timeout.SMTP); err != nil {
		return nil, err
	}
	if d.TLS, err = transportTLS(t.Session.TLS, over.TLS, c.certificates); err != nil {
		return nil, err
	}
	d.TLS.Authorities = c.authorities
	q := &queue.Transport{Delivery: d, Fixed: d.Fixed(), Retry: retry(t.Retry, over.Retry)}
	if q.Fixed != nil && len(d.Sources) == 0 {
		q.Fixed.Local = delivery.LocalFor(q.Fixed.Hosts[0].Addr)
	}
	if q.DSN, err = reports(t.DSN); err == nil && t.DSN.DKIM.Set {
		q.DSN.Signer, err = c.reportSigner(t.DSN.DKIM.Value)
	}
	return q, err
}

func families(s SourceIP) dns.Families {
	switch {
	case s.IPv4 && !s.IPv6:
		return dns.IPv4
	case s.IPv6 && !s.IPv4:
		return dns.IPv6
	}
	return dns.IPv4 | dns.IPv6
}

// timeouts lays the settings of a destination over those of a transport.
func timeouts(transport, destination map[string]time.Duration) (map[delivery.Stage]time.Duration, error) {
	merged := maps.Clone(transport)
	if merged == nil {
		merged = map[string]time.Duration{}
	}
	maps.Copy(merged, destination)
	out := map[delivery.Stage]time.Duration{}
	for name, d := range merged {
		stage, err := delivery.ParseStage(name)
		if err != nil {
			return nil, err
		}
		out[stage] = d
	}
	return out, nil
}

func transportTLS(t TransportTLS, over DeliveryTLS, certificates *pki.Store) (out delivery.TLS, err error) {
	if out.Mode, err = delivery.ParseTLSMode(over.Mode.Or(t.Mode)); err != nil {
		return out, err
	}
	if out.MinVersion, out.MaxVersion, err = delivery.ParseProtocols(over.Protocols.Or(t.Protocols)); err != nil {
		return out, err
	}
	if out.Ciphers, err = delivery.ParseCiphers(over.Ciphers.Or(t.Ciphers)); err != nil {
		return out, err
	}
	sni := over.SNI.Or(t.SNI)
	out.SNIHost, out.SNIName = sni.Host, sni.Name
	out.VerifyHost = over.VerifyHost.Or(t.VerifyHost)
	out.DefaultCA = over.DefaultCA.Or(t.DefaultCA)
	if out.VerifyNames = t.VerifyName; len(over.VerifyName) > 0 {
		out.VerifyNames = over.VerifyName
	}
	if t.ClientCert != "" {
		out.Certificate, err = certificates.Certificate(t.ClientCert)
	}
	return out, err
}

func retry(t Retry, over DeliveryRetry) queue.Retry {
	out := queue.Retry{Count: over.Count.Or(t.Count), During: t.During.Value}
	intervals := t.Intervals
	if len(over.Intervals) > 0 {
		intervals = over.Intervals
	}
	for _, i := range intervals {
		out.Intervals = append(out.Intervals, queue.Interval{After: i.Interval, Notify: i.Notify})
	}
	return out
}

func reports(d DSN) (out queue.DSN, err error) {
	out = queue.DSN{Transport: d.Transport, FromName: d.FromName}
	if d.From != "" {
		if out.From, err = address.Parse(d.From); err != nil {
			return out, fmt.Errorf("dsn.from: %w", err)
		}
	}
	if d.Ret != "" {
		out.Return, err = envelope.ParseRet(strings.ToUpper(d.Ret))
	}
	return out, err
}

// reportSigner returns what signs reports.
func (c *snapshot) reportSigner(d DSNSign) (*dkim.Signer, error) {
	s, err := c.signer(d.Key, dkim.Options{Selector: d.Selector, Domain: d.Domain})
	if err != nil {
		return nil, fmt.Errorf("dsn.dkim: %w", err)
	}
	return s, nil
}
