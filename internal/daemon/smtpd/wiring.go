package smtpd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/backoff"
	"github.com/posthaste-mta/posthaste/internal/control"
	"github.com/posthaste-mta/posthaste/internal/daemon"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/dns"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/metric"
	"github.com/posthaste-mta/posthaste/internal/pki/acme"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/server"
	"github.com/posthaste-mta/posthaste/internal/session"
	"github.com/posthaste-mta/posthaste/internal/spool"
	"github.com/posthaste-mta/posthaste/internal/telemetry"
)

// build makes the parts and joins them.
func (d *Daemon) build(first *snapshot) (err error) {
	if d.resolver, err = dns.New(first.running.Resolver.Options()); err != nil {
		return err
	}
	d.undo = append(d.undo, d.resolver.Stop)
	if err := os.MkdirAll(d.startup.Environment.TmpDir, 0o700); err != nil {
		return fmt.Errorf("environment.tmpdir: %w", err)
	}
	if d.store, err = spool.Open(d.startup.spoolOptions(d)); err != nil {
		return err
	}
	d.undo = append(d.undo, func() { d.store.Close() })
	d.courier = delivery.New(d.resolver, first.courierOptions(d.startup), d.deliveryEvents())
	rules, err := first.running.Policy.compile(first.running)
	if err != nil {
		return err
	}
	suspensions, err := first.running.Suspend.compile(first.running)
	if err != nil {
		return err
	}
	queueMetrics, policyMetrics := new(queue.Metrics), new(policy.Metrics)
	events := telemetry.QueueEvents(d.log)
	d.queue = queue.New(queue.Options{
		Store: d.store, Courier: d.courier, Events: d.watched(events),
		NewID: d.newID(), Metrics: queueMetrics,
		Policies: rules, Suspensions: suspensions, PolicyMetrics: policyMetrics,
	}, first.queue)
	d.backoff = backoff.New(d.queue, telemetry.BackoffEvents(d.log))
	process := d.processMetrics()
	for _, m := range []any{process, d.backoff.Metrics(), queueMetrics, policyMetrics, d.courier.Metrics(), d.resolver.Metrics(), &d.store.Metrics, d.scripts.signing.Metrics()} {
		d.registry.Register(m)
	}
	for p, sizes := range d.queue.Priorities() {
		d.registry.Register(sizes, metric.Label{Name: "priority", Value: strconv.Itoa(p)})
	}
	if err := d.buildCertificates(first); err != nil {
		return err
	}
	if d.control != nil {
		d.control.Provide(d.parts())
	}
	if d.monitorSocket != nil {
		d.monitor = telemetry.NewMonitor(&d.registry, d.scripts.users, d.health, d.log.Logger)
		d.monitor.Public(acme.ChallengePrefix, d.certs.keeper.Responder())
		d.addDebugPages()
	}
	return nil
}

func (s *Startup) spoolOptions(d *Daemon) spool.Options {
	o := spool.Options{
		Path: s.Spool.Path, TempDir: s.Environment.TmpDir, NoSync: !s.Spool.Fsync,
		MinFreeBytes: int64(s.Spool.MinFree.Bytes), MinFreeInodes: int64(s.Spool.MinFree.Inodes),
		CacheBytes: bodyCache, LoaderThreads: s.Spool.Loader.Threads.Value,
		Events: telemetry.SpoolEvents(d.log),
	}
	switch s.Spool.Corrupt {
	case CorruptRename:
		o.Corrupt = spool.CorruptRename
	case CorruptUnlink:
		o.Corrupt = spool.CorruptUnlink
	}
	return o
}

// bodyCache holds fresh bodies, so that the first attempt reads no disk.
const bodyCache = 64 << 20

// courierOptions composes those of the courier.
func (s *snapshot) courierOptions(startup *Startup) delivery.Options {
	q := &s.running.Queues
	return delivery.Options{
		Hostname: s.hostname, Own: startup.ownHost(s.hostname),
		PoolSize: q.Pooling.Size, PoolPolicy: s.poolPolicy, MaxConnections: q.Concurrency.Total,
		ProxyHoldDown: q.Proxy.HoldDown, Proxies: s.running.proxies(),
	}
}

// deliveryEvents are those that the log and the queue hear.
func (d *Daemon) deliveryEvents() delivery.Events {
	e := telemetry.DeliveryEvents(d.log)
	changed, silent := e.ProxyChanged, e.SourceSilent
	e.ProxyChanged = func(s delivery.ProxyStatus) {
		changed(s)
		d.queue.Proxy(s.Proxy, s.Down)
	}
	e.SourceSilent = func(a netip.Addr, wait time.Duration) {
		silent(a, wait)
		d.queue.RestSource(a, wait)
	}
	return e
}

// ownHost tells mail exchangers that are this very MTA: by name, and by address
// where we take mail on the port that they are reached at. Behind a translating
// router a loop by address shows only in the count of hops.
func (s *Startup) ownHost(hostname string) func(string, netip.Addr) bool {
	var listening []netip.Addr
	everywhere := false
	for _, v := range s.Servers {
		for _, l := range v.Listeners {
			if l.Port == smtpPort && l.Address.IsValid() {
				listening = append(listening, l.Address)
			}
			everywhere = everywhere || l.Port == smtpPort && !l.Address.IsValid()
		}
	}
	return func(name string, ip netip.Addr) bool {
		return strings.EqualFold(strings.TrimSuffix(name, "."), strings.TrimSuffix(hostname, ".")) ||
			slices.Contains(listening, ip) ||
			everywhere && ip.IsValid() && (ip.IsLoopback() || ip.IsUnspecified())
	}
}

// smtpPort is where mail exchangers listen.
const smtpPort = 25

// adopt puts a snapshot in force.
func (d *Daemon) adopt(next *snapshot) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.adoptLocked(next)
}

func (d *Daemon) adoptLocked(next *snapshot) {
	d.completeCertificates(next)
	for id, s := range next.servers {
		d.complete(id, s)
		d.publishLimit(id, s)
	}
	next.plugins()
	d.scripts.pools.resize(d.startup, next.running)
	if err := next.running.declare(d.scripts.users); err != nil {
		d.log.Error(err.Error()) // compose has tried it
	}
	d.current.Store(next)
	d.courier.Configure(next.courierOptions(d.startup))
	d.queue.Reload(d.withStages(next.queue))
	d.configureBackoff(next.running)
	if d.monitor != nil {
		d.monitor.SetKeys(next.running.Monitor.APIKeys)
	}
	d.version = d.describe(next)
}

// complete fills in what a session needs of the other parts.
func (d *Daemon) complete(id string, s *serverSettings) {
	s.session.Queue, s.session.NewID = spooler{d.queue}, d.newID()
	s.session.Events = telemetry.SessionEvents(d.log)
	for i, v := range d.startup.Servers {
		if v.ID == id {
			s.session.Metrics = d.sessionMetrics[i]
		}
	}
	if s.ptr {
		s.session.LookupPTR = d.lookupPTR
	}
}

func (d *Daemon) publishLimit(id string, s *serverSettings) {
	for i, v := range d.startup.Servers {
		if v.ID == id {
			d.serverMetrics[i].MaxConcurrent.Set(int64(s.limits.Total))
		}
	}
}

// newServer makes the server of that id for sockets that are open.
func (d *Daemon) newServer(id string, listeners []*server.Listener) *server.Server {
	label := metric.Label{Name: "serverid", Value: id}
	sessions, connections := new(session.Metrics), new(server.Metrics)
	d.sessionMetrics = append(d.sessionMetrics, sessions)
	d.serverMetrics = append(d.serverMetrics, connections)
	d.registry.Register(connections, label)
	d.registry.Register(sessions, label)
	for _, l := range listeners {
		l.Implicit = func(listener string) bool { return d.settings(id).implicit.covers(listener) }
	}
	return server.New(server.Options{
		ID: id, Listeners: listeners, Metrics: connections,
		Busy:   []byte("421 4.7.0 Too many connections, try again later\r\n"),
		Limits: func() server.Limits { return d.settings(id).limits },
		Begin: func(conn net.Conn, p server.Peer) server.Conversation {
			s := d.settingsFor(id, p.Remote.Addr().Unmap())
			return session.New(conn, peer(p, s.implicit.covers(p.Listener)), s.session)
		},
		Events: telemetry.ServerEvents(d.log, id, d.fail),
	})
}

func (d *Daemon) settings(id string) *serverSettings { return d.current.Load().servers[id] }

// spooler is the queue as sessions see it.
type spooler struct{ queue *queue.Queue }

// body is a spool.Message whose errors are those that a session knows.
type body struct{ *spool.Message }

func (b body) Write(p []byte) (int, error) {
	n, err := b.Message.Write(p)
	return n, inSessionTerms(err)
}

func (q spooler) Body() session.Body { return body{q.queue.Body()} }

func (q spooler) Add(ctx context.Context, m *envelope.Message, b session.Body) error {
	return inSessionTerms(q.queue.Add(ctx, m, b.(body).Message))
}

func inSessionTerms(err error) error {
	switch {
	case errors.Is(err, spool.ErrDiskFull), errors.Is(err, spool.ErrLowSpace):
		return fmt.Errorf("%w: %w", session.ErrNoSpace, err)
	case errors.Is(err, spool.ErrTooLarge):
		return fmt.Errorf("%w: %w", session.ErrTooLarge, err)
	}
	return err
}

// newID returns the maker of ids that the configuration asks for.
func (d *Daemon) newID() func() envelope.ID {
	if d.startup.Environment.UUID.Version == 1 {
		return envelope.NewTimeID
	}
	return envelope.NewID
}

// ptrPatience is how long a client may have to wait because DNS does not know
// its name.
const ptrPatience = 5 * time.Second

func (d *Daemon) lookupPTR(ctx context.Context, ip netip.Addr) session.PTR {
	ctx, cancel := context.WithTimeout(ctx, ptrPatience)
	defer cancel()
	name, err := d.resolver.ReverseName(ctx, ip)
	if err != nil {
		return session.PTR{}
	}
	return session.PTR{Name: name}
}

// health says why the process is not healthy.
func (d *Daemon) health() error {
	if d.draining.Load() {
		return errors.New("stopping")
	}
	limits := d.current.Load().running.Monitor.Healthy.MaxMessages
	if !limits.Upper.Set {
		return nil
	}
	loaded := d.queue.Loaded()
	switch {
	case loaded > limits.Upper.Value:
		d.crowded.Store(true)
	case loaded < limits.Lower.Or(limits.Upper.Value):
		d.crowded.Store(false)
	}
	if d.crowded.Load() {
		return fmt.Errorf("%d messages in memory, the limit is %d", loaded, limits.Upper.Value)
	}
	return nil
}

// describe says what is in force, for operators.
func (d *Daemon) describe(s *snapshot) control.Version {
	v := control.Version{
		Program: daemon.Version(), Path: d.startup.Environment.AppConf, Schema: s.running.Version,
		Loaded: time.Now(), Generation: d.version.Generation + 1,
	}
	if data, err := d.options.Files.Read(v.Path); err == nil {
		sum := sha256.Sum256(data)
		v.Digest = hex.EncodeToString(sum[:])
	}
	return v
}
