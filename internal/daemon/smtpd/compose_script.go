package smtpd

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"

	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/engine"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/file"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/system"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/web"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/pki"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
	"github.com/posthaste-mta/posthaste/internal/script/lookup"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
	"github.com/posthaste-mta/posthaste/internal/server"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/telemetry"
)

// scriptHost is what scripts share and what survives a reload.
type scriptHost struct {
	process *value.Process
	plugins *extra.Plugins
	events  script.Events
	load    func(*queue.View) error
	dns     func() *dns.Resolver // is there before a script runs
	courier script.Courier
	pools   *scriptPools // nil: scripts are not going to run
	queue   scriptStore  // nil for who only compiles
	signing *dkim.Pool   // nil: one of its own
	users   *telemetry.UserMetrics
	servers func() []*server.Server
	quota   quotas
	live    func() *queue.Queue                                                 // nil for who only compiles
	debug   func(ctx context.Context, phase, transaction string, s *value.Stop) // nil: nobody debugs

	// complain is told what modules do not tell their scripts; nil: nobody is.
	complain func(error)
}

// scriptStore is the queue as scripts see it.
type scriptStore interface {
	mail.Queue
	script.Contents
}

// engine compiles the scripts of the running configuration, which may refer to
// what is named.
func (s *snapshot) engine(startup *Startup, host *scriptHost, named script.Resources) (*script.Engine, error) {
	r := s.running
	source := script.Source{
		Hooks: map[string]map[string]string{}, Files: script.Files{},
		PreDelivery: r.Scripting.Hooks.PreDelivery, PostDelivery: r.Scripting.Hooks.PostDelivery,
	}
	h := &r.Scripting.Hooks
	for phase, scripts := range map[session.Phase][]Script{
		session.PhaseConnect: h.Connect, session.PhaseDisconnect: h.Disconnect, session.PhaseProxy: h.Proxy,
		session.PhaseHelo: h.HELO, session.PhaseAuth: h.Auth, session.PhaseMailFrom: h.MailFrom,
		session.PhaseRcptTo: h.RcptTo, session.PhaseEndOfData: h.EOD,
	} {
		byID := map[string]string{}
		for _, s := range scripts {
			byID[s.ID] = s.Data
		}
		source.Hooks[phase.String()] = byID
	}
	for _, f := range r.Scripting.Files {
		data, err := f.read()
		if err != nil {
			return nil, err
		}
		source.Files[f.ID] = data
	}
	source.Root = startup.Scripting.RootPath
	names, client := lookup.New(host.dns), script.NewClient(host.courier, named)
	return script.New(script.Options{
		Source: source, Library: client.Library(s.library(source, names, host, systemOptions(startup, host))), Process: host.process,
		Mail:     mail.New(mail.Options{Keys: keyring{s.certificates}, Resolver: names, Sender: client, Queue: host.queue, Pool: host.signing}),
		Contents: host.queue,
		Modules:  extra.New(extra.Options{Plugins: host.plugins, Complain: host.complain}),
		Limits:   r.Scripting.Limits.general(), Queue: host.pools.queue(r), Events: host.events, Debug: host.debug,
	})
}

// CheckScripts compiles the scripts of a running configuration as a start would
// and names every mistake, by phase and id of the script, line and column.
// Imports of file:// paths are looked for from the top, as the default has it.
func CheckScripts(r *Running) error {
	s := &snapshot{running: r, certificates: new(pki.Store)}
	_, err := s.engine(&Startup{Scripting: StartupScripting{RootPath: "/"}}, new(scriptHost), nil)
	return err
}

// systemOptions are what scripts learn of the host, and their way to the log. A
// facility that a script gives is not used: the log has one.
func systemOptions(startup *Startup, host *scriptHost) system.Options {
	logged := host.events.Logged
	if logged == nil {
		logged = func(int, string) {}
	}
	return system.Options{
		UUIDVersion: startup.Environment.UUID.Version,
		Log:         func(priority int, message string) { logged(priority&7, message) },
	}
}

// library is what scripts find in every phase.
func (s *snapshot) library(source script.Source, names *lookup.Resolver, host *scriptHost, about system.Options) *value.Library {
	return stdlib.New(stdlib.Options{
		System:   about,
		Files:    file.Folder{Virtual: source.Files, Root: source.Root},
		Keys:     keyring{s.certificates},
		Resolver: names,
		Web:      web.Options{Source: s.running.sourceAddress},
		Engine: engine.Options{
			Sender: names, Metrics: userMetrics{host.users}, Servers: liveServers{host.servers}, Quotas: host.quota,
			Queue: scriptPolicies{host.live},
		},
	})
}

// read returns the content of a file that scripts may import.
func (f *ScriptFile) read() ([]byte, error) {
	switch {
	case f.Path != "":
		data, err := os.ReadFile(f.Path)
		if err != nil {
			return nil, fmt.Errorf("scripting.files %q: %w", f.ID, err)
		}
		return data, nil
	case f.Binary:
		data, err := base64.StdEncoding.DecodeString(f.Data)
		if err != nil {
			return nil, fmt.Errorf("scripting.files %q: %w", f.ID, err)
		}
		return data, nil
	}
	return []byte(f.Data), nil
}

// hooks names the scripts of a server, by phase and for recipient domains.
func (v *Server) hooks() (map[session.Phase]string, map[string]string) {
	p := &v.Phases
	named := map[session.Phase]string{}
	for phase, id := range map[session.Phase]string{
		session.PhaseConnect: p.Connect.Hook, session.PhaseDisconnect: p.Disconnect.Hook, session.PhaseProxy: p.Proxy.Hook,
		session.PhaseHelo: p.HELO.Hook, session.PhaseAuth: p.Auth.Hook, session.PhaseMailFrom: p.MailFrom.Hook,
		session.PhaseRcptTo: p.RcptTo.Hook.ID, session.PhaseEndOfData: p.EOD.Hook,
	} {
		if id != "" {
			named[phase] = id
		}
	}
	return named, p.RcptTo.Hook.RecipientDomains
}

// sessionHooks are the scripts of a server. Where there are none the defaults
// of the phases hold: without one for eod nothing is ever queued.
func (c *snapshot) sessionHooks(v *Server) (session.Hooks, error) {
	named, byDomain := v.hooks()
	pool, metrics := c.pools.server(v.ID)
	h, err := c.scripts.Session(script.Server{ID: v.ID, Hooks: named, RecipientDomains: byDomain,
		Pool: pool, Time: v.Phases.timeLimits(), Metrics: metrics, FlatMail: !v.Phases.Data.Multipart,
	})
	if err != nil {
		return nil, err
	}
	return c.signed(h), nil
}

// sourceAddress returns the address to connect from of that id.
func (r *Running) sourceAddress(id string) (netip.Addr, bool) {
	if a := r.address(id); a != nil {
		return a.Address, a.Address.IsValid()
	}
	return netip.Addr{}, false
}
