package value

import "sync"

// ErrDeadlock is the exception for a lock that could never be had.
var ErrDeadlock = Errorf("deadlock: two scripts wait for each other")

// locks are named locks that threads hold for as long as script code runs. They
// are reentrant, their waiters can be cancelled, and a circle of waiters is
// found before it closes.
type locks struct {
	mu   sync.Mutex
	held map[any]*lock
}

// lock is one lock that somebody holds.
type lock struct {
	owner   *Thread
	depth   int
	waiters []chan struct{} // each closed by who hands the lock over
	heirs   []*Thread       // the threads of waiters
}

func (l *locks) acquire(t *Thread, name any) error {
	l.mu.Lock()
	k := l.held[name]
	if k == nil {
		k = &lock{owner: t}
		l.held[name] = k
	}
	if k.owner == t {
		k.depth++
		l.mu.Unlock()
		return nil
	}
	if k.leadsTo(t) {
		l.mu.Unlock()
		return ErrDeadlock
	}
	turn := make(chan struct{})
	k.waiters, k.heirs = append(k.waiters, turn), append(k.heirs, t)
	t.waiting = k
	l.mu.Unlock()
	return l.wait(t, name, k, turn)
}

// leadsTo reports whether the owner waits, perhaps through others, for t.
func (k *lock) leadsTo(t *Thread) bool {
	for ; k != nil; k = k.owner.waiting {
		if k.owner == t {
			return true
		}
	}
	return false
}

func (l *locks) wait(t *Thread, name any, k *lock, turn chan struct{}) error {
	ctx := t.Context()
	select {
	case <-turn:
		err := t.Resume()
		if err != nil {
			l.release(t, name)
		}
		return err
	case <-ctx.Done():
	}
	l.mu.Lock()
	t.waiting = nil
	for i, c := range k.waiters {
		if c == turn {
			k.waiters = append(k.waiters[:i:i], k.waiters[i+1:]...)
			k.heirs = append(k.heirs[:i:i], k.heirs[i+1:]...)
			l.mu.Unlock()
			return t.Interrupted(ctx.Err())
		}
	}
	l.mu.Unlock()
	// The lock came at the same moment.
	l.release(t, name)
	return t.Interrupted(ctx.Err())
}

func (l *locks) release(t *Thread, name any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.held[name]
	if k == nil || k.owner != t {
		return
	}
	if k.depth--; k.depth > 0 {
		return
	}
	if len(k.waiters) == 0 {
		delete(l.held, name)
		return
	}
	turn := k.waiters[0]
	k.owner, k.depth = k.heirs[0], 1
	k.owner.waiting = nil
	k.waiters, k.heirs = k.waiters[1:], k.heirs[1:]
	close(turn)
}

func (l *locks) holds(t *Thread, name any) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.held[name]
	return k != nil && k.owner == t
}
