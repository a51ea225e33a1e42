package stage

import (
	"context"
	"sync"
	"time"
)

// Stop is the copy of what a script was doing at a break point.
type Stop struct {
	Point       string // id of the break point
	Debugger    string // id that the statement names beside it
	Phase       string
	Transaction string
	Stack       []string // innermost first
	File        string
	Line        int
	Column      int
	Values      map[string]Value
	Time        time.Time
	Held        bool // the script waits for Continue
}

// Value is a variable: JSON, or the bytes of a string that is not UTF-8.
type Value struct {
	Binary bool
	Data   []byte
}

// MaxHold bounds how long a script is held at a break point.
const MaxHold = 5 * time.Minute

// Points are what was copied at the break points of a stage, and who is held
// there. Nobody is held unless SetHold says so, and then for that long at most,
// until Continue, or until the stage ends. It is safe for concurrent use.
type Points struct {
	mu    sync.Mutex
	stops []Stop // the last ones
	first int    // number of the first of stops
	news  chan struct{}
	hold  time.Duration
	free  chan struct{} // closed by Continue; nil: nobody is held
	held  int
	over  bool
}

// keptStops is how many copies are kept for who comes late.
const keptStops = 64

// SetHold makes scripts that come to a break point wait.
func (p *Points) SetHold(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold = min(max(d, 0), MaxHold)
}

// Note takes a copy of a script that has ended.
func (p *Points) Note(s Stop) { p.add(s, false) }

// Reached takes a copy, and holds the script if that is wanted.
func (p *Points) Reached(ctx context.Context, s Stop) {
	free, hold := p.add(s, true)
	if free == nil {
		return
	}
	timer := time.NewTimer(hold)
	defer timer.Stop()
	select {
	case <-free:
	case <-timer.C:
	case <-ctx.Done():
	}
	p.mu.Lock()
	p.held--
	p.mu.Unlock()
}

func (p *Points) add(s Stop, mayHold bool) (free chan struct{}, hold time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.Held = mayHold && p.hold > 0 && !p.over; s.Held {
		if p.free == nil {
			p.free = make(chan struct{})
		}
		p.held++
		free, hold = p.free, p.hold
	}
	s.Time = time.Now()
	if p.stops = append(p.stops, s); len(p.stops) > keptStops {
		p.stops = append(p.stops[:0:0], p.stops[1:]...)
		p.first++
	}
	if p.news != nil {
		close(p.news)
		p.news = nil
	}
	return free, hold
}

// Continue lets go of all who are held, and returns how many they were.
func (p *Points) Continue() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.held
	if p.free != nil {
		close(p.free)
		p.free = nil
	}
	return n
}

// Held returns how many scripts are held.
func (p *Points) Held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// release ends the holding for good.
func (p *Points) release() {
	p.mu.Lock()
	p.over = true
	p.mu.Unlock()
	p.Continue()
}

// Next returns the copy number n, counted from 0, or the oldest after it that is
// kept, and the number of the one behind it. It waits for one to be made, until
// ctx or the stage ends; then ok is false.
func (s *Stage) Next(ctx context.Context, n int) (stop Stop, next int, ok bool) {
	p := &s.Points
	for {
		p.mu.Lock()
		n = max(n, p.first)
		if n < p.first+len(p.stops) {
			stop = p.stops[n-p.first]
			p.mu.Unlock()
			return stop, n + 1, true
		}
		if p.news == nil {
			p.news = make(chan struct{})
		}
		news := p.news
		p.mu.Unlock()
		select {
		case <-news:
		case <-s.done:
			return stop, n, false
		case <-ctx.Done():
			return stop, n, false
		}
	}
}
