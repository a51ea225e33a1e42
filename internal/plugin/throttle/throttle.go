// Package throttle is the plug-in http-background: pools that bound how many
// requests scripts have under way, in all and to one host.
package throttle

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

// Plugin holds the pools.
type Plugin struct {
	plugin.Base
	pools map[string]*pool
}

type settings struct {
	ID       string `key:"id" required:"true"`
	MaxTotal int    `key:"max_total" default:"1" min:"1"`
	MaxHost  int    `key:"max_host" default:"1" min:"1"`
}

// ErrUnknown is for a pool that the settings do not have.
var ErrUnknown = errors.New("no such pool")

// New makes the plug-in from its startup settings.
func New(s plugin.Settings) (*Plugin, error) {
	var given struct {
		Threads []settings `key:"threads"`
	}
	if err := s.Decode(&given); err != nil {
		return nil, err
	}
	p := &Plugin{pools: map[string]*pool{}}
	for i, one := range given.Threads {
		if p.pools[one.ID] != nil {
			return nil, fmt.Errorf("threads[%d].id: there are two pools %q", i, one.ID)
		}
		p.pools[one.ID] = &pool{settings: one, all: make(chan struct{}, one.MaxTotal), hosts: map[string]*host{}}
	}
	return p, nil
}

// pool is one pool. A request takes a place of its host first, so that those that
// wait for a busy host hold nobody up who wants another.
type pool struct {
	settings
	all chan struct{}

	mu    sync.Mutex
	hosts map[string]*host
}

// host counts who uses its places or waits for them; without any it is forgotten.
type host struct {
	places chan struct{}
	users  int
}

// Admit waits until a request to a host may begin in the pool of that id. release
// must be called at its end. It is safe for concurrent use.
func (p *Plugin) Admit(ctx context.Context, id, name string) (release func(), err error) {
	l := p.pools[id]
	if l == nil {
		return nil, fmt.Errorf("%w: %q", ErrUnknown, id)
	}
	h := l.enter(name)
	if err := take(ctx, h.places); err != nil {
		l.leave(name)
		return nil, err
	}
	if err := take(ctx, l.all); err != nil {
		<-h.places
		l.leave(name)
		return nil, err
	}
	return sync.OnceFunc(func() {
		<-l.all
		<-h.places
		l.leave(name)
	}), nil
}

func take(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *pool) enter(name string) *host {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hosts[name]
	if h == nil {
		h = &host{places: make(chan struct{}, l.MaxHost)}
		l.hosts[name] = h
	}
	h.users++
	return h
}

func (l *pool) leave(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.hosts[name]; h.users > 1 {
		h.users--
	} else {
		delete(l.hosts, name)
	}
}
