package queue

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unique"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/spool"
	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// BenchmarkPickUp measures what the schedule does for one delivery, from the
// choice of the entry to the end of its attempt, with a million entries behind
// it: 5 000 domains, each reached through four hosts, of which nine in ten are
// held by a full counter or a suspension, under 1 000 policies of which four
// bind each delivery. Without workers, spool and network.
//
// B/entry is all memory of a queued entry in the schedule, its share of
// sub-queues and counters included; cpu-µs/op counts the collector, too.
func BenchmarkPickUp(b *testing.B) {
	for _, blocked := range []bool{false, true} {
		for _, policies := range []int{4, 1000} {
			b.Run(fmt.Sprintf("blocked=%v/policies=%d", blocked, policies), func(b *testing.B) {
				benchPickUp(b, blocked, policies)
			})
		}
	}
}

const (
	benchEntries = 1_000_000
	benchDomains = 5_000
)

func benchPickUp(b *testing.B, blocked bool, policies int) {
	store, err := spool.Open(spool.Options{Path: "/spool", FS: vfs.NewMem(), SegmentSize: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	q := New(Options{Store: store, Courier: &courier{}, NewID: envelope.NewID, Policies: benchRules(b, policies)}, &Settings{
		Concurrency: 1000, Transports: map[string]*Transport{"out": {Delivery: &delivery.Transport{Sources: sources("198.51.100.1", "198.51.100.2")}}},
	})
	q.ctx = context.Background()
	before := heap()
	s := newSchedule(q)
	if blocked {
		if _, err := s.engine.Suspend(&policy.Suspension{If: benchMatch(b, policy.RecipientDomain, "*.held.example"), ID: "held"}, true, s.clock); err != nil {
			b.Fatal(err)
		}
	}
	fillSchedule(s)
	used := heap() - before
	pick := func() {
		e, slot := s.next()
		if e == nil {
			b.Fatal("nothing may start")
		}
		// What send, settle and the next retry do, without the worker.
		s.setState(e, StateSending)
		e.group.sending++
		s.running[e] = slot
		e.group.sending--
		s.engine.Release(slot, s.clock)
		delete(s.running, e)
		d := e.group.destination
		s.leave(e)
		s.clock += int64(100 * time.Microsecond)
		s.engine.Tick(s.clock)
		s.activate(e, d)
	}
	for range benchDomains * 8 { // what binds each way is found on its first turn
		pick()
	}
	b.ResetTimer()
	began := cpu()
	for range b.N {
		pick()
	}
	b.ReportMetric(float64(cpu()-began)/float64(b.N)/1000, "cpu-µs/op")
	b.ReportMetric(float64(used)/benchEntries, "B/entry")
}

// cpu is the processor time of the process, which other processes change less
// than the time of the wall.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func benchMatch(b *testing.B, f policy.Field, values ...string) policy.Match {
	m, err := policy.NewMatch(map[policy.Field][]string{f: values}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// benchRules are four policies that bind everything, and others for one domain
// each that nobody writes to.
func benchRules(b *testing.B, n int) *policy.Rules {
	wide := &policy.Limits{Concurrency: 500, Rate: policy.Rate{Count: 1_000_000, Interval: time.Second}}
	all := []policy.Policy{
		{Default: wide},
		{Fields: policy.Of(policy.LocalIP), Default: wide},
		{Fields: policy.Of(policy.LocalIP, policy.RecipientDomain), Default: &policy.Limits{Concurrency: 20}},
		{Fields: policy.Of(policy.RemoteMX), Default: &policy.Limits{Concurrency: 20}},
	}
	for i := range n - len(all) {
		all = append(all, policy.Policy{Fields: policy.Of(policy.RecipientDomain), Conditions: []policy.Condition{{
			If: benchMatch(b, policy.RecipientDomain, fmt.Sprintf("other%d.example", i)), Then: policy.Limits{Concurrency: 1},
		}}})
	}
	return policy.NewRules(0, all)
}

// fillSchedule puts a million entries into the sub-queues.
func fillSchedule(s *schedule) {
	common := unique.Make(class{transport: "out"})
	from := unique.Make(origin{server: "inbound"})
	sender := unique.Make("example.org")
	for i := range benchEntries {
		n := i % benchDomains
		kind := "held"
		if n%10 == 0 {
			kind = "open"
		}
		name := fmt.Sprintf("d%d.%s.example", n, kind)
		local := fmt.Sprintf("sender user%d", i)
		m := &message{id: envelope.NewID(), received: int64(i), size: 10_000, origin: from, local: local[:6], domain: sender, left: 1}
		m.entries = []entry{{msg: m, number: 1, local: local[7:], domain: unique.Make(name), class: common}}
		m.slot = uint32(len(s.slots))
		s.slots = append(s.slots, m)
		s.counts[StateUnknown]++
		mx := (i / benchDomains) % 4
		s.activate(&m.entries[0], &delivery.Destination{Hosts: []delivery.Host{{
			Name: fmt.Sprintf("mx%d.%s", mx, name), Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(mx), byte(n >> 8), byte(n)}), 25),
		}}})
	}
}
