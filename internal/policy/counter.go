package policy

import "slices"

// Times are nanoseconds of a clock that the caller of an Engine keeps. It must
// not go back, so it is not that of the wall.

// counter counts what runs and what has started for one combination of values of
// one policy.
type counter struct {
	family *family
	key    Values
	rule   *rule // nil: nothing binds it at present

	used  int32 // attempts that run
	refs  int32 // bindings that point here
	awake int32 // ways that were woken for room here and not looked at yet

	full      int64 // TokenBucket: when the bucket will be full again
	window    int64 // FixedWindow: when the present window ends
	started   int64 // and how many have started in it
	connected int64 // when the next connection may be made
	before    int64 // connected, before the last grant

	waits waitList
	timer timer
}

// rule is the limits in force for the counters of a family to which the same
// conditions apply. It is shared and not changed.
type rule struct {
	family   *family
	limits   Limits // the strictest of all
	static   *Limits
	dynamics []*Dynamic
	step     int64 // TokenBucket: Interval/Count
}

// newRule joins what the file says, which may be nothing, with dynamic policies,
// which take its place (spec operations.md 9.6) unless all of them stand beside
// it. Of several of those the strictest limit of each kind holds.
func newRule(f *family, static *Limits, dynamics []*Dynamic, fallback Algorithm) *rule {
	r := &rule{family: f, static: static, dynamics: dynamics}
	inPlace := func(d *Dynamic) bool { return !d.Beside }
	if static != nil && !slices.ContainsFunc(dynamics, inPlace) {
		r.limits = *static
	}
	for _, d := range dynamics {
		r.limits.tighten(&d.Then)
	}
	rate := &r.limits.Rate
	if rate.Algorithm == 0 {
		rate.Algorithm = fallback
	}
	if rate.Count > 0 {
		r.step = (int64(rate.Interval) + rate.Count - 1) / rate.Count
	}
	return r
}

// tighten takes over what o bounds more strictly.
func (l *Limits) tighten(o *Limits) {
	if o.Concurrency > 0 && (l.Concurrency == 0 || o.Concurrency < l.Concurrency) {
		l.Concurrency = o.Concurrency
	}
	if o.Rate.Count > 0 && (l.Rate.Count == 0 || o.Rate.slower(l.Rate)) {
		l.Rate = o.Rate
	}
	l.ConnectInterval = max(l.ConnectInterval, o.ConnectInterval)
	l.Stop = l.Stop || o.Stop
	l.Cluster = l.Cluster || o.Cluster
}

// slower compares by what passes in the long run.
func (r Rate) slower(o Rate) bool {
	return float64(r.Count)*float64(o.Interval) < float64(o.Count)*float64(r.Interval)
}

// unlimited is room without bound.
const unlimited = 1 << 30

// binds reports whether there is a limit.
func (c *counter) binds() bool { return c.rule != nil && c.rule.limits.binds() }

// room returns how many attempts may start now, connections apart.
func (c *counter) room(now int64) int64 {
	n := int64(unlimited)
	if !c.binds() {
		return n
	}
	l := &c.rule.limits
	if l.Concurrency > 0 {
		n = int64(l.Concurrency) - int64(c.used)
	}
	if l.Rate.Count > 0 {
		n = min(n, c.tokens(now))
	}
	return max(n, 0)
}

// tokens returns how many attempts the rate allows now. A bucket is kept as the
// time at which it will be full: each token taken moves that by a step, and
// there is one as long as it is less than Count steps ahead (as the generic cell
// rate algorithm has it), so nothing is lost to rounding.
func (c *counter) tokens(now int64) int64 {
	r := &c.rule.limits.Rate
	if r.Algorithm == FixedWindow {
		if now >= c.window {
			return r.Count
		}
		return r.Count - c.started
	}
	step := c.rule.step
	ahead := max(c.full-now, 0)
	return max(r.Count-(ahead+step-1)/step, 0)
}

// mayConnect reports whether a new connection may be made now.
func (c *counter) mayConnect(now int64) bool {
	return !c.binds() || c.rule.limits.ConnectInterval == 0 || now >= c.connected
}

// until returns when a rate or the interval between connections will have room,
// or 0 when no time will bring that.
func (c *counter) until(now int64) int64 {
	if !c.binds() {
		return 0
	}
	l := &c.rule.limits
	if l.Rate.Count > 0 && c.tokens(now) <= 0 {
		if l.Rate.Algorithm == FixedWindow {
			return c.window
		}
		return c.full - (l.Rate.Count-1)*c.rule.step
	}
	if !c.mayConnect(now) {
		return c.connected
	}
	return 0
}

// take counts one attempt, for which there must be room.
func (c *counter) take(now int64) {
	c.used++
	if c.rule == nil || c.rule.limits.Rate.Count == 0 {
		return
	}
	if c.rule.limits.Rate.Algorithm == FixedWindow {
		if now >= c.window {
			c.window, c.started = now+int64(c.rule.limits.Rate.Interval), 0
		}
		c.started++
		return
	}
	c.full = max(c.full, now) + c.rule.step
}

// untake gives back what the rate had allowed.
func (c *counter) untake() {
	switch {
	case c.rule == nil || c.rule.limits.Rate.Count == 0:
	case c.rule.limits.Rate.Algorithm == FixedWindow:
		c.started = max(c.started-1, 0)
	default:
		c.full -= c.rule.step
	}
}

// connect counts a new connection.
func (c *counter) connect(now int64) {
	if c.rule != nil && c.rule.limits.ConnectInterval > 0 {
		c.before = c.connected
		c.connected = now + int64(c.rule.limits.ConnectInterval)
	}
}

// ungrant takes back a connection that was allowed at a time and not made, unless
// another was allowed since.
func (c *counter) ungrant(at int64) {
	if c.rule != nil && c.rule.limits.ConnectInterval > 0 && c.connected == at+int64(c.rule.limits.ConnectInterval) {
		c.connected = c.before
	}
}

// refill forgets what has started (spec operations.md 5, letter B).
func (c *counter) refill() { c.full, c.window, c.started, c.connected = 0, 0, 0, 0 }

// setRule puts other limits in force. What has been counted remains: a bucket
// lacks as many tokens as before.
func (c *counter) setRule(r *rule, now int64) {
	old := c.rule
	c.rule = r
	if old == nil || r == nil || old.step == 0 || r.step == 0 || c.full <= now {
		return
	}
	missing := (c.full - now + old.step - 1) / old.step
	c.full = now + min(missing, r.limits.Rate.Count)*r.step
}

// idle reports whether nothing is lost with the counter; if not yet, when.
func (c *counter) idle(now int64) (ok bool, at int64) {
	at = max(c.full, c.window, c.connected)
	return at <= now, at
}

// why returns what keeps an attempt from starting now, noBlock if nothing does.
func (c *counter) why(now int64, needConnect bool) Reason {
	if !c.binds() {
		return noReason
	}
	l := &c.rule.limits
	switch {
	case l.Concurrency > 0 && int(c.used) >= l.Concurrency:
		return ByConcurrency
	case l.Rate.Count > 0 && c.tokens(now) <= 0:
		return ByRate
	case needConnect && !c.mayConnect(now):
		return ByConnectInterval
	}
	return noReason
}

// Reason is what kind of limit an entry waits for.
type Reason uint8

const (
	noReason Reason = iota
	ByConcurrency
	ByRate
	ByConnectInterval
	BySuspension

	reasons = iota
)

func (r Reason) String() string {
	return [reasons]string{"", "concurrency", "rate", "connectinterval", "suspension"}[r]
}
