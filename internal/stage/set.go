package stage

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Set holds the stages that run, and the last few that have ended. The zero Set
// has none. It is safe for concurrent use.
type Set struct {
	live atomic.Pointer[[]*Stage] // in the order of their beginning; nil: none

	mu   sync.Mutex // of changes
	past []*Stage   // newest last
}

// Bounds of a Set.
const (
	maxStages = 32
	maxPast   = 8
)

var idForm = regexp.MustCompile(`^[A-Za-z0-9._:@-]{1,64}$`)

// Check says what is wrong with the options, before what is to be staged is
// made.
func (s *Set) Check(o Options) error {
	switch {
	case !idForm.MatchString(o.ID):
		return fmt.Errorf("stage: %q is no id: want 1 to 64 letters, digits, or any of . _ : @ -", o.ID)
	case !(o.Probability >= 0 && o.Probability <= 1 && o.ErrorRate >= 0 && o.ErrorRate <= 1):
		return fmt.Errorf("stage: probability and error rate are between 0 and 1, got %g and %g", o.Probability, o.ErrorRate)
	case len(s.Live()) >= maxStages:
		return fmt.Errorf("stage: %d stages run already, and no more may", maxStages)
	case s.Find(o.ID) != nil:
		return fmt.Errorf("stage: %q runs already: cancel it first, or choose another id", o.ID)
	}
	return nil
}

// Start puts a stage in force, after prepare, which may be nil, has seen it. The
// error says what is wrong with the options.
func (s *Set) Start(o Options, prepare func(*Stage)) (*Stage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.Check(o); err != nil {
		return nil, err
	}
	stage := &Stage{Options: o, began: time.Now(), done: make(chan struct{})}
	stage.key = o.ID + "/" + strconv.FormatInt(stage.began.UnixNano(), 36)
	ended := o.Ended
	stage.Ended = func(t *Stage, reason error) {
		s.remove(t)
		if ended != nil {
			ended(t, reason)
		}
	}
	if prepare != nil {
		prepare(stage)
	}
	if o.Time > 0 {
		stage.mu.Lock()
		stage.timer = time.AfterFunc(o.Time, func() { stage.end(ErrTime) })
		stage.mu.Unlock()
	}
	next := append(slices.Clone(s.Live()), stage)
	s.live.Store(&next)
	return stage, nil
}

func (s *Set) remove(t *Stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(s.Live()), func(o *Stage) bool { return o == t })
	if s.live.Store(&left); len(left) == 0 {
		s.live.Store(nil)
	}
	s.past = append(s.past, t)
	if over := len(s.past) - maxPast; over > 0 {
		s.past = slices.Delete(s.past, 0, over)
	}
}

// Live returns the stages that run. The caller does not change the slice.
func (s *Set) Live() []*Stage {
	if live := s.live.Load(); live != nil {
		return *live
	}
	return nil
}

// Past returns stages that have ended, the newest last.
func (s *Set) Past() []*Stage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.past)
}

// Find returns the stage of that id that runs, or nil.
func (s *Set) Find(id string) *Stage {
	for _, t := range s.Live() {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// Keyed returns the stage of that key that runs, or nil.
func (s *Set) Keyed(key string) *Stage {
	for _, t := range s.Live() {
		if t.key == key {
			return t
		}
	}
	return nil
}

// Choose returns the stage that takes a new connection, or nil. Who gets one
// says when the connection is over, with Left.
func (s *Set) Choose(server string, client netip.Addr) *Stage {
	for _, t := range s.Live() {
		if t.Alive() && t.takes(server, client) {
			return t
		}
	}
	return nil
}

// Cancel ends the stage of that id, or all when it is empty, and returns the ids
// of those that it ended.
func (s *Set) Cancel(id string, reason error) (ids []string) {
	for _, t := range s.Live() {
		if id == "" || t.ID == id {
			t.end(reason)
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// End ends this stage, and not one of the same id that came after it.
func (s *Stage) End(reason error) { s.end(reason) }
