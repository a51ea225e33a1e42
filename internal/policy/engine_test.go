package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// world is an Engine under random load, beside a judge that knows the rules and
// everything that has happened, and nothing of the engine's counters.
type world struct {
	t       *testing.T
	rng     *rand.Rand
	engine  *Engine
	rules   *Rules
	now     int64
	groups  []*flow
	running []*trip
	starts  []*start // everything that was ever started
	ids     int
	dynamic map[string]*Dynamic
	stops   map[string]*Suspension
	static  []*Suspension
	connect bool // limits on connections, too
	fixed   bool // the rules stay, so that rates can be told from the starts alone
}

// flow is what has one whole tuple, such as a sub-queue of a queue.
type flow struct {
	tuple   Tuple
	sources *Sources
	line    *Line
	waiting [priorities]int
	pooled  map[int]int // idle connections by source
}

// trip is an attempt.
type trip struct {
	r     *Reservation
	flow  *flow
	tuple Tuple
	ends  int64
	fresh bool // it has made a connection
	began *start
}

type start struct {
	keys    []string
	at      int64
	connect bool // made a connection, or may still
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 1)), now: int64(time.Hour),
		dynamic: map[string]*Dynamic{}, stops: map[string]*Suspension{},
	}
	w.engine = New(Options{NewID: func() string { w.ids++; return fmt.Sprint("id", w.ids) }, Regroup: w.regroup})
	w.reload()
	sources := []*Sources{sourcesOf(false, 3), sourcesOf(true, 2), sourcesOf(false, 1), sourcesOf(false, 0)}
	for range 12 {
		n := w.rng.IntN(4)
		f := &flow{
			tuple: NewTuple("", fmt.Sprint("job", w.rng.IntN(2)), fmt.Sprint("t", w.rng.IntN(2)),
				fmt.Sprint("&g", n), fmt.Sprintf("mx%d.example", n), fmt.Sprintf("d%d.example", w.rng.IntN(6)),
				netip.AddrFrom4([4]byte{192, 0, 2, byte(n)})),
			sources: sources[w.rng.IntN(len(sources))], pooled: map[int]int{},
		}
		f.line = w.line(f)
		w.groups = append(w.groups, f)
	}
	return w
}

func sourcesOf(ordered bool, n int) *Sources {
	var list []Source
	for i := range n {
		list = append(list, Source{Addr: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), Index: i})
	}
	return NewSources(ordered, list)
}

func (w *world) line(f *flow) *Line {
	l := w.engine.Line(&f.tuple, f.sources)
	if l.Owner == nil {
		l.Owner = &[]*flow{}
	}
	flows := l.Owner.(*[]*flow)
	*flows = append(*flows, f)
	return l
}

func (w *world) regroup() {
	for _, f := range w.groups {
		old := f.line
		for p, n := range f.waiting {
			w.engine.Remove(old, uint8(p), n, w.now)
		}
		flows := old.Owner.(*[]*flow)
		for i, other := range *flows {
			if other == f {
				*flows = append((*flows)[:i:i], (*flows)[i+1:]...)
				break
			}
		}
		f.line = w.line(f)
		for p, n := range f.waiting {
			w.engine.Add(f.line, uint8(p), n, w.now)
		}
		w.engine.Leave(old, w.now)
	}
}

func (w *world) limits() Limits {
	var l Limits
	if w.rng.IntN(2) == 0 {
		l.Concurrency = 1 + w.rng.IntN(4)
	}
	if w.rng.IntN(3) == 0 {
		l.Rate = Rate{
			Count: int64(1 + w.rng.IntN(7)), Interval: time.Duration(1+w.rng.IntN(30)) * time.Second / 3,
			Algorithm: TokenBucket,
		}
		if w.rng.IntN(2) == 0 {
			l.Rate.Algorithm = FixedWindow
		}
	}
	if w.connect && w.rng.IntN(3) == 0 {
		l.ConnectInterval = time.Duration(1+w.rng.IntN(5)) * time.Second
	}
	l.Stop = w.rng.IntN(5) == 0
	return l
}

var pools = map[Field][]string{
	JobID: {"job0", "job1"}, TransportID: {"t0", "/^t1$/"}, Grouping: {"&g0", "&g1", "&g2"},
	LocalIP: {"10.0.0.0", "10.0.0.0/31", "10.0.0.2"}, RemoteIP: {"192.0.2.1", "192.0.2.2/31"},
	RemoteMX: {"mx1.example", "*.example"}, RecipientDomain: {"d1.example", "/^D[23]\\./", "d4.example"},
}

func (w *world) match(of Fields) Match {
	texts := map[Field][]string{}
	for f := range of.All() {
		if pool := pools[f]; pool != nil && w.rng.IntN(2) == 0 {
			texts[f] = []string{pool[w.rng.IntN(len(pool))]}
		}
	}
	m, err := NewMatch(texts, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) reload() {
	var all []Policy
	for range w.rng.IntN(5) {
		p := Policy{Fields: Fields(w.rng.Uint32()) &^ Of(TenantID)}
		if w.rng.IntN(2) == 0 {
			p.Fields &= Fields(w.rng.Uint32())
		}
		for range w.rng.IntN(3) {
			p.Conditions = append(p.Conditions, Condition{w.match(p.Fields), w.limits()})
		}
		if w.rng.IntN(3) > 0 {
			l := w.limits()
			p.Default = &l
		}
		all = append(all, p)
	}
	w.rules = NewRules(TokenBucket, all)
	w.engine.SetRules(w.rules, w.now)
	for id := range w.dynamic {
		if w.engine.dynamics[id] == nil {
			delete(w.dynamic, id)
		}
	}
}

// bound returns what the rules say of a tuple, by a plain walk.
func (w *world) bound(t *Tuple) (limits []Limits, keys []string) {
	for i := range w.rules.policies {
		p := &w.rules.policies[i]
		var l *Limits
		for _, d := range w.dynamic {
			if d.family == w.engine.families[i] && d.If.Holds(t) {
				if l == nil {
					l = &Limits{}
				}
				l.tighten(&d.Then)
			}
		}
		if l == nil {
			l = p.Default
			for j := range p.Conditions {
				if p.Conditions[j].If.Holds(t) {
					l = &p.Conditions[j].Then
					break
				}
			}
		}
		if l == nil {
			continue
		}
		only := t.Values.only(p.Fields)
		limits, keys = append(limits, *l), append(keys, fmt.Sprint(i, only))
		if l.Stop {
			break
		}
	}
	return limits, keys
}

func (w *world) suspended(t *Tuple) bool {
	for _, s := range w.static {
		if s.If.Holds(t) {
			return true
		}
	}
	for _, s := range w.stops {
		if s.If.Holds(t) {
			return true
		}
	}
	return false
}

// key is that of the counter of a policy for t.
func (w *world) key(i int, t *Tuple) string {
	return fmt.Sprint(i, t.Values.only(w.rules.policies[i].Fields))
}

// runningIn counts the attempts of a counter: with bound those that it binds
// now, otherwise also those that it may have bound when they began.
func (w *world) runningIn(key string, bound bool) (n int) {
	for _, trip := range w.running {
		has := w.key(index(key), &trip.tuple) == key
		if bound {
			_, keys := w.bound(&trip.tuple)
			has = slices.Contains(keys, key)
		}
		if has {
			n++
		}
	}
	return n
}

func index(key string) (i int) {
	_, _ = fmt.Sscan(key, &i)
	return i
}

// pick starts all that the engine lets start and checks each.
func (w *world) pick() {
	w.engine.Tick(w.now)
	for {
		line, r := w.engine.Next(w.now, func(l *Line, source int) bool {
			for _, f := range *l.Owner.(*[]*flow) {
				if f.waiting[1]+f.waiting[0] > 0 && f.pooled[source] == 0 {
					return false
				}
			}
			return true
		})
		if r == nil {
			break
		}
		var f *flow
		p := line.top()
		for _, one := range *line.Owner.(*[]*flow) {
			if one.waiting[p] > 0 {
				f = one
				break
			}
		}
		if f == nil {
			w.t.Fatal("a line without an entry was picked")
		}
		f.waiting[p]--
		r.Describe(&f.tuple)
		w.engine.Remove(line, uint8(p), 1, w.now)
		if w.rng.IntN(20) == 0 { // put back
			w.engine.Cancel(r, w.now)
			f.waiting[p]++
			w.engine.Add(line, uint8(p), 1, w.now)
			continue
		}
		w.begin(f, r)
	}
}

func (w *world) begin(f *flow, r *Reservation) {
	granted := r.MayConnect
	x := &trip{r: r, flow: f, tuple: r.Tuple(), ends: w.now + w.rng.Int64N(int64(8*time.Second))}
	if w.suspended(&x.tuple) {
		w.t.Fatalf("%s started while suspended", &x.tuple)
	}
	source := r.Source.Index
	if source < 0 {
		source = 0
	}
	if f.pooled[source] > 0 && (!r.MayConnect || w.rng.IntN(2) == 0) {
		f.pooled[source]--
	} else {
		if _, ok := w.engine.Connect(r, w.now); !ok {
			w.t.Fatalf("%s may not connect and there is no connection", &x.tuple)
		}
		x.fresh = true
	}
	limits, keys := w.bound(&x.tuple)
	for i, l := range limits {
		if w.fixed && w.spent(l, keys[i], !x.fresh) {
			w.t.Fatalf("%s started beyond the rate or interval of %s, %v", &x.tuple, keys[i], l)
		}
	}
	w.running = append(w.running, x)
	x.began = &start{keys, w.now, granted}
	w.starts = append(w.starts, x.began)
	for i, l := range limits {
		if l.Concurrency > 0 {
			if n := w.runningIn(keys[i], true); n > l.Concurrency {
				w.t.Fatalf("%d at once by %s, limit %d", n, keys[i], l.Concurrency)
			}
		}
	}
}

// closed reports whether by the judge's own count something holds t back now.
func (w *world) closed(t *Tuple, pooled bool) bool {
	if w.suspended(t) {
		return true
	}
	limits, keys := w.bound(t)
	for i, l := range limits {
		if l.Concurrency > 0 && w.runningIn(keys[i], false) >= l.Concurrency {
			return true
		}
		if l.Rate.Count > 0 || l.ConnectInterval > 0 && !pooled {
			if w.fixed {
				if w.spent(l, keys[i], pooled) {
					return true
				}
				continue
			}
			// Where rules change, what time holds back is read from the engine.
			key := t.Values.only(w.rules.policies[index(keys[i])].Fields)
			c := w.engine.families[index(keys[i])].counters[key]
			if c != nil && c.binds() && (c.room(w.now) == 0 || !pooled && !c.mayConnect(w.now)) {
				return true
			}
		}
	}
	return false
}

// spent reports whether by all that has started one more attempt of a counter
// would be beyond its rate, or its connection too early.
func (w *world) spent(l Limits, key string, pooled bool) bool {
	tokens, last := float64(l.Rate.Count), int64(0)
	window, began := int64(0), int64(-1<<62)
	connected := int64(-1 << 62)
	refill := func(at int64) {
		tokens = min(float64(l.Rate.Count), tokens+float64(at-last)*float64(l.Rate.Count)/float64(l.Rate.Interval))
		last = at
	}
	for _, s := range w.starts {
		if !slices.Contains(s.keys, key) {
			continue
		}
		if s.connect {
			connected = s.at
		}
		if l.Rate.Count == 0 {
			continue
		}
		refill(s.at)
		tokens--
		if s.at >= began+int64(l.Rate.Interval) {
			began, window = s.at, 0
		}
		window++
	}
	if l.ConnectInterval > 0 && !pooled && w.now < connected+int64(l.ConnectInterval) {
		return true
	}
	if l.Rate.Count == 0 {
		return false
	}
	refill(w.now)
	if l.Rate.Algorithm == FixedWindow {
		return w.now < began+int64(l.Rate.Interval) && window >= l.Rate.Count
	}
	return tokens < 1-1e-6
}

// idle checks that nothing waits that may start: no eligible entry starves.
func (w *world) idle() {
	for _, f := range w.groups {
		if f.waiting[0]+f.waiting[1] == 0 {
			continue
		}
		for i := range f.sources.list {
			t := f.tuple.From(f.sources.list[i])
			if !w.closed(&t, false) {
				l := f.line
				limits, keys := w.bound(&t)
				w.t.Fatalf("%s waits and nothing holds it back: in ring %v, %s\nbound by %v %q", &t, l.next != nil, dump(l), limits, keys)
			}
		}
	}
}

func (w *world) step() {
	w.now += w.rng.Int64N(int64(2 * time.Second))
	left := w.running[:0]
	for _, x := range w.running {
		if x.ends > w.now {
			left = append(left, x)
			continue
		}
		if w.rng.IntN(2) == 0 {
			x.flow.pooled[max(x.r.Source.Index, 0)]++
		}
		x.began.connect = x.fresh
		w.engine.Release(x.r, w.now)
	}
	w.running = left
	for range w.rng.IntN(4) {
		f := w.groups[w.rng.IntN(len(w.groups))]
		p := uint8(w.rng.IntN(8) / 7)
		f.waiting[p]++
		w.engine.Add(f.line, p, 1, w.now)
	}
}

// turn changes something about the rules.
func (w *world) turn() {
	switch w.rng.IntN(8) {
	case 0:
		w.reload()
	case 1:
		s := &Suspension{If: w.match(1<<fieldCount - 1), TTL: time.Duration(w.rng.Int64N(int64(10 * time.Second)))}
		id, err := w.engine.Suspend(s, w.rng.IntN(2) == 0, w.now)
		if err != nil {
			w.t.Fatal(err)
		}
		w.stops[id] = s
	case 2:
		for id := range w.stops {
			w.engine.Resume(id)
			delete(w.stops, id)
			break
		}
	case 3, 4:
		if len(w.rules.policies) == 0 {
			return
		}
		p := w.rules.policies[w.rng.IntN(len(w.rules.policies))]
		d := &Dynamic{Fields: p.Fields, If: w.match(p.Fields), Then: w.limits(), TTL: time.Duration(w.rng.Int64N(int64(20 * time.Second)))}
		id, err := w.engine.AddPolicy(d, w.rng.IntN(2) == 0, w.now)
		if err != nil {
			w.t.Fatal(err)
		}
		w.dynamic[id] = d
	case 5:
		for id := range w.dynamic {
			w.engine.DeletePolicy(id, w.now)
			delete(w.dynamic, id)
			break
		}
	case 6:
		w.static = nil
		if w.rng.IntN(2) == 0 {
			w.static = []*Suspension{{If: w.match(Of(LocalIP, Grouping, RecipientDomain) & Fields(w.rng.Uint32()))}}
		}
		w.engine.SetSuspensions(w.static, w.now)
	}
}

// lapse drops what has reached its end, as the engine does in Tick.
func (w *world) lapse() {
	w.engine.Tick(w.now)
	for id := range w.stops {
		if w.engine.suspends.byID[id] == nil {
			delete(w.stops, id)
		}
	}
	for id := range w.dynamic {
		if w.engine.dynamics[id] == nil {
			delete(w.dynamic, id)
		}
	}
}

// TestNoLimitIsPassedAndNothingStarves runs random policies, loads and changes
// of both, and looks on at every step.
func TestNoLimitIsPassedAndNothingStarves(t *testing.T) {
	for seed := range uint64(80) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			w := newWorld(t, seed)
			w.connect, w.fixed = seed%2 == 0, seed%4 < 2
			if w.connect {
				w.reload()
			}
			w.play(200)
			w.drain()
		})
	}
}

func (w *world) play(steps int) {
	for i := range steps {
		w.step()
		w.lapse()
		if i%7 == 3 && !w.fixed {
			w.turn()
		}
		w.pick()
		w.idle()
	}
}

// drain lifts what would hold for ever and checks that all comes through and
// nothing is left behind.
func (w *world) drain() {
	for id := range w.stops {
		w.engine.Resume(id)
	}
	clear(w.stops)
	w.fixed = false
	w.static = nil
	w.engine.SetSuspensions(nil, w.now)
	for id := range w.dynamic {
		w.engine.DeletePolicy(id, w.now)
		delete(w.dynamic, id)
	}
	for i := 0; ; i++ {
		w.pick()
		waiting := 0
		for _, f := range w.groups {
			waiting += f.waiting[0] + f.waiting[1]
		}
		if waiting+len(w.running) == 0 {
			break
		}
		if i > 100_000 {
			w.t.Fatalf("%d entries never came through", waiting)
		}
		w.now += int64(time.Second)
		left := w.running[:0]
		for _, x := range w.running {
			if x.ends > w.now {
				left = append(left, x)
			} else {
				w.engine.Release(x.r, w.now)
			}
		}
		w.running = left
	}
	for _, f := range w.groups {
		w.engine.Leave(f.line, w.now)
	}
	w.now += int64(time.Hour)
	w.engine.Tick(w.now)
	for _, f := range w.engine.families {
		if len(f.counters) > 0 {
			w.t.Fatalf("%d counters are left of nothing", len(f.counters))
		}
	}
	if n := w.engine.metrics.Concurrency.Load() + w.engine.metrics.ConcurrencySuspends.Load() + w.engine.metrics.RateSuspends.Load(); n != 0 {
		w.t.Fatalf("gauges are left at %d", n)
	}
}

func dump(l *Line) (s string) {
	for i := range l.ways {
		w := &l.ways[i]
		s += fmt.Sprintf("\nway %d: %s woke %v", i, w.why, w.woke != nil)
		if w.on != nil && w.on.counter != nil {
			c := w.on.counter
			s += fmt.Sprintf(" on %q used %d awake %d rule %v", c.key, c.used, c.awake, c.rule)
		}
	}
	return s
}

func TestDynamicBesideTheFile(t *testing.T) {
	t.Parallel()
	e := New(Options{NewID: func() string { return "new" }})
	fields := Of(Grouping)
	e.SetRules(NewRules(0, []Policy{{Fields: fields, Default: &Limits{Concurrency: 4, ConnectInterval: time.Second}}}), 0)
	m, err := Exactly(map[Field]string{Grouping: "&a"})
	if err != nil {
		t.Fatal(err)
	}
	limits := func() string {
		tuple := NewTuple("", "", "", "&a", "", "", netip.Addr{})
		return e.families[0].rule(&tuple, TokenBucket).limits.String()
	}
	beside := &Dynamic{ID: "beside", Fields: fields, If: m, Then: Limits{Concurrency: 9, Rate: Rate{Count: 1, Interval: time.Minute}}, Beside: true}
	if _, err := e.AddPolicy(beside, false, 0); err != nil {
		t.Fatal(err)
	}
	if got := limits(); got != "concurrency 4 rate 1/60 connectinterval 1" {
		t.Errorf("beside the file: %s", got)
	}
	next := &Dynamic{Fields: fields, If: m, Then: Limits{Concurrency: 2}, Beside: true}
	if ok, err := e.ReplacePolicy(beside, next, 0); !ok || err != nil {
		t.Fatalf("replaced: %v, %v", ok, err)
	}
	if got := limits(); got != "concurrency 2 connectinterval 1" {
		t.Errorf("replaced: %s", got)
	}
	if ok, err := e.ReplacePolicy(beside, nil, 0); ok || err != nil {
		t.Errorf("what is not in force was ended: %v, %v", ok, err)
	}
	instead := &Dynamic{ID: "instead", Fields: fields, If: m, Then: Limits{Concurrency: 8}}
	if _, err := e.AddPolicy(instead, false, 0); err != nil {
		t.Fatal(err)
	}
	if got := limits(); got != "concurrency 2" {
		t.Errorf("with another in the place of the file: %s", got)
	}
	if ok, err := e.ReplacePolicy(next, nil, 0); !ok || err != nil || limits() != "concurrency 8" {
		t.Errorf("ended: %v, %v, %s", ok, err, limits())
	}
}
