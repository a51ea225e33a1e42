package value

import "context"

// Turn is the right of a thread to run, where only so many threads may at once.
// A thread begins with it. One thread uses a Turn.
//
// A thread gives its turn up while it waits for something outside, so that what
// is slow holds nobody up: Thread.Context, which whatever blocks has to ask for,
// does it, and the machine takes the turn again before it goes on with the
// script. A thread that computes for long is asked by Pass to let others go
// first.
type Turn interface {
	// Rest gives the turn up.
	Rest()
	// Resume waits for it again, and fails with the cause of ctx when that ends.
	Resume(ctx context.Context) error
	// Pass lets others go first if it is their turn.
	Pass(ctx context.Context) error
}

// rest gives up the turn of a thread that is about to wait.
func (t *Thread) rest() {
	if t.Turn != nil && !t.resting {
		t.resting = true
		t.Turn.Rest()
	}
}

// Resume takes the turn again if the thread has given it up. The error is
// uncatchable: the script was ended meanwhile.
func (t *Thread) Resume() error {
	if !t.resting {
		return nil
	}
	t.resting, t.looks = false, 0
	if err := t.Turn.Resume(t.context()); err != nil {
		return t.Interrupted(err)
	}
	return nil
}

// longTurn is how many looks at limits a turn lasts when others wait: some ten
// milliseconds.
const longTurn = 200

// Yield lets other threads go first after a long turn. The machine calls it
// between instructions, never a builtin, which may hold what others wait for.
func (t *Thread) Yield() error {
	if t.Turn == nil || t.looks < longTurn {
		return nil
	}
	t.looks = 0
	if err := t.Turn.Pass(t.context()); err != nil {
		return t.Interrupted(err)
	}
	return nil
}
