package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

// Explanation says of an entry or of a sub-queue what has happened, what it
// waits for, and what comes next. It is put together when somebody asks, from
// what the schedule knows anyway.
type Explanation struct {
	View    *View        // of an entry; nil for a sub-queue
	Tuple   policy.Tuple // of a sub-queue, the fields that tell it apart
	Waiting int          // entries in the sub-queue
	Sending int
	Ahead   int  // of a waiting entry: how many of its group come first, counted to some bound
	Busy    bool // as many attempts run as may run at once
	InTurn  bool // nothing is known to hold the sub-queue back
	Started time.Time
	Ways    []Way
	Steps   []Step
	Next    time.Time // when something changes by itself; zero: nothing does
	Summary string
}

// Way says what keeps an attempt from starting by one source address.
type Way struct {
	policy.WayView
	Since   time.Time // zero unless something does
	Until   time.Time // zero: no time will change that
	Holders []string  // id:queueid of some that have the slots
	Text    string
}

// Step is one thing that has happened, or is to.
type Step struct {
	At   time.Time // zero: the time is not kept
	Kind string    // accepted, failed, resolved, waits, sending or next
	Text string
}

// Bounds of an explanation.
const (
	maxAhead      = 10_000
	maxHolders    = 5
	maxExplained  = 100
	maxWayDetails = 64
)

// Explain explains the entries of a message, or one of them; number 0 is all.
// It returns ErrGone when there is none.
func (q *Queue) Explain(ctx context.Context, id envelope.ID, number uint32) ([]Explanation, error) {
	f, err := NewFilter([]Condition{{Field: "id", Values: []string{id.String()}}})
	if err != nil {
		return nil, err
	}
	var found []target
	err = q.Walk(ctx, f, func(v *View) bool {
		if number == 0 || v.Number == number {
			found = append(found, target{slot: v.slot, id: v.ID, number: v.Number})
		}
		return len(found) < maxExplained
	})
	if err != nil {
		return nil, err
	}
	var out []Explanation
	err = q.ask(ctx, func(s *schedule) {
		for i := range found {
			if e := s.find(found[i].slot, found[i].id, found[i].number); e != nil {
				out = append(out, s.explainEntry(e))
			}
		}
	})
	if err == nil && len(out) == 0 {
		err = ErrGone
	}
	return out, err
}

// ExplainGroup explains the sub-queues of a grouping, or of a recipient domain,
// those with the most entries first, up to some bound.
func (q *Queue) ExplainGroup(ctx context.Context, name string) (out []Explanation, err error) {
	err = q.ask(ctx, func(s *schedule) {
		sums := map[*subqueue]*Explanation{}
		for _, g := range s.groups {
			if g.grouping != name && !strings.EqualFold(g.key.domain.Value(), name) {
				continue
			}
			x := sums[g.line]
			if x == nil {
				x = &Explanation{Tuple: g.line.Tuple()}
				sums[g.line] = x
			}
			x.Waiting += g.waiting
			x.Sending += g.sending
		}
		lines := make([]*subqueue, 0, len(sums))
		for l := range sums {
			lines = append(lines, l)
		}
		slices.SortFunc(lines, func(a, b *subqueue) int {
			return cmp.Or(cmp.Compare(sums[b].Waiting, sums[a].Waiting), cmp.Compare(sums[b].Sending, sums[a].Sending))
		})
		for _, l := range lines[:min(len(lines), maxExplained)] {
			x := sums[l]
			s.explainLine(x, l)
			x.summarise()
			out = append(out, *x)
		}
	})
	return out, err
}

func (s *schedule) explainEntry(e *entry) Explanation {
	x := Explanation{View: new(View)}
	e.view(x.View)
	x.step(x.View.Received, "accepted", acceptedText(x.View))
	if e.retry > 0 || e.reason != "" {
		x.step(time.Time{}, "failed", fmt.Sprintf("%d attempts so far; the last reason is: %s", e.retry, e.reason))
	}
	switch e.state {
	case StateActive:
		s.explainResolved(&x, e)
		s.explainLine(&x, e.group.line)
		for at := e.prev; at != &e.group.lanes[e.msg.priority].entries.head && x.Ahead < maxAhead; at = at.prev {
			x.Ahead++
		}
	case StateSending:
		s.explainResolved(&x, e)
		slot := s.running[e]
		x.View.LocalIP, x.Started = slot.Source.Addr, s.began.Add(slot.Since())
		x.step(x.Started, "sending", "handed to a worker"+from(slot.Source))
	case StateDefer:
		x.Next = time.UnixMilli(e.due)
	}
	x.summarise()
	return x
}

func from(s policy.Source) string {
	if !s.Addr.IsValid() {
		return ""
	}
	return ", to leave from " + s.Addr.String()
}

func acceptedText(v *View) string {
	text := "accepted"
	if v.ServerID != "" {
		text += " by " + v.ServerID
	}
	if v.ClientIP.IsValid() {
		text += " from " + v.ClientIP.String()
	}
	return text + fmt.Sprintf(" for transport %s, priority %d", v.Transport, v.Priority)
}

func (s *schedule) explainResolved(x *Explanation, e *entry) {
	k, grouping := &e.group.key, e.group.grouping
	text := "resolved to " + strings.TrimSpace(k.mx+" ["+k.addr.String()+"]")
	if grouping != "" {
		text += ", grouping " + grouping
	}
	x.step(time.Time{}, "resolved", text)
}

func (s *schedule) explainLine(x *Explanation, l *subqueue) {
	x.Busy = s.sending >= s.settings.Concurrency
	x.InTurn = l.InTurn()
	for i, w := range s.engine.Explain(l.Line, s.clock, maxHolders) {
		if i >= maxWayDetails {
			break
		}
		x.Ways = append(x.Ways, s.way(w))
	}
	begin := len(x.Steps)
	for i := range x.Ways {
		w := &x.Ways[i]
		if w.Why == 0 {
			continue
		}
		x.step(w.Since, "waits", w.Text)
		if !w.Until.IsZero() && (x.Next.IsZero() || w.Until.Before(x.Next)) {
			x.Next = w.Until
		}
	}
	slices.SortStableFunc(x.Steps[begin:], func(a, b Step) int { return a.At.Compare(b.At) })
}

func (s *schedule) way(v policy.WayView) Way {
	w := Way{WayView: v}
	if v.Why != 0 {
		w.Since = s.began.Add(time.Duration(v.Since))
	}
	now := s.began.Add(time.Duration(s.clock))
	switch {
	case v.Suspension != nil && v.Suspension.Left > 0:
		w.Until = now.Add(v.Suspension.Left)
	case v.Counter != nil && v.Counter.NextStart > 0:
		w.Until = now.Add(v.Counter.NextStart)
	}
	for _, h := range v.Holders {
		if e, ok := h.(*entry); ok {
			w.Holders = append(w.Holders, fmt.Sprintf("%s:%d", e.msg.id, e.number))
		}
	}
	w.Text = w.describe()
	return w
}

// describe says in words what the way waits for.
func (w *Way) describe() string {
	var b strings.Builder
	if w.Local != "" {
		fmt.Fprintf(&b, "from %s: ", w.Local)
	}
	switch {
	case w.Suspension != nil:
		b.WriteString(w.suspended())
	case w.Counter != nil:
		b.WriteString(w.limited())
	case w.Why == 0:
		b.WriteString("nothing holds it back")
	default:
		b.WriteString("looks again")
	}
	return b.String()
}

func (w *Way) suspended() string {
	s := w.Suspension
	text := "suspended by the file"
	if s.Dynamic {
		text = "suspended by " + s.ID
	}
	if s.Tag != "" {
		text += fmt.Sprintf(" (%s)", s.Tag)
	}
	if condition := s.If.String(); condition != "" {
		return text + ": " + condition
	}
	return text + ": everything"
}

func (w *Way) limited() string {
	c := w.Counter
	name := strings.Join(c.Fields.Names(), ", ")
	if name == "" {
		name = "all"
	}
	text := fmt.Sprintf("policy %d [%s]", c.Policy+1, name)
	if v := c.Values.String(); v != "" {
		text += " " + v
	}
	if len(c.Dynamics) > 0 {
		text += " with " + c.Dynamics[0].ID
	}
	switch w.Why {
	case policy.ByConcurrency:
		text += fmt.Sprintf(": concurrency %d of %d", c.Used, c.Limits.Concurrency)
	case policy.ByRate:
		text += fmt.Sprintf(": the rate %s is used up", c.Limits.Rate)
	case policy.ByConnectInterval:
		text += fmt.Sprintf(": one new connection each %s", c.Limits.ConnectInterval)
	}
	if len(w.Holders) > 0 {
		text += "; among those that run: " + strings.Join(w.Holders, " ")
	}
	return text
}

func (x *Explanation) step(at time.Time, kind, text string) {
	x.Steps = append(x.Steps, Step{at, kind, text})
}

// open reports whether some way waits for nothing.
func (x *Explanation) open() bool {
	return len(x.Ways) == 0 || slices.ContainsFunc(x.Ways, func(w Way) bool { return w.Why == 0 })
}

// summarise says in one sentence why it is where it is.
func (x *Explanation) summarise() {
	x.Summary = x.sentence()
	if x.Next.IsZero() {
		return
	}
	what := "a limit or suspension ends"
	if x.View != nil && x.View.State == StateDefer {
		what = "the next attempt is due"
	}
	x.step(x.Next, "next", what)
}

func (x *Explanation) sentence() string {
	if v := x.View; v != nil {
		switch v.State {
		case StateHold:
			return "on hold until somebody releases it"
		case StateDefer:
			return "waits for its next attempt"
		case StateUnknown:
			return "is due: waits for the pre-delivery hook and the DNS, or is with them"
		case StateSending:
			return "is being sent"
		}
	}
	switch {
	case x.View == nil && x.Waiting == 0:
		return "nothing waits"
	case !x.open() && len(x.Ways) == 1:
		return "waits " + x.Ways[0].Text
	case !x.open():
		return fmt.Sprintf("waits: each of %d source addresses is held back", len(x.Ways))
	case x.Busy:
		return "waits for one of the attempts that may run at once, queues.concurrency.total"
	case x.Ahead > 0:
		return fmt.Sprintf("waits for its turn: %d entries come first", x.Ahead)
	}
	return "may start now"
}
