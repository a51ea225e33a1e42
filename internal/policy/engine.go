package policy

import (
	"errors"
	"slices"
)

// Errors of changes that are asked for.
var (
	ErrNoPolicy = errors.New("policy: no policy of the configuration has these fields")
	ErrExists   = errors.New("policy: the id is taken")
)

// Options are what an Engine is built from.
type Options struct {
	NewID   func() string // of dynamic policies and suspensions
	Metrics *Metrics      // nil: kept but not shown
	// Regroup is called when other fields count than before: every Line must be
	// asked for anew with Line and the old one left. Counters are kept.
	Regroup func()
}

// Engine knows the counters and suspensions in force. It is not safe for
// concurrent use: one goroutine owns it.
type Engine struct {
	options  Options
	metrics  *Metrics
	rules    *Rules
	families []*family // of rules, in order
	fields   Fields    // that any policy or suspension names, or has named

	suspends suspensions
	dynamics map[string]*Dynamic

	lines  map[lineKey]*Line
	ready  [priorities]lineRing
	timers timers
	flight flight
	lists  map[appliedKey]*Applied
	seen   []*counter // by looked, for use again

	generation uint32
	changes    [maxChanges]change
}

// family is the counters of one policy.
type family struct {
	policy   *Policy
	counters map[Values]*counter
	dynamics dynamicTable
	rules    []*rule // in use
}

// maxChanges is how many changes a binding may have missed and still be brought
// up to date without being made anew.
const maxChanges = 256

// change says for whom the generation of that place is another than the one
// before: for what matches, or for all when match is nil.
type change struct{ match *Match }

// New returns an Engine without rules.
func New(o Options) *Engine {
	e := &Engine{
		options: o, metrics: o.Metrics, rules: NewRules(0, nil), dynamics: map[string]*Dynamic{},
		lines: map[lineKey]*Line{}, lists: map[appliedKey]*Applied{},
	}
	if e.metrics == nil {
		e.metrics = new(Metrics)
	}
	e.suspends.init()
	e.flight.init()
	return e
}

// SetRules replaces the policies. Counters of a policy over the same fields go
// on, and so do the dynamic policies attached to it; the others are dropped
// (spec operations.md 3).
func (e *Engine) SetRules(r *Rules, now int64) {
	e.rules = r
	old := map[string]*family{}
	for _, f := range e.families {
		old[f.policy.identity] = f
	}
	e.families = nil
	clear(e.lists)
	e.changed(nil)
	for i := range r.policies {
		p := &r.policies[i]
		f := old[p.identity]
		if f == nil {
			f = &family{counters: map[Values]*counter{}}
		}
		delete(old, p.identity)
		f.policy, f.rules = p, nil
		e.families = append(e.families, f)
	}
	for _, f := range old {
		e.abandon(f, now)
	}
	e.setFields(e.rules.fields() | e.suspends.fields)
	e.recharge(nil, now)
	for _, f := range e.families {
		e.refresh(f, nil, now)
		e.releaseAll(f) // a policy before it may stop now
	}
}

// releaseAll lets everything that waits for a counter of f look again.
func (e *Engine) releaseAll(f *family) {
	for _, c := range f.counters {
		e.release(&c.waits)
	}
}

// abandon ends a family: nothing waits for its counters any more.
func (e *Engine) abandon(f *family, now int64) {
	for _, d := range f.dynamics.all() {
		e.forget(d)
	}
	for _, c := range f.counters {
		e.setRule(c, nil, now)
		e.release(&c.waits)
	}
}

// touch notes that d comes to f or leaves it. Where it or the file says stop,
// what waits for a later policy may not be bound by that any more.
func (e *Engine) touch(f *family, d *Dynamic, now int64) {
	m := &d.If
	e.changed(m)
	if d.Then.Stop || f.policy.stops {
		for _, later := range e.families[slices.Index(e.families, f)+1:] {
			e.releaseAll(later)
		}
	}
	e.recharge(m, now)
	e.refresh(f, m, now)
}

// setFields makes the lines those of other fields.
func (e *Engine) setFields(fs Fields) {
	if fs == e.fields {
		return
	}
	e.fields = fs
	e.lines = map[lineKey]*Line{}
	if e.options.Regroup != nil {
		e.options.Regroup()
	}
}

// changed begins a new generation, in which something is different for what
// matches.
func (e *Engine) changed(match *Match) {
	e.generation++
	e.changes[e.generation%maxChanges] = change{match}
}

// fresh reports whether no change since b was made concerns t.
func (e *Engine) fresh(b *binding, t *Tuple) bool {
	if e.generation-b.generation >= maxChanges {
		return false
	}
	for g := b.generation + 1; g != e.generation+1; g++ {
		if m := e.changes[g%maxChanges].match; m == nil || m.Holds(t) {
			return false
		}
	}
	b.generation = e.generation
	return true
}

// bind returns what holds for w now.
func (e *Engine) bind(w *way, now int64) *binding {
	if b := w.bound; b != nil && b.generation == e.generation {
		return b
	}
	t := w.tuple()
	if w.bound != nil && e.fresh(w.bound, &t) {
		return w.bound
	}
	b := &binding{generation: e.generation, suspended: e.suspends.find(&t)}
	if b.suspended == nil { // otherwise that is what it waits for, and when it ends this is found anew
		b.counters, b.applied = e.bound(&t, now)
	}
	for _, c := range b.counters {
		c.refs++
	}
	e.unbind(w, now)
	w.bound = b
	return b
}

// bound walks the policies for t: it returns the counters that bind it, and what
// applies to it whether it counts or not.
func (e *Engine) bound(t *Tuple, now int64) (counters []*counter, applied *Applied) {
	for _, f := range e.families {
		r := f.rule(t, e.rules.algorithm)
		if r == nil {
			continue
		}
		applied = e.list(applied, r)
		if r.limits.binds() {
			counters = append(counters, e.counter(f, f.policy.key(t), r, now))
		}
		if r.limits.Stop {
			break
		}
	}
	return counters, applied
}

func (e *Engine) unbind(w *way, now int64) {
	if w.bound == nil {
		return
	}
	for _, c := range w.bound.counters {
		c.refs--
		e.tidy(c, now)
	}
	w.bound = nil
}

// tuple is that of the line with the source address of w.
func (w *way) tuple() Tuple {
	l := w.line
	if len(l.ways) == 1 && len(l.sources.list) > 1 {
		return l.tuple
	}
	return l.tuple.From(l.sources.list[w.place])
}

// rule returns what binds the counter of t, or nil.
func (f *family) rule(t *Tuple, fallback Algorithm) *rule {
	dynamics := f.dynamics.find(t)
	static := f.policy.static(t) // with dynamics, for its properties
	if static == nil && len(dynamics) == 0 {
		return nil
	}
	for _, r := range f.rules {
		if r.static == static && slices.Equal(r.dynamics, dynamics) {
			return r
		}
	}
	r := newRule(f, static, dynamics, fallback)
	if len(f.rules) >= maxRules {
		f.rules = nil
	}
	f.rules = append(f.rules, r)
	return r
}

// maxRules bounds the rules that are shared, because looking for one takes time.
const maxRules = 64

// counter returns the counter of a key, with a rule in force.
func (e *Engine) counter(f *family, key Values, r *rule, now int64) *counter {
	c := f.counters[key]
	if c == nil {
		c = &counter{family: f, key: key}
		c.waits.counter = c
		c.timer.fire = func(now int64) { e.woken(c, now) }
		f.counters[key] = c
	}
	e.setRule(c, r, now)
	return c
}

func (e *Engine) setRule(c *counter, r *rule, now int64) {
	if c.rule == r {
		return
	}
	if c.rule != nil {
		e.metrics.counted(&c.rule.limits, -1)
	}
	if r != nil {
		e.metrics.counted(&r.limits, +1)
	}
	c.setRule(r, now)
}

// refresh gives the counters of f that a condition concerns, or all for nil, the
// limits in force now, and wakes what has room by them.
func (e *Engine) refresh(f *family, m *Match, now int64) {
	for key, c := range f.counters {
		t := TupleOf(&key)
		if m != nil && !m.Holds(&t) {
			continue
		}
		e.setRule(c, f.rule(&t, e.rules.algorithm), now)
		if c.binds() {
			e.wake(c, now)
		} else {
			e.release(&c.waits)
			e.tidy(c, now)
		}
	}
}

// woken is called when the timer of c fires.
func (e *Engine) woken(c *counter, now int64) {
	e.wake(c, now)
	e.tidy(c, now)
}

// wake lets as many ways look at c as there is room for, and sets its timer
// when more wait for time to pass.
func (e *Engine) wake(c *counter, now int64) {
	room := c.room(now)
	if room > 0 && !c.mayConnect(now) {
		room = 0
	}
	for c.waits.size > 0 && int64(c.awake) < room {
		e.rouse(c, now)
	}
	if c.waits.size > 0 {
		if at := c.until(now); at > 0 {
			e.timers.set(&c.timer, max(at, now+1))
		}
	}
}

// rouse lets the first way that waits for c look at it.
func (e *Engine) rouse(c *counter, now int64) {
	w := c.waits.front()
	e.unpark(w)
	if w.line.top() < 0 {
		return // it looks by itself when it has something
	}
	w.woke = c
	c.awake++
	e.enter(w.line)
}

// unpark takes w out of the list it waits in.
func (e *Engine) unpark(w *way) {
	l := w.on
	l.remove(w)
	if l.size == 0 {
		e.metrics.waiting(l.reason, -1)
	}
}

// park lets w wait in a list.
func (e *Engine) park(w *way, l *waitList, reason Reason, now int64) {
	l.push(w, max(w.line.top(), 0), reason, now)
	if l.size == 1 {
		e.metrics.waiting(reason, +1)
	}
}

// release lets everything that waits in l look again.
func (e *Engine) release(l *waitList) {
	for l.size > 0 {
		w := l.front()
		e.unpark(w)
		e.enter(w.line)
	}
}

// looked says that l has looked at the counters that it was woken for. Where it
// has not used the room another is woken for it. That comes when all is noted,
// as it may wake l again.
func (e *Engine) looked(l *Line, now int64) {
	seen := e.seen[:0]
	for i := range l.ways {
		if w := &l.ways[i]; w.woke != nil {
			w.woke.awake--
			seen = append(seen, w.woke)
			w.woke = nil
		}
	}
	for _, c := range seen {
		e.wake(c, now)
	}
	clear(seen)
	e.seen = seen
}

// tidy forgets c once nothing would be lost.
func (e *Engine) tidy(c *counter, now int64) {
	if c.refs > 0 || c.used > 0 || c.waits.size > 0 {
		return
	}
	ok, at := c.idle(now)
	if !ok {
		e.timers.set(&c.timer, at)
		return
	}
	e.timers.stop(&c.timer)
	if c.family.counters[c.key] == c {
		delete(c.family.counters, c.key)
		e.setRule(c, nil, now)
	}
}

// Tick does what has become due. Call it before Next, and when Due says so.
func (e *Engine) Tick(now int64) {
	for t := e.timers.due(now); t != nil; t = e.timers.due(now) {
		t.fire(now)
	}
}

// Due returns when Tick has something to do, or false when nothing is planned.
func (e *Engine) Due() (at int64, ok bool) {
	if len(e.timers) == 0 {
		return 0, false
	}
	return e.timers[0].at, true
}

// TupleOf is the tuple that has these values.
func TupleOf(key *Values) Tuple {
	t := Tuple{Values: *key}
	t.Local, t.Remote = parseAddr(key[LocalIP]), parseAddr(key[RemoteIP])
	return t
}
