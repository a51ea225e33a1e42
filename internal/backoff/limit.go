package backoff

import "time"

// limit is what holds at one place: a step down and its way up again.
type limit struct {
	place   place
	options *Options // of the last complaint
	step    int      // in force, from 1; 0: none
	shift   uint     // the hold is doubled so often
	settled time.Time
	// next is when the step gives way, or when nothing is remembered any more.
	next    time.Time
	resumes time.Time // end of the suspension, if there is one
	recover time.Time // when the last step ended
	counts  map[*Rule]window
	now     inForce
}

// window counts the replies of a rule that wants several.
type window struct {
	ends  time.Time
	count int
}

// A place that has recovered is remembered for so many holds; a relapse in that
// time doubles the hold, as often as maxShift.
const (
	remembered = 4
	maxShift   = 3
)

func (l *limit) hold() time.Duration { return l.options.Hold << l.shift }

// complain reacts to a complaint and reports whether something else is to be in
// force.
func (l *limit) complain(c *complaint, now time.Time) bool {
	if l.options != c.options {
		l.options, l.counts = c.options, nil // rules are told by their place in memory
		l.step = min(l.step, len(l.options.Steps))
	}
	if !l.reached(c.rule, now) {
		return false
	}
	if c.rule.Action == Suspend {
		return l.suspend(c.rule, now)
	}
	most := len(l.options.Steps)
	switch {
	case l.step == 0:
		l.engage(now)
		l.step = min(max(1, c.rule.Step), most)
	case now.Before(l.settled):
		return l.prolong(now)
	case l.step >= most:
		return l.prolong(now)
	default:
		l.step = min(max(l.step+1, c.rule.Step), most)
	}
	l.begin(now)
	return true
}

// reached counts a reply and reports whether its rule acts.
func (l *limit) reached(r *Rule, now time.Time) bool {
	if r.Events <= 1 {
		return true
	}
	n, known := l.counts[r]
	if !known || !now.Before(n.ends) {
		n = window{ends: now.Add(r.Window)}
	}
	n.count++
	if l.counts == nil {
		l.counts = map[*Rule]window{}
	}
	l.counts[r] = n
	if l.step == 0 && n.ends.After(l.next) {
		l.next = n.ends
	}
	if n.count < r.Events {
		return false
	}
	delete(l.counts, r)
	return true
}

// engage begins a new time of trouble: a relapse if the last one is remembered.
func (l *limit) engage(now time.Time) {
	if !l.recover.IsZero() && now.Before(l.recover.Add(remembered*l.hold())) {
		l.shift = min(l.shift+1, maxShift)
		return
	}
	l.shift = 0
}

// begin notes that the step is in force from now on.
func (l *limit) begin(now time.Time) {
	l.settled = now.Add(l.options.Settle)
	l.next = now.Add(l.hold())
	l.resumes = time.Time{}
}

// suspend stops everything for a while, and goes to the slowest step behind it.
func (l *limit) suspend(r *Rule, now time.Time) bool {
	if now.Before(l.resumes) || l.step > 0 && now.Before(l.settled) && !l.resumes.IsZero() {
		return false
	}
	if l.step == 0 {
		l.engage(now)
	}
	l.step = len(l.options.Steps)
	l.begin(now)
	l.resumes = now.Add(r.Suspend)
	l.settled = l.resumes.Add(l.options.Settle)
	l.next = l.resumes.Add(l.hold())
	return true
}

// prolong begins the hold of the step anew. That need not be told each time.
func (l *limit) prolong(now time.Time) bool {
	next := now.Add(l.hold())
	if next.Sub(l.next) < l.hold()/8 {
		return false
	}
	l.next = next
	return true
}

// relax goes one step up and reports whether it has; at the end nothing is in
// force, and the place is remembered for a while.
func (l *limit) relax(now time.Time) bool {
	if l.step == 0 {
		return false
	}
	l.step--
	l.begin(now)
	l.settled = now
	if l.step == 0 {
		l.recover = now
		l.next = now.Add(remembered * l.hold())
	}
	return true
}

// ends is when the place has recovered if nobody complains any more.
func (l *limit) ends() time.Time {
	return l.next.Add(time.Duration(l.step-1) * l.hold())
}
