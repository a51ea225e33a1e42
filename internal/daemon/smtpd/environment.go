package smtpd

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/posthaste-mta/posthaste/internal/control"
	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/server"
)

// raise sets the limits of the process.
func (r Rlimit) raise() error {
	if r.NoFile.Set {
		if err := daemon.RaiseFiles(r.NoFile.Value); err != nil {
			return err
		}
	}
	if r.Core.Set {
		return daemon.LimitCore(uint64(r.Core.Value))
	}
	return nil
}

// settle sets the umask and gives up privileges.
func (e *Environment) settle() error {
	if e.Umask.Set {
		unix.Umask(int(e.Umask.Value))
	}
	if e.PrivDrop.User == "" {
		return nil
	}
	id, err := daemon.LookupIdentity(e.PrivDrop.User, e.PrivDrop.Group)
	if err != nil {
		return err
	}
	return id.Become()
}

// open opens every socket while the process may, and takes those that the
// service manager has opened.
func (d *Daemon) open(ctx context.Context) error {
	inherited, err := daemon.InheritSockets()
	if err != nil {
		return err
	}
	for i := range d.startup.Servers {
		if err := d.openServer(ctx, &d.startup.Servers[i], inherited); err != nil {
			return err
		}
	}
	if err := d.openControl(); err != nil {
		return err
	}
	if err := d.openMonitor(ctx, inherited); err != nil {
		return err
	}
	if err := d.openChallenges(ctx, inherited); err != nil {
		return err
	}
	for _, socket := range inherited.Leftover() {
		d.log.Warn("No listener takes the inherited socket " + socket + ": give it the id or the address of one")
	}
	return nil
}

func (d *Daemon) openServer(ctx context.Context, v *StartupServer, inherited *daemon.Inherited) error {
	if v.Type != ServerSMTP {
		return fmt.Errorf("server %q: servers of type %q are not built yet", v.ID, v.Type)
	}
	d.log.Log(ctx, daemon.LevelNotice, "serverid: "+v.ID)
	var listeners []*server.Listener
	for i := range v.Listeners {
		opened, err := d.listen(ctx, &v.Listeners[i], inherited)
		if err != nil {
			return err
		}
		listeners = append(listeners, opened...)
	}
	d.servers = append(d.servers, d.newServer(v.ID, listeners))
	return nil
}

// listen opens one configured listener, which is two sockets when it has no
// address.
func (d *Daemon) listen(ctx context.Context, l *Listener, inherited *daemon.Inherited) ([]*server.Listener, error) {
	s, err := l.socket()
	if err != nil {
		return nil, err
	}
	var out []*server.Listener
	for _, address := range s.Addresses() {
		d.log.Log(ctx, daemon.LevelNotice, "- listen on "+address)
		sock := inherited.Take(l.ID, address)
		if sock == nil {
			if sock, err = s.Open(ctx, address); err != nil {
				return nil, err
			}
		}
		d.undo = append(d.undo, func() { sock.Close() })
		out = append(out, &server.Listener{
			Listener: sock, ID: l.ID,
			Proxy: server.Proxy{Expected: l.ProxyProtocol.Enabled, From: l.ProxyProtocol.From},
		})
	}
	return out, nil
}

// socket is the listener in the terms of the server.
func (l *Listener) socket() (server.Socket, error) {
	s := server.Socket{
		Address: l.Address, Port: l.Port, Path: l.Path, Owner: -1, Group: -1,
		Mode: os.FileMode(l.Chmod.Value), Backlog: l.Backlog.Value, NonLocal: l.NonLocal,
	}
	if l.Owner != "" {
		id, err := daemon.LookupIdentity(l.Owner, "")
		if err != nil {
			return s, err
		}
		s.Owner = id.UID
	}
	if l.Group != "" {
		gid, err := daemon.LookupGroup(l.Group)
		if err != nil {
			return s, err
		}
		s.Group = gid
	}
	return s, nil
}

func (d *Daemon) openControl() error {
	c := &d.startup.Environment.ControlSocket
	o := control.Options{Events: d.controlEvents(), Metrics: new(control.Metrics)}
	switch {
	case c.Port != 0:
		o.Address = netip.AddrPortFrom(c.Address, c.Port)
		var err error
		if o.TLS, err = c.TLS.server(); err != nil {
			return err
		}
	case c.Path != "":
		if err := os.MkdirAll(filepath.Dir(c.Path), 0o755); err != nil {
			return fmt.Errorf("environment.controlsocket.path: %w", err)
		}
		o.Path, o.Owner, o.Group, o.Mode = c.Path, c.Owner, c.Group, os.FileMode(c.Chmod)
	default:
		return nil
	}
	d.registry.Register(o.Metrics)
	d.control = control.New(o)
	if err := d.control.Listen(); err != nil {
		return err
	}
	d.undo = append(d.undo, func() { _ = d.control.Stop(context.Background()) })
	return nil
}

func (d *Daemon) openMonitor(ctx context.Context, inherited *daemon.Inherited) error {
	m := d.startup.Monitor.Listener
	if m.Port == 0 {
		return nil
	}
	host := ""
	if m.Address.IsValid() {
		host = m.Address.String()
	}
	address := net.JoinHostPort(host, strconv.Itoa(int(m.Port)))
	sock := inherited.Take("monitor", address)
	if sock == nil {
		var err error
		if sock, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address); err != nil {
			return fmt.Errorf("monitor: %w", err)
		}
	}
	if m.Type == "https" {
		sock = tls.NewListener(sock, &tls.Config{GetCertificate: d.monitorCertificate})
	}
	d.monitorSocket = sock
	d.undo = append(d.undo, func() { sock.Close() })
	return nil
}

// monitorCertificate is the one that the running configuration names for the
// monitor.
func (d *Daemon) monitorCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	s := d.current.Load().monitor
	if s == nil {
		return nil, nil // no certificate
	}
	return s.GetCertificate(hello)
}

// server makes the TLS settings of a TCP control socket; nil where none is
// configured.
func (t *ControlSocketTLS) server() (*tls.Config, error) {
	if !t.Server.Set {
		return nil, nil
	}
	certificate, err := t.Server.Value.Certificate.Read()
	if err != nil {
		return nil, err
	}
	key, err := t.Server.Value.PrivateKey.Read()
	if err != nil {
		return nil, err
	}
	var clients [][]byte
	for _, c := range t.Server.Value.ClientCerts {
		data, err := c.Read()
		if err != nil {
			return nil, err
		}
		clients = append(clients, data)
	}
	return control.ServerTLS(certificate, key, clients)
}
