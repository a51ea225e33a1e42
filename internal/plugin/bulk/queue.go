package bulk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthaste-mta/posthaste/internal/plugin/backlog"
)

// mostBytes bounds the texts of one request.
const mostBytes = 32 << 20

// Pauses after a request that failed: the first, and the longest.
const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

// graceful is how long at least a request under way may take to end when the
// process ends.
const graceful = 5 * time.Second

// queue is one queue on disk and the goroutine that empties it.
type queue struct {
	settings
	id       string
	complain Complain
	sender   *sender
	log      *backlog.Log  // nil before start
	quit     chan struct{} // closed by end
	done     chan struct{} // closed when run has returned
	cancel   context.CancelFunc
	ended    sync.Once

	mu     sync.Mutex
	state  state
	one    bool          // send single texts
	change chan struct{} // closed and replaced when state or one change
	status status
}

// state says whether a queue sends.
type state string

const (
	running  state = "running"
	stopping state = "stopping" // stopped after the request under way
	stopped  state = "stopped"
)

// status is what operators are shown.
type status struct {
	sending  time.Time // of the request under way; zero: there is none
	failure  string    // of the last request; "": it went well
	requests int64     // that went well
	failed   int64
	items    int64 // that were sent
	refused  int64 // for lack of room
}

func newQueue(s settings, n int, complain Complain) *queue {
	s.Path += numbered(n)
	if complain == nil {
		complain = func(error) {}
	}
	return &queue{
		settings: s, id: s.ID + numbered(n), complain: complain, sender: newSender(s), state: running,
		change: make(chan struct{}), quit: make(chan struct{}), done: make(chan struct{}),
	}
}

func (q *queue) start() (err error) {
	if q.log, err = backlog.Open(q.Path, backlog.Options{MaxBytes: q.MaxBytes, NoSync: !q.Fsync}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	q.cancel = cancel
	go func() {
		defer close(q.done)
		q.run(ctx)
	}()
	return nil
}

func (q *queue) add(text string) error {
	if q.log == nil {
		return errors.New("it was not started")
	}
	err := q.log.Append(text)
	if errors.Is(err, backlog.ErrFull) {
		q.mu.Lock()
		q.status.refused++
		failure := q.status.failure
		q.mu.Unlock()
		if failure != "" {
			err = fmt.Errorf("%w; the last request failed: %s", err, failure)
		}
	}
	return err
}

// end begins the end.
func (q *queue) end() { q.ended.Do(func() { close(q.quit) }) }

// wait returns when the queue has ended.
func (q *queue) wait(ctx context.Context) error {
	if q.log == nil {
		return nil
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceful)
	defer cancel()
	select {
	case <-q.done:
	case <-grace.Done():
		select {
		case <-q.done:
		case <-ctx.Done():
		}
	}
	q.cancel()
	<-q.done
	return q.log.Close()
}

// run sends until the end.
func (q *queue) run(ctx context.Context) {
	defer q.sender.close()
	pause := time.Duration(0)
	since := time.Now() // when the first of those that wait has come
	for q.ready(&since) {
		batch, err := q.log.Peek(q.most(), mostBytes)
		if err != nil {
			q.complain(fmt.Errorf("queue %q: %w", q.id, err))
			if !q.sleep(firstPause) {
				return
			}
			continue
		}
		if len(batch.Texts) == 0 {
			continue
		}
		q.began()
		err = q.sender.send(ctx, batch.Texts)
		q.finished(len(batch.Texts), err)
		if err == nil {
			if err := q.log.Advance(batch); err != nil {
				q.complain(fmt.Errorf("queue %q: %w", q.id, err))
			}
			pause, since = 0, time.Now()
			continue
		}
		if pause == 0 {
			q.complain(fmt.Errorf("queue %q: %w", q.id, err))
		}
		pause = min(max(2*pause, firstPause), longestPause)
		if !q.sleep(pause) {
			return
		}
	}
}

// ready waits until there is something to send, and returns false at the end.
func (q *queue) ready(since *time.Time) bool {
	for {
		state, one, change := q.settled()
		n, _ := q.log.Len()
		if n == 0 {
			*since = time.Time{}
		} else if since.IsZero() {
			*since = time.Now()
		}
		var timer <-chan time.Time
		if state == running && n > 0 {
			left := q.MaxInterval - time.Since(*since)
			if one || n >= q.MinItems || n >= q.MaxItems || q.MaxInterval > 0 && left <= 0 {
				select {
				case <-q.quit:
					return false
				default:
					return true
				}
			}
			if q.MaxInterval > 0 {
				timer = time.After(left)
			}
		}
		select {
		case <-q.quit:
			return false
		case <-change:
		case <-timer:
		case <-q.log.More():
		}
	}
}

// settled returns what the queue is to do; one that was stopping is stopped now.
func (q *queue) settled() (state, bool, <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state == stopping {
		q.state = stopped
	}
	return q.state, q.one, q.change
}

// most is how many texts the next request takes.
func (q *queue) most() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.one {
		return 1
	}
	return q.MaxItems
}

// sleep waits, until an operator wants something or the queue ends; then it
// returns false.
func (q *queue) sleep(d time.Duration) bool {
	q.mu.Lock()
	change := q.change
	q.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-q.quit:
		return false
	case <-change:
	case <-timer.C:
	}
	return true
}

func (q *queue) began() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.status.sending = time.Now()
}

func (q *queue) finished(items int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.status.sending, q.status.failure = time.Time{}, ""
	if err != nil {
		q.status.failed++
		q.status.failure = err.Error()
		return
	}
	q.status.requests++
	q.status.items += int64(items)
}
