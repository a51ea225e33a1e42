package queue

import (
	"net/netip"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/spool"
)

// schedule is what the one scheduling goroutine owns. Nothing here may be
// touched from elsewhere, and nothing here may block.
type schedule struct {
	q        *Queue
	settings *Settings
	now      int64 // unix milliseconds, read once per round
	began    time.Time
	clock    int64 // nanoseconds since began, read with now; never goes back

	slots []*message // by message.slot; nil: free
	free  []uint32   // free slots

	wheel  *wheel
	due    [priorities]list // UNKNOWN, waiting for a worker
	groups map[groupKey]*group

	engine  *policy.Engine // what may start
	sources map[sourceKey]*policy.Sources
	shared  map[string]*policy.Sources
	locals  map[netip.Addr]*policy.Sources // of the system's choice
	running map[*entry]*policy.Reservation // of what is SENDING
	rests   map[netip.Addr]time.Duration   // of source addresses that could not be used: how long last
	down    map[string]*downProxy          // by name of the proxy

	counts    [states]int
	active    [priorities]int // ACTIVE entries
	preparing int             // workers that prepare
	sending   int             // workers that deliver
	closing   int             // workers that report on an entry removed without an attempt

	pending []pending // on disk, waiting for room in memory
	loading int

	reasons reasons

	drained chan struct{} // closed when the last worker is done; nil: running
	ended   bool
}

// maxPreparing bounds the entries that are with the pre-delivery hook and the
// resolver at once. They wait on the network, so it is not a matter of cores.
const maxPreparing = 1000

func newSchedule(q *Queue) *schedule {
	began := time.Now()
	s := &schedule{
		q: q, settings: q.settings.Load(), now: began.UnixMilli(), began: began,
		groups: map[groupKey]*group{}, sources: map[sourceKey]*policy.Sources{}, shared: map[string]*policy.Sources{},
		locals:  map[netip.Addr]*policy.Sources{},
		running: map[*entry]*policy.Reservation{}, rests: map[netip.Addr]time.Duration{},
		down: map[string]*downProxy{},
	}
	s.engine = policy.New(policy.Options{
		NewID: func() string { return q.newID().String() }, Metrics: q.policies, Regroup: s.regroup,
	})
	if q.rules != nil {
		s.engine.SetRules(q.rules, 0)
	}
	s.engine.SetSuspensions(q.suspensions, 0)
	s.wheel = newWheel(s.now)
	for p := range s.due {
		s.due[p].init()
	}
	return s
}

func (s *schedule) run() {
	defer close(s.q.stopped)
	timer := time.NewTimer(0)
	defer timer.Stop()
	var calls []func(*schedule)
	for !s.ended {
		now := time.Now()
		s.now, s.clock = now.UnixMilli(), int64(now.Sub(s.began))
		calls = s.q.inbox.take(calls[:0])
		for i, f := range calls {
			f(s)
			calls[i] = nil
		}
		s.round()
		if !s.ended {
			s.wait(timer)
		}
	}
	s.q.inbox.close()
}

// round does everything that can be done now.
func (s *schedule) round() {
	s.wheel.advance(s.now, s.fallDue)
	if s.drained == nil {
		s.load()
		s.prepare()
		s.engine.Tick(s.clock)
		s.pickUp()
	} else if s.preparing+s.sending+s.closing == 0 {
		s.drain(nil)
	}
	s.gauge()
}

// wait returns when the inbox has something, or the wheel or the policies do.
func (s *schedule) wait(timer *time.Timer) {
	d, ok := s.patience(time.Now())
	if !ok || s.drained != nil {
		<-s.q.inbox.wake
		return
	}
	timer.Reset(d)
	select {
	case <-s.q.inbox.wake:
	case <-timer.C:
	}
}

// patience is how long nothing becomes due by itself; false: for ever.
func (s *schedule) patience(now time.Time) (d time.Duration, ok bool) {
	if at, due := s.wheel.next(); due {
		d, ok = time.Duration(at-now.UnixMilli())*time.Millisecond, true
	}
	if at, due := s.engine.Due(); due {
		if until := time.Duration(at) - now.Sub(s.began); !ok || until < d {
			d, ok = until, true
		}
	}
	return d, ok
}

// drain stops handing out work; done is closed once none is running.
func (s *schedule) drain(done chan struct{}) {
	if s.drained == nil {
		s.drained = done
	}
	if s.preparing+s.sending+s.closing == 0 && s.drained != nil {
		select {
		case <-s.drained:
		default:
			close(s.drained)
		}
	}
}

func (s *schedule) reloaded() {
	s.q.reloading.Store(false)
	s.settings = s.q.settings.Load()
	clear(s.sources)
	for name, p := range s.down {
		s.suspendProxy(name, p)
	}
}

// admit takes a stored message in, or leaves it on disk when memory is full.
// past is what an earlier run knew of it.
func (s *schedule) admit(m *message, past *recovered) {
	if s.full() {
		s.pending = append(s.pending, pending{m.handle, past})
		return
	}
	s.insert(m)
}

func (s *schedule) full() bool {
	return s.settings.MaxMessages > 0 && len(s.slots)-len(s.free) >= s.settings.MaxMessages
}

func (s *schedule) insert(m *message) {
	if n := len(s.free); n > 0 {
		m.slot = s.free[n-1]
		s.free = s.free[:n-1]
		s.slots[m.slot] = m
	} else {
		m.slot = uint32(len(s.slots))
		s.slots = append(s.slots, m)
	}
	s.q.metrics.Loaded.Inc()
	for i := range m.entries {
		e := &m.entries[i]
		e.reason = s.reasons.same(e.reason)
		s.counts[e.state]++
		s.q.quotas.add(e, +1)
		s.file(e)
	}
}

// file puts an entry that is in no list where its state and time belong.
func (s *schedule) file(e *entry) {
	switch {
	case e.state == StateHold:
	case e.due > s.now:
		s.setState(e, StateDefer)
		s.wheel.add(e)
	default:
		s.fallDue(e)
	}
}

func (s *schedule) fallDue(e *entry) {
	s.setState(e, StateUnknown)
	if t := s.settings.Transports[e.class.Value().transport]; t != nil && t.Fixed != nil && s.settings.Hooks == nil {
		s.activate(e, t.Fixed)
		return
	}
	s.due[e.priority].push(e)
}

// withdraw takes a waiting entry out of the list that it is in.
func (s *schedule) withdraw(e *entry) {
	switch e.state {
	case StateDefer:
		s.wheel.remove(e)
	case StateActive:
		s.deactivate(e)
		s.leave(e)
	case StateUnknown:
		e.unlink()
	}
}

func (s *schedule) setState(e *entry, to State) {
	s.counts[e.state]--
	s.counts[to]++
	e.state = to
}

// remove ends an entry for good.
func (s *schedule) remove(e *entry) {
	m := e.msg
	s.q.store.Done(m.handle, e.number)
	s.counts[e.state]--
	s.q.quotas.add(e, -1)
	e.flags |= isGone
	e.rare = nil
	if m.left--; m.left > 0 {
		return
	}
	s.slots[m.slot] = nil
	s.free = append(s.free, m.slot)
}

// prepare hands due entries to workers that call the hook and the resolver.
func (s *schedule) prepare() {
	for s.preparing < maxPreparing {
		e := s.due[1].pop()
		if e == nil {
			e = s.due[0].pop()
		}
		if e == nil {
			return
		}
		a := s.attempt(e)
		if a.transport == nil {
			s.refuse(a)
			continue
		}
		s.preparing++
		s.q.crew.do(func() { s.q.prepare(a) })
	}
}

// prepared makes an entry ACTIVE, unless an operator decided otherwise while it
// was being prepared.
func (s *schedule) prepared(e *entry, d *Decision, to *delivery.Destination) {
	s.preparing--
	if d.SetMetadata {
		e.more().metadata, e.rare.metadataSet = d.Metadata, true
		s.save(e)
	}
	if s.obey(e) {
		return
	}
	if d.Try != nil || d.Context != nil {
		e.more().try, e.rare.context = d.Try, d.Context
		e.rare.to = nil
		if d.Try != nil && d.Try.Transport != nil {
			e.rare.to = to
		}
		if d.Try != nil && d.Try.Job != nil {
			e.setJob(*d.Try.Job)
		}
	}
	s.activate(e, to)
}

// pickUp starts attempts while there is room.
func (s *schedule) pickUp() {
	for s.sending < s.settings.Concurrency {
		e, slot := s.next()
		if e == nil {
			return
		}
		if e.group.settings != s.settings {
			// The way to it may be another since the settings were replaced.
			s.putBack(slot)
			s.leave(e)
			s.fallDue(e)
			continue
		}
		s.q.metrics.PickedUp.Inc()
		a := s.attempt(e)
		if a.transport == nil {
			s.putBack(slot)
			s.leave(e)
			s.setState(e, StateUnknown)
			s.refuse(a)
			continue
		}
		s.send(e, a, slot)
	}
}

// putBack gives up what was reserved for an attempt that is not made.
func (s *schedule) putBack(slot *policy.Reservation) {
	s.q.metrics.PutBack.Inc()
	s.engine.Cancel(slot, s.clock)
}

// refuse concludes an attempt that cannot be made for want of a transport.
func (s *schedule) refuse(a *attempt) {
	a.from = fromClosing
	s.closing++
	s.q.crew.do(func() { s.q.conclude(a, noTransport(a), Default) })
}

func (s *schedule) send(e *entry, a *attempt, slot *policy.Reservation) {
	s.setState(e, StateSending)
	s.sending++
	e.group.sending++
	s.running[e] = slot
	a.applied, a.Grouping, a.view.Grouping = slot.Applied, e.group.grouping, e.group.grouping
	a.settle(slot.Tuple())
	a.leaveFrom(slot.Source)
	if slot.Limited() {
		a.MayConnect = s.q.gate(slot)
	}
	d := e.group.destination
	if e.rare != nil && e.rare.to != nil {
		d = e.rare.to
	}
	s.q.crew.do(func() { s.q.carry(a, d) })
}

// sent ends the attempt of a SENDING entry.
func (s *schedule) sent(e *entry) {
	s.sending--
	e.group.sending--
	s.engine.Release(s.running[e], s.clock)
	delete(s.running, e)
	s.leave(e)
}

// ending says which count of running workers an entry leaves.
type ending uint8

const (
	fromPreparing ending = iota
	fromSending
	fromClosing
)

// settle applies what was decided about an entry that was with a worker.
func (s *schedule) settle(e *entry, v *verdict) {
	switch v.from {
	case fromPreparing:
		s.preparing--
	case fromSending:
		delete(s.rests, s.running[e].Source.Addr)
		s.sent(e)
	case fromClosing:
		s.closing--
	}
	if v.remove {
		s.remove(e)
		return
	}
	s.deferEntry(e, v)
}

func (s *schedule) deferEntry(e *entry, v *verdict) {
	e.retry, e.due, e.reason = v.retry, v.due, s.reasons.same(v.reason)
	if v.notified {
		e.flags |= isNotified
	}
	if v.transport != "" {
		e.setTransport(v.transport)
	}
	if v.metadataSet {
		e.more().metadata, e.rare.metadataSet = v.metadata, true
	}
	if e.rare != nil {
		e.rare.try, e.rare.context, e.rare.to = nil, nil, nil
	}
	if v.hold {
		s.setState(e, StateHold)
	} else {
		s.setState(e, StateUnknown)
	}
	if !s.obey(e) {
		s.save(e)
		s.file(e)
	}
}

// obey carries out what an operator asked for while e was with a worker. It
// reports whether there was something.
func (s *schedule) obey(e *entry) bool {
	if e.rare == nil || e.rare.after == nil {
		return false
	}
	a := e.rare.after
	e.rare.after = nil
	s.apply(e, a)
	return true
}

// save writes the state of e to the spool, with the next commit.
func (s *schedule) save(e *entry) {
	st := e.saved()
	s.q.store.SetState(e.msg.handle, e.number, st.Append(nil))
}

// pending is a message that waits on disk for room in memory.
type pending struct {
	handle spool.Handle
	past   *recovered
}

// maxLoading bounds the messages that are being read from disk at once.
const maxLoading = 16

// load reads pending messages while there is room.
func (s *schedule) load() {
	for len(s.pending) > 0 && s.loading < maxLoading && !s.full() {
		p := s.pending[0]
		if s.pending = s.pending[1:]; len(s.pending) == 0 {
			s.pending = nil
		}
		s.loading++
		s.q.crew.do(func() {
			m, err := s.q.read(p)
			s.q.inbox.post(func(s *schedule) {
				s.loading--
				if err != nil {
					s.q.failed(err)
					return
				}
				s.insert(m)
			})
		})
	}
}

// reasons keeps one copy of each of the last reasons, which are often the same
// for many entries.
type reasons map[string]string

// maxReasons bounds reasons. Replies with an id in each are many.
const maxReasons = 4096

func (r *reasons) same(text string) string {
	if text == "" {
		return ""
	}
	if kept, ok := (*r)[text]; ok {
		return kept
	}
	if *r == nil || len(*r) >= maxReasons {
		*r = reasons{}
	}
	(*r)[text] = text
	return text
}

// gauge publishes the sizes.
func (s *schedule) gauge() {
	m := s.q.metrics
	m.Active.Set(int64(s.counts[StateActive] + s.counts[StateSending]))
	m.Deferred.Set(int64(s.counts[StateDefer]))
	m.Held.Set(int64(s.counts[StateHold]))
	m.InMemory.Set(int64(len(s.slots) - len(s.free)))
	m.OnDisk.Set(int64(len(s.pending)))
	m.Limit.Set(int64(s.settings.MaxMessages))
	m.Releasing.Set(int64(s.closing))
	m.PickupPending.Set(int64(s.sending))
	m.Groups.Set(int64(len(s.groups)))
	for p := range s.active {
		s.q.sizes[p].Active.Set(int64(s.active[p]))
	}
}
