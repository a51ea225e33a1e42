// Package rate is the plug-in rate: it asks rated, which counts how often
// something happens.
//
// Requests and answers are datagrams, over a socket of this host or UDP, told apart
// by a number (spec operations.md 12). A name with several addresses is several
// servers that count together: they are asked in turn. With badhost one that has not
// answered is left out until the name is resolved again.
package rate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

// Plugin asks rated. It connects when it is asked for the first time.
type Plugin struct {
	plugin.Base
	startup struct {
		Reresolve time.Duration `key:"reresolve"`
	}
	client atomic.Pointer[client]
}

// settings are the running ones.
type settings struct {
	Path    string        `key:"path"`
	Port    int           `key:"port"`
	Address string        `key:"address"`
	BadHost bool          `key:"badhost"`
	Timeout time.Duration `key:"timeout" unit:"1ms" default:"5000"`
}

// New makes the plug-in from its startup settings. path is where rated listens
// when the running settings do not say.
func New(s plugin.Settings, path string) (*Plugin, error) {
	p := &Plugin{}
	if err := s.Decode(&p.startup); err != nil {
		return nil, err
	}
	if r := p.startup.Reresolve; r != 0 && r < time.Second {
		return nil, fmt.Errorf("reresolve: want at least 1 second, got %v", r)
	}
	p.client.Store(newClient(settings{Path: path, Timeout: 5 * time.Second}, p.startup.Reresolve))
	return p, nil
}

// Prepare implements plugin.Plugin.
func (p *Plugin) Prepare(s plugin.Settings) (func(), error) {
	next := p.client.Load().settings
	if len(s) > 0 {
		next = settings{}
		if err := s.Decode(&next); err != nil {
			return nil, err
		}
		switch {
		case next.Path != "" && next.Port != 0:
			return nil, errors.New("want path, or port and address, not both")
		case next.Port > math.MaxUint16:
			return nil, fmt.Errorf("port: want at most %d, got %d", math.MaxUint16, next.Port)
		case next.Path == "" && next.Port == 0:
			next.Path = p.client.Load().settings.Path
		case next.Address == "":
			next.Address = "localhost"
		}
	}
	return func() {
		if old := p.client.Load(); old.settings != next {
			p.client.Store(newClient(next, p.startup.Reresolve))
			old.close()
		}
	}, nil
}

// Close implements plugin.Plugin.
func (p *Plugin) Close(context.Context) error {
	p.client.Load().close()
	return nil
}

// Request is what is asked of a counter.
type Request struct {
	Namespace string // at most 63 bytes
	Entry     string // at most 511 bytes
	Count     uint32 // how often it may happen in Interval; 0 only asks how often it did
	Interval  uint32 // seconds
	Local     bool   // the other nodes of the cluster are not told
}

// Answer is what rated says.
type Answer struct {
	Allowed bool   // and counted
	Count   uint32 // of a Request without one
}

// Errors of Ask.
var (
	ErrTooLong = errors.New("rate: namespace or entry is too long")
	ErrTimeout = errors.New("rate: no answer in time")
)

// Ask sends a request and waits for the answer. It is safe for concurrent use.
func (p *Plugin) Ask(ctx context.Context, r Request) (Answer, error) {
	if len(r.Namespace) >= namespaceSize || len(r.Entry) >= entrySize {
		return Answer{}, ErrTooLong
	}
	return p.client.Load().ask(ctx, r)
}

// client asks the servers of one configuration.
type client struct {
	settings
	reresolve time.Duration

	mu       sync.Mutex
	servers  []*server
	turn     int
	resolved time.Time
	cookie   uint32
	closed   bool
}

func newClient(s settings, reresolve time.Duration) *client {
	return &client{settings: s, reresolve: reresolve}
}

var errClosed = errors.New("rate: closed")

func (c *client) ask(ctx context.Context, r Request) (Answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, ErrTimeout)
	defer cancel()
	s, cookie, err := c.next(ctx)
	if err != nil {
		return Answer{}, err
	}
	answer, err := s.ask(ctx, cookie, r)
	if err != nil {
		c.failed(s, err)
	}
	return answer, err
}

// next returns the server whose turn it is, and a number for the request.
func (c *client) next(ctx context.Context) (*server, uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, 0, errClosed
	}
	if len(c.servers) == 0 || c.reresolve > 0 && time.Since(c.resolved) >= c.reresolve {
		if err := c.resolveLocked(ctx); err != nil && len(c.servers) == 0 {
			return nil, 0, err
		}
	}
	c.turn++
	c.cookie++
	return c.servers[c.turn%len(c.servers)], c.cookie, nil
}

// resolveLocked connects to all addresses that there are now.
func (c *client) resolveLocked(ctx context.Context) error {
	addresses := []net.Addr{&net.UnixAddr{Name: c.Path, Net: "unixgram"}}
	if c.Path == "" {
		found, err := net.DefaultResolver.LookupIPAddr(ctx, c.Address)
		if err != nil {
			return fmt.Errorf("rate: %w", err)
		}
		addresses = nil
		for _, ip := range found {
			addresses = append(addresses, &net.UDPAddr{IP: ip.IP, Port: c.Port, Zone: ip.Zone})
		}
	}
	var servers []*server
	var failure error
	for _, a := range addresses {
		s, err := connect(a)
		if err != nil {
			failure = err
			continue
		}
		servers = append(servers, s)
	}
	if len(servers) == 0 {
		return failure
	}
	for _, old := range c.servers {
		old.close()
	}
	c.servers, c.resolved = servers, time.Now()
	return nil
}

// failed leaves a server out that did not answer, where that is wanted, and
// connects anew to a socket of this host, behind which there may be another rated.
func (c *client) failed(s *server, err error) {
	bad := c.Path != "" && !errors.Is(err, ErrTimeout) || c.BadHost && c.reresolve > 0
	c.mu.Lock()
	defer c.mu.Unlock()
	if !bad || c.closed || c.Path == "" && len(c.servers) < 2 {
		return
	}
	for i, other := range c.servers {
		if other == s {
			c.servers = append(c.servers[:i:i], c.servers[i+1:]...)
			s.close()
			return
		}
	}
}

func (c *client) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, s := range c.servers {
		s.close()
	}
	c.servers = nil
}

// String names the client for messages.
func (c *client) String() string {
	if c.Path != "" {
		return c.Path
	}
	return net.JoinHostPort(c.Address, strconv.Itoa(c.Port))
}
