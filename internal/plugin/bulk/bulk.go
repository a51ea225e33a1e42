// Package bulk is the plug-in http-bulk: texts that scripts hand over are kept in
// a queue on disk and sent to an HTTP server, many in one request.
//
// Each queue has a goroutine of its own that sends one request at a time. It sends
// when min_items wait, or when max_interval has gone by since the first of them
// came, up to max_items at once. A request that does not end in 2xx is made again
// after a pause that grows; meanwhile texts pile up to max_bytes, beyond which new
// ones are refused. Scripts never wait for the server.
//
// With a concurrency of n there are n such queues, ID, ID.2 … ID.n, that take turns.
package bulk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

// Plugin holds the queues.
type Plugin struct {
	plugin.Base
	groups map[string]*group // by the ID of the settings
	queues map[string]*queue // by ID with number
	order  []*queue
}

// group is the queues of one entry of the settings.
type group struct {
	queues []*queue
	turn   atomic.Uint64
}

// settings are those of one queue.
type settings struct {
	ID             string        `key:"id" required:"true"`
	Path           string        `key:"path" required:"true"`
	URL            string        `key:"url" required:"true"`
	Format         string        `key:"format" default:"jsonarray"`
	MinItems       int           `key:"min_items" default:"1" min:"1"`
	MaxItems       int           `key:"max_items" default:"1" min:"1"`
	MaxInterval    time.Duration `key:"max_interval"`
	TLSVerify      bool          `key:"tls_verify" default:"true"`
	Preamble       string        `key:"preamble"`
	Postamble      string        `key:"postamble"`
	Username       string        `key:"username"`
	Password       string        `key:"password"`
	SigV4          string        `key:"aws_sigv4"`
	Timeout        time.Duration `key:"timeout"`
	ConnectTimeout time.Duration `key:"connect_timeout" default:"300"`
	Headers        []string      `key:"headers"`
	Concurrency    int           `key:"concurrency" default:"1" min:"1"`
	// Ours: how much may wait on disk, and whether it is synced.
	MaxBytes int64 `key:"max_bytes" default:"1073741824" min:"1"`
	Fsync    bool  `key:"fsync" default:"true"`
}

// mostQueues bounds the goroutines and open files of one entry.
const mostQueues = 256

// ErrUnknown is for a queue that the settings do not have.
var ErrUnknown = errors.New("no such queue")

// Complain is told what goes wrong with a queue while nobody asks.
type Complain func(error)

// New makes the plug-in from its startup settings. complain may be nil.
func New(s plugin.Settings, complain Complain) (*Plugin, error) {
	var given struct {
		Queues []settings `key:"queues"`
	}
	if err := s.Decode(&given); err != nil {
		return nil, err
	}
	p := &Plugin{groups: map[string]*group{}, queues: map[string]*queue{}}
	paths := map[string]bool{}
	for i, one := range given.Queues {
		if err := one.check(); err != nil {
			return nil, fmt.Errorf("queues[%d].%w", i, err)
		}
		g := &group{}
		for n := 1; n <= one.Concurrency; n++ {
			q := newQueue(one, n, complain)
			if p.queues[q.id] != nil || paths[q.Path] {
				return nil, fmt.Errorf("queues[%d]: the id %q or the path %q is that of another queue", i, q.id, q.Path)
			}
			p.queues[q.id], paths[q.Path] = q, true
			p.order = append(p.order, q)
			g.queues = append(g.queues, q)
		}
		p.groups[one.ID] = g
	}
	return p, nil
}

func (s *settings) check() error {
	switch {
	case !slices.Contains([]string{ndjson, jsonArray, custom}, s.Format):
		return fmt.Errorf("format: want %s, %s or %s, got %q", ndjson, jsonArray, custom, s.Format)
	case s.MinItems > s.MaxItems && s.MaxItems > 1:
		return fmt.Errorf("min_items: %d is more than the %d that one request takes", s.MinItems, s.MaxItems)
	case s.Concurrency > mostQueues:
		return fmt.Errorf("concurrency: want at most %d, got %d", mostQueues, s.Concurrency)
	case !strings.HasPrefix(s.URL, "http://") && !strings.HasPrefix(s.URL, "https://"):
		return fmt.Errorf("url: want http:// or https://, got %q", s.URL)
	}
	if s.SigV4 != "" {
		if _, err := parseScope(s.SigV4); err != nil {
			return fmt.Errorf("aws_sigv4: %w", err)
		}
	}
	_, err := s.header()
	return err
}

// Start implements plugin.Plugin: it opens the queues and sends what waits there.
func (p *Plugin) Start(context.Context) error {
	for _, q := range p.order {
		if err := q.start(); err != nil {
			return fmt.Errorf("queue %q: %w", q.id, err)
		}
	}
	return nil
}

// Close implements plugin.Plugin. Requests under way may end until ctx does; what
// was not sent stays on disk.
func (p *Plugin) Close(ctx context.Context) error {
	for _, q := range p.order {
		q.end()
	}
	var errs []error
	for _, q := range p.order {
		errs = append(errs, q.wait(ctx))
	}
	return errors.Join(errs...)
}

// Add hands a text to the queue of that id. When it returns nil the text is on
// disk and will be sent. It is safe for concurrent use.
func (p *Plugin) Add(id, text string) error {
	g := p.groups[id]
	if g == nil {
		return fmt.Errorf("%w: %q; there are %s", ErrUnknown, id, strings.Join(slices.Sorted(maps.Keys(p.groups)), ", "))
	}
	q := g.queues[(g.turn.Add(1)-1)%uint64(len(g.queues))]
	if err := q.add(text); err != nil {
		return fmt.Errorf("queue %q: %w", q.id, err)
	}
	return nil
}

// numbered is what queue n of an entry has at the end of its ID and path.
func numbered(n int) string {
	if n == 1 {
		return ""
	}
	return "." + strconv.Itoa(n)
}
