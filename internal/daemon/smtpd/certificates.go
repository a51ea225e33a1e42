package smtpd

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/pki"
	"github.com/posthaste-mta/posthaste/internal/pki/acme"
	"github.com/posthaste-mta/posthaste/internal/telemetry"
	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// certificates obtains certificates and answers the challenges that come with
// it.
type certificates struct {
	keeper   *acme.Keeper
	resolver *dns.Resolver // of the self-check
	folder   string        // that the keeper was started on
	sockets  []challengeSocket
	servers  []*http.Server // by place in sockets
}

// challengeSocket is open and answers nothing yet.
type challengeSocket struct {
	net.Listener
	tls bool
}

// openChallenges opens the sockets for challenges while the process may.
func (d *Daemon) openChallenges(ctx context.Context, inherited *daemon.Inherited) error {
	for _, l := range d.startup.PKI.ACME.Listeners {
		host := ""
		if l.Address.IsValid() {
			host = l.Address.String()
		}
		address := net.JoinHostPort(host, strconv.Itoa(int(l.Port)))
		d.log.Log(ctx, daemon.LevelNotice, "- challenges on "+address)
		sock := inherited.Take("challenges", address)
		if sock == nil {
			var err error
			if sock, err = (&net.ListenConfig{}).Listen(ctx, "tcp", address); err != nil {
				return err
			}
		}
		d.undo = append(d.undo, func() { sock.Close() })
		d.certs.sockets = append(d.certs.sockets, challengeSocket{sock, l.TLS})
	}
	return nil
}

// buildCertificates makes the keeper, which does nothing yet.
func (d *Daemon) buildCertificates(first *snapshot) (err error) {
	if d.certs.resolver, err = dns.New(first.running.checkResolver()); err != nil {
		return err
	}
	d.undo = append(d.undo, d.certs.resolver.Stop)
	metrics := new(acme.Metrics)
	d.certs.keeper = acme.New(acme.Parts{
		Resolver: d.resolver, Agent: "posthaste/" + daemon.Version(),
		Events: telemetry.CertificateEvents(d.log), Metrics: metrics, Registry: &d.registry,
	})
	d.registry.Register(metrics)
	for _, s := range d.certs.sockets {
		d.certs.servers = append(d.certs.servers, &http.Server{
			Handler: d.certs.keeper.Responder(), ReadHeaderTimeout: challengePatience, IdleTimeout: challengePatience,
			ReadTimeout: challengePatience, WriteTimeout: challengePatience, MaxHeaderBytes: 16 << 10, ErrorLog: noLog,
		})
		if s.tls {
			d.certs.servers[len(d.certs.servers)-1].TLSConfig = d.certs.keeper.Responder().Config()
		}
	}
	return nil
}

// noLog takes what strangers make a server complain about.
var noLog = log.New(io.Discard, "", 0)

// challengePatience bounds each step of a client of the challenge sockets.
const challengePatience = 10 * time.Second

// serveChallenges answers until the daemon stops.
func (d *Daemon) serveChallenges() {
	for i, s := range d.certs.sockets {
		server := d.certs.servers[i]
		d.background.Go(func() {
			listener := s.Listener
			if s.tls {
				listener = tls.NewListener(listener, server.TLSConfig)
			}
			_ = server.Serve(listener) // ends with http.ErrServerClosed
		})
	}
}

func (d *Daemon) stopCertificates(ctx context.Context) {
	for _, s := range d.certs.servers {
		if s.Shutdown(ctx) != nil {
			_ = s.Close()
		}
	}
	d.certs.keeper.Stop()
	d.certs.resolver.Stop()
}

// completeCertificates joins the order of certificates with what only a running
// process has.
func (d *Daemon) completeCertificates(next *snapshot) {
	next.fallback.Obtained = d.certs.keeper
	if next.needsDefault() {
		next.fallback.SelfSigned = d.selfSigned(next)
	}
	if next.monitor != nil {
		next.monitor.Obtained = d.certs.keeper
	}
	for _, s := range next.servers {
		if s.selector != nil {
			s.selector.Obtained = d.certs.keeper
		}
	}
	d.configureKeeper(next)
}

// configureKeeper puts the options of a snapshot in force, and starts the keeper
// when it has something to do for the first time.
func (d *Daemon) configureKeeper(next *snapshot) {
	if err := d.certs.resolver.Configure(next.running.checkResolver()); err != nil {
		d.log.Warn(err.Error()) // the servers from before stay
	}
	o := next.acme
	o.Check.Resolver = d.certs.resolver
	o.Publisher = next.running.PKI.ACME.DNS.publisher(d.certs.resolver)
	if o.Off() == "" && o.Uses(acme.HTTP01) && len(d.certs.sockets) == 0 && d.monitorSocket == nil {
		d.log.Warn("pki.acme: nothing of this process answers http-01; set pki.acme.listeners in " + d.startup.Path)
	}
	keeper, folder := d.certs.keeper, next.running.PKI.ACME.Storage.File
	keeper.Configure(o)
	if !keeper.Started() && (o.Off() == "" || hasCertificates(folder)) {
		if err := d.startKeeper(folder); err != nil {
			without := *o
			without.Fault = err.Error()
			keeper.Configure(&without)
			d.log.Warn("certificates are not obtained: " + err.Error())
		}
	} else if keeper.Started() && folder != d.certs.folder {
		d.log.Warn("pki.acme.storage.file takes effect after a restart; certificates stay in " + d.certs.folder)
	}
}

func (d *Daemon) startKeeper(folder string) error {
	storage, err := acme.OpenFileStore(folder)
	if err != nil {
		return err
	}
	d.certs.folder = folder
	return d.certs.keeper.Start(context.Background(), storage)
}

// needsDefault reports whether anything may serve the default certificate.
func (c *snapshot) needsDefault() bool {
	for _, v := range c.running.Servers {
		if strings.HasPrefix(v.TLS.Certs.Cert, managedCert) {
			return true
		}
	}
	return strings.HasPrefix(c.running.Monitor.TLS.Certs.Cert, managedCert)
}

// selfSignedFile is beside what is obtained.
const selfSignedFile = "selfsigned.pem"

// selfSigned returns the certificate of last resort. One that cannot be kept
// serves as long as the process.
func (d *Daemon) selfSigned(next *snapshot) func() *tls.Certificate {
	dir := next.running.PKI.ACME.Storage.File
	if err := os.MkdirAll(dir, 0o750); err != nil {
		d.log.Warn("self-signed certificate: " + err.Error())
	}
	c, err := pki.LoadSelfSigned(vfs.OS, filepath.Join(dir, selfSignedFile), next.fallback.Hostname, time.Now())
	if err != nil {
		d.log.Warn(err.Error())
	}
	return func() *tls.Certificate { return c }
}
