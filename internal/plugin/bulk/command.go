package bulk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

// commands are what operators can have a queue do.
var commands = map[string]func(*queue) (string, error){
	"start":      func(q *queue) (string, error) { return q.set(running, false) },
	"start-one":  func(q *queue) (string, error) { return q.set(running, true) },
	"stop":       func(q *queue) (string, error) { return q.set(stopping, false) },
	"status":     (*queue).show,
	"count":      (*queue).count,
	"head":       (*queue).head,
	"pop":        (*queue).pop,
	"clear":      (*queue).clear,
	"last-error": (*queue).lastError,
}

var usage = []string{"start", "start-one", "stop", "status", "count", "head", "pop", "clear", "last-error, each with a QUEUE; status without one shows all"}

// Command implements plugin.Plugin: "start QUEUE" and its siblings (spec
// operations.md 15).
func (p *Plugin) Command(_ context.Context, args []string) (string, error) {
	if len(args) == 1 && args[0] == "status" {
		return p.showAll()
	}
	if len(args) != 2 || commands[args[0]] == nil {
		return "", plugin.Usage(args, usage...)
	}
	q := p.queues[args[1]]
	if q == nil {
		var ids []string
		for _, q := range p.order {
			ids = append(ids, q.id)
		}
		return "", fmt.Errorf("%w: %q; there are %s", ErrUnknown, args[1], strings.Join(ids, ", "))
	}
	if q.log == nil {
		return "", errors.New("the queue was not started")
	}
	return commands[args[0]](q)
}

func (p *Plugin) showAll() (string, error) {
	var b strings.Builder
	for _, q := range p.order {
		text, err := q.show()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s\n  %s\n", q.id, strings.ReplaceAll(text, "\n", "\n  "))
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func (q *queue) set(s state, one bool) (string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s == stopping && q.state == stopped {
		s = stopped
	}
	q.state, q.one = s, one
	close(q.change)
	q.change = make(chan struct{})
	return "OK", nil
}

func (q *queue) show() (string, error) {
	var b strings.Builder
	q.mu.Lock()
	s, now := q.status, q.state
	q.mu.Unlock()
	doing := "idle"
	if !s.sending.IsZero() {
		doing = fmt.Sprintf("sending (%.1fs)", time.Since(s.sending).Seconds())
	}
	fmt.Fprintf(&b, "state: %s\nstatus: %s\n", now, doing)
	if s.failure != "" {
		fmt.Fprintf(&b, "error: %s\n", s.failure)
	}
	records, bytes := 0, int64(0)
	if q.log != nil {
		records, bytes = q.log.Len()
	}
	fmt.Fprintf(&b, "requests-sent: %d\nrequests-failed: %d\nitem-sent: %d\nwaiting: %d\nwaiting-bytes: %d\nrefused: %d",
		s.requests, s.failed, s.items, records, bytes, s.refused)
	return b.String(), nil
}

func (q *queue) count() (string, error) {
	n, _ := q.log.Len()
	return fmt.Sprint(n), nil
}

var errEmpty = errors.New("the queue is empty")

func (q *queue) head() (string, error) {
	if err := q.idle(); err != nil {
		return "", err
	}
	b, err := q.log.Peek(1, mostBytes)
	if err == nil && len(b.Texts) == 0 {
		err = errEmpty
	}
	if err != nil {
		return "", err
	}
	return b.Texts[0], nil
}

func (q *queue) pop() (string, error) {
	if err := q.idle(); err != nil {
		return "", err
	}
	b, err := q.log.Peek(1, mostBytes)
	switch {
	case err != nil:
		return "", err
	case len(b.Texts) == 0:
		return "", errEmpty
	}
	return "OK", q.log.Advance(b)
}

func (q *queue) clear() (string, error) {
	if err := q.idle(); err != nil {
		return "", err
	}
	return "OK", q.log.Clear()
}

// idle makes sure that nobody else reads the queue.
func (q *queue) idle() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.state != stopped {
		return fmt.Errorf("the queue is %s; stop it first", q.state)
	}
	return nil
}

func (q *queue) lastError() (string, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.status.failure == "" {
		return "", errors.New("there was none")
	}
	return q.status.failure, nil
}
