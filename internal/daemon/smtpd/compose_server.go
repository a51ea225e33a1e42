package smtpd

import (
	"crypto/tls"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/pki"
	"github.com/posthaste-mta/posthaste/internal/server"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// serverSettings are the running settings of one virtual server.
type serverSettings struct {
	session  *session.Settings
	limits   server.Limits
	implicit ImplicitTLS
	selector *pki.Selector // nil: no TLS
	ptr      bool          // look up the names of clients
}

// serverSettings composes those of one server. What all of them share is filled
// in by the caller.
func (c *snapshot) serverSettings(v *Server) (*serverSettings, error) {
	hostname := c.hostname
	if v.Hostname != "" {
		hostname = v.Hostname
	}
	s := &session.Settings{
		ServerID: v.ID, Hostname: hostname, Transport: v.Transport,
		Priority: uint8(v.Priority), Verbose: v.Logging.Verbose,
		RequireTLS: v.TLS.Required,
		XCLIENT:    v.Extensions.XCLIENT,
		Extensions: session.Extensions{
			Pipelining: v.Extensions.Pipelining, EightBitMIME: v.Extensions.EightBitMIME,
			SMTPUTF8: v.Extensions.SMTPUTF8, EnhancedStatusCodes: v.Extensions.EnhancedStatusCodes,
			Size: v.Extensions.Size, Chunking: v.Extensions.Chunking, DSN: v.Extensions.DSN,
			Limits: true, RequireTLS: true,
		},
		Limits: session.Limits{
			Messages: v.Phases.MailFrom.MaxMessages, Recipients: v.Phases.RcptTo.MaxRecipients,
			Size: int64(v.Phases.Data.MaxSize), Hops: v.Phases.Data.MaxHops,
		},
		Timeouts: session.Timeouts{Idle: v.Timeout.Idle, Data: v.Timeout.Data},
		Auth: session.Auth{
			Mechanisms: v.Phases.Auth.Mechanisms,
			TLSOnly:    v.Phases.Auth.TLSOnly.Or(v.TLS.Certs.Cert != ""),
		},
	}
	s.LMTP = v.Protocol == ProtocolLMTP
	s.GreetDelay, s.RefuseEarly = v.Phases.Connect.GreetDelay, v.Phases.Connect.EarlyTalkers == Refuse
	s.LineEnds, s.NULs = treatment(v.Phases.Data.LineEnds), treatment(v.Phases.Data.NULs)
	selector, err := c.selector(v.TLS.Certs)
	if err != nil {
		return nil, err
	}
	if s.TLS, err = v.TLS.config(selector); err != nil {
		return nil, err
	}
	if s.Hooks, err = c.sessionHooks(v); err != nil {
		return nil, err
	}
	return &serverSettings{session: s, limits: v.Concurrency.limits(), implicit: v.TLS.Implicit, selector: selector, ptr: v.Resolve.PTR}, nil
}

func treatment(word string) smtp.Treatment {
	if word == Repair {
		return smtp.Repair
	}
	return smtp.Refuse
}

// config returns what Settings.TLS of a session wants: nil where no certificate
// is configured.
func (t *ServerTLS) config(selector *pki.Selector) (func() *tls.Config, error) {
	if selector == nil {
		return nil, nil
	}
	c := &tls.Config{GetCertificate: selector.GetCertificate}
	var err error
	if c.MinVersion, c.MaxVersion, err = delivery.ParseProtocols(t.Protocols); err != nil {
		return nil, err
	}
	if c.CipherSuites, err = delivery.ParseCiphers(t.Ciphers); err != nil {
		return nil, err
	}
	if t.ClientCert.Request {
		c.ClientAuth = tls.RequestClientCert
	}
	return func() *tls.Config { return c }, nil
}

// covers reports whether TLS begins at once on the listener of that id.
func (i ImplicitTLS) covers(listener string) bool {
	if i.All {
		return true
	}
	for _, id := range i.Listeners {
		if id == listener && id != "" {
			return true
		}
	}
	return false
}

func (c ServerConcurrency) limits() server.Limits {
	l := server.Limits{Total: c.Total, RemoteIP: c.RemoteIP}
	for _, n := range c.Networks {
		l.Networks = append(l.Networks, server.NetworkLimit{Network: n.Network, Limit: n.Limit})
	}
	return l
}

// peer turns what the server knows of a client into what a session wants.
func peer(p server.Peer, implicit bool) session.Peer {
	out := session.Peer{
		Remote: p.Remote, Local: p.Local, UID: p.UID, HasUID: p.HasUID, Proxy: p.Proxy, Implicit: implicit,
	}
	for _, t := range p.TLVs {
		out.TLVs = append(out.TLVs, session.TLV(t))
	}
	return out
}

// serverByID returns the running part of a server.
func (r *Running) serverByID(id string) *Server {
	for i := range r.Servers {
		if r.Servers[i].ID == id {
			return &r.Servers[i]
		}
	}
	return nil
}
