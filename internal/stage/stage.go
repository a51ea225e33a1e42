// Package stage decides which connections take part in a trial of a
// configuration, and watches over the trial (spec operations.md 4).
//
// A Stage has conditions, counts what its scripts do, keeps the last lines of
// their log and hands them to whoever listens, and ends: when it is cancelled,
// when its time is over, or by itself when too many of its scripts fail. A Set
// holds the stages that run, in the order of their beginning; a connection is
// asked about once and belongs to the first stage that takes it.
//
// What is staged is up to the caller, who keeps it as the Load of a Stage.
package stage

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Why a stage ended.
var (
	ErrCancelled = errors.New("cancelled")
	ErrTime      = errors.New("its time is over")
	ErrStopped   = errors.New("the MTA stops")
	ErrGone      = errors.New("the connection that it was bound to is closed")
)

// Conditions say which connections a stage takes. Zero fields take all.
type Conditions struct {
	RemoteIPs   []netip.Prefix
	ServerIDs   []string
	Probability float64       // of the connections that fulfil the rest; 1: all
	Time        time.Duration // until the stage ends
	Count       int           // of connections that it takes
}

// Options are what a Stage is made of.
type Options struct {
	ID string
	Conditions
	Bound bool // to the connection that started it; for status only
	// ErrorRate is the share of runs that may fail: of the last ones, ErrorRuns
	// at least and a hundred at most. Above it the stage is cancelled. 1 never
	// is.
	ErrorRate float64
	ErrorRuns int
	// Load is what is staged.
	Load any
	// Ended is called once, when the stage has ended. It may be nil.
	Ended func(*Stage, error)
}

// Stage is one trial. It is safe for concurrent use.
type Stage struct {
	Options
	Points Points
	key    string
	began  time.Time
	taken  atomic.Int64
	open   atomic.Int64
	runs   atomic.Int64
	errors atomic.Int64
	done   chan struct{} // closed when the stage has ended

	mu      sync.Mutex
	timer   *time.Timer  // ends the stage; nil: nothing does
	failed  [window]bool // the last runs, by their number
	failing int
	reason  error // nil: it runs
	ended   time.Time
	log     journal
}

// window is how many runs the rate of errors is taken of.
const window = 100

// takes reports whether the stage takes a connection, which it counts then.
func (s *Stage) takes(server string, client netip.Addr) bool {
	if len(s.ServerIDs) > 0 && !slices.Contains(s.ServerIDs, server) {
		return false
	}
	within := func(n netip.Prefix) bool { return n.Contains(client) }
	if len(s.RemoteIPs) > 0 && !slices.ContainsFunc(s.RemoteIPs, within) {
		return false
	}
	if s.Probability < 1 && rand.Float64() >= s.Probability {
		return false
	}
	if n := s.taken.Add(1); s.Count > 0 && n > int64(s.Count) {
		s.taken.Add(-1)
		return false
	}
	s.open.Add(1)
	return true
}

// Key names this stage, and not one of the same id before or after it.
func (s *Stage) Key() string { return s.key }

// Left says that a connection that the stage took is over.
func (s *Stage) Left() { s.open.Add(-1) }

// Done returns a channel that is closed when the stage has ended.
func (s *Stage) Done() <-chan struct{} { return s.done }

// Alive reports whether the stage still runs.
func (s *Stage) Alive() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// Ran counts a script that ended, and cancels the stage when too many have
// failed.
func (s *Stage) Ran(failed bool) {
	n := s.runs.Add(1)
	if failed {
		s.errors.Add(1)
	}
	if reason := s.judge(n, failed); reason != nil {
		s.end(reason)
	}
}

// judge returns why the stage must not go on, or nil.
func (s *Stage) judge(n int64, failed bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := &s.failed[n%window]
	if *slot {
		s.failing--
	}
	if *slot = failed; failed {
		s.failing++
	}
	seen := min(n, window)
	if !failed || s.reason != nil || seen < int64(s.ErrorRuns) || float64(s.failing) <= s.ErrorRate*float64(seen) {
		return nil
	}
	return fmt.Errorf("%d of its last %d scripts failed, more than a share of %g", s.failing, seen, s.ErrorRate)
}

// end ends the stage unless it has ended.
func (s *Stage) end(reason error) {
	s.mu.Lock()
	if s.reason != nil {
		s.mu.Unlock()
		return
	}
	s.reason, s.ended = reason, time.Now()
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.Say("stage " + s.ID + " has ended: " + reason.Error())
	close(s.done)
	s.Points.release()
	if s.Ended != nil {
		s.Ended(s, reason)
	}
}

// Status is what a stage has come to.
type Status struct {
	Connections, Open int64
	Runs, Errors      int64
	Runtime           time.Duration
	Ended             string // why; empty: it runs
}

// Status returns how far the stage is.
func (s *Stage) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{
		Connections: s.taken.Load(), Open: s.open.Load(), Runs: s.runs.Load(), Errors: s.errors.Load(),
		Runtime: time.Since(s.began),
	}
	if s.reason != nil {
		st.Ended, st.Runtime = s.reason.Error(), s.ended.Sub(s.began)
	}
	return st
}
