package queue

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

func condition(t *testing.T, texts map[policy.Field][]string) policy.Match {
	t.Helper()
	m, err := policy.NewMatch(texts, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func only(t *testing.T, f policy.Field, values ...string) policy.Match {
	t.Helper()
	return condition(t, map[policy.Field][]string{f: values})
}

func perSecond(n int64) policy.Rate { return policy.Rate{Count: n, Interval: time.Second} }

// receiver counts at the far end what goes on at once and when it began.
type receiver struct {
	mu     sync.Mutex
	now    map[string]int
	most   map[string]int
	begins map[string][]time.Time
}

func (r *receiver) begin(keys ...string) (end func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, k := range keys {
		r.now[k]++
		r.most[k] = max(r.most[k], r.now[k])
		r.begins[k] = append(r.begins[k], time.Now())
	}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, k := range keys {
			r.now[k]--
		}
	}
}

func sources(addrs ...string) (out []delivery.Source) {
	for _, a := range addrs {
		out = append(out, delivery.Source{Addr: netip.MustParseAddr(a)})
	}
	return out
}

// TestLimitsUnderFullLoad queues far more than may go at once and counts at the
// receiver that no limit is ever passed, and that all of it arrives.
func TestLimitsUnderFullLoad(t *testing.T) {
	r := &receiver{now: map[string]int{}, most: map[string]int{}, begins: map[string][]time.Time{}}
	inWorld(t, func(w *world) {
		w.settings.Concurrency = 40
		w.settings.Transports["out"].Delivery.Sources = sources("198.51.100.1", "198.51.100.2", "198.51.100.3")
		w.settings.Groupings = new(policy.Groupings)
		if err := w.settings.Groupings.Add("big", map[policy.Field][]string{policy.RecipientDomain: {"*.big.example"}}, nil); err != nil {
			t.Fatal(err)
		}
		w.rules = policy.NewRules(policy.TokenBucket, []policy.Policy{
			{Fields: policy.Of(policy.LocalIP), Default: &policy.Limits{Concurrency: 12}},
			{Fields: policy.Of(policy.LocalIP, policy.Grouping), Conditions: []policy.Condition{
				{If: only(t, policy.Grouping, "&big"), Then: policy.Limits{Concurrency: 4}},
			}},
			{Fields: policy.Of(policy.Grouping), Conditions: []policy.Condition{
				{If: only(t, policy.Grouping, "&big"), Then: policy.Limits{Rate: perSecond(10)}},
			}},
			{Fields: policy.Of(policy.RecipientDomain), Default: &policy.Limits{Concurrency: 5}},
		})
		w.courier.reply = func(a *delivery.Attempt) delivery.Outcome {
			local := a.Source.Addr.String()
			defer r.begin("all", "local "+local, a.Grouping, a.Grouping+" "+local, "domain "+a.Recipient.Domain)()
			time.Sleep(time.Duration(rand.IntN(900)) * time.Millisecond)
			if rand.IntN(4) == 0 {
				return deferred("451 later")
			}
			return ok()
		}
		w.settings.Transports["out"].Retry = Retry{Count: 1000, Intervals: []Interval{{After: time.Second}}}
	}, func(w *world) {
		for i := range 600 {
			domain := fmt.Sprintf("d%d.big.example", i%7)
			if i%3 == 0 {
				domain = fmt.Sprintf("small%d.example", i%11)
			}
			w.addMessage(&envelope.Message{Priority: uint8(i % 2), Recipients: []envelope.Recipient{recipient(1, fmt.Sprintf("r%d@%s", i, domain))}})
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := w.count(); n != 0 {
			t.Errorf("%d entries never arrived", n)
		}
	})
	for key, most := range r.most {
		limit := 40
		switch {
		case strings.HasPrefix(key, "&big "):
			limit = 4
		case strings.HasPrefix(key, "local "):
			limit = 12
		case strings.HasPrefix(key, "domain "):
			limit = 5
		}
		if most > limit {
			t.Errorf("%q: %d at once, the limit is %d", key, most, limit)
		}
	}
	if r.most["local 198.51.100.1"] < 5 || r.most["all"] < 20 {
		t.Errorf("the load was not full: %v", r.most)
	}
	begins := r.begins["&big"]
	for i := range begins {
		if j := i + 20; j < len(begins) && begins[j].Sub(begins[i]) < time.Second-time.Millisecond {
			t.Fatalf("21 attempts in %s at 10/1", begins[j].Sub(begins[i]))
		}
	}
}

func TestSourcesTakeTurns(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		inWorld(t, func(w *world) {
			d := w.settings.Transports["out"].Delivery
			d.Sources, d.Ordered = sources("198.51.100.1", "198.51.100.2"), ordered
			w.courier.delay = time.Minute
			w.rules = policy.NewRules(0, []policy.Policy{{
				Fields: policy.Of(policy.LocalIP), Conditions: []policy.Condition{
					{If: only(t, policy.LocalIP, "198.51.100.1"), Then: policy.Limits{Concurrency: 2}},
				},
			}})
		}, func(w *world) {
			for i := range 6 {
				w.add(recipient(1, fmt.Sprintf("r%d@one.example", i)))
			}
			synctest.Wait()
			var from []string
			for _, a := range w.courier.seen() {
				from = append(from, a.Source.Addr.String()[len("198.51.100."):])
			}
			slices.Sort(from)
			// By turns or not, what the first may not take goes by the second.
			if got := strings.Join(from, ""); got != "112222" {
				t.Errorf("ordered %v: left from %s", ordered, got)
			}
			time.Sleep(time.Hour)
		})
	}
}

func TestPriorityOvertakes(t *testing.T) {
	inWorld(t, func(w *world) {
		w.courier.delay = time.Second
		w.rules = policy.NewRules(0, []policy.Policy{{Default: &policy.Limits{Concurrency: 1}}})
	}, func(w *world) {
		for i := range 5 {
			w.add(recipient(1, fmt.Sprintf("news%d@one.example", i)))
			synctest.Wait()
		}
		w.addMessage(&envelope.Message{Priority: 1, Recipients: []envelope.Recipient{recipient(1, "reset@two.example")}})
		time.Sleep(time.Minute)
		synctest.Wait()
		var order []string
		for _, a := range w.courier.seen() {
			order = append(order, a.Recipient.Local)
		}
		if got := strings.Join(order, " "); got != "news0 reset news1 news2 news3 news4" {
			t.Errorf("the order was %s", got)
		}
	})
}

func TestSuspensions(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Transports["out"].Delivery.Sources = sources("198.51.100.1", "198.51.100.2")
		w.suspensions = []*policy.Suspension{{If: only(t, policy.RecipientDomain, "*.closed.example")}}
	}, func(w *world) {
		// One that names an address takes only that away.
		id, err := w.queue.Suspend(w.t.Context(), &policy.Suspension{If: only(t, policy.LocalIP, "198.51.100.1"), Tag: "listed", TTL: time.Hour}, true)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			w.add(recipient(1, fmt.Sprintf("r%d@open.example", i)), recipient(2, "x@a.closed.example"))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, a := range w.courier.seen() {
			if a.Source.Addr.String() != "198.51.100.2" || a.Recipient.Domain != "open.example" {
				t.Errorf("%s went out from %s", a.Recipient, a.Source.Addr)
			}
		}
		if n := w.count(Condition{"state", []string{"ACTIVE"}}); n != 5 || len(w.courier.seen()) != 5 {
			t.Errorf("%d wait, %d were tried", n, len(w.courier.seen()))
		}
		// An empty one stops everything (spec operations.md 26.6).
		all, err := w.queue.Suspend(w.t.Context(), &policy.Suspension{Tag: "all"}, true)
		if err != nil || all == id {
			t.Fatal(err)
		}
		if err := w.queue.SetSuspensions(w.t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		w.add(recipient(1, "y@open.example"))
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if n := len(w.courier.seen()); n != 5 {
			t.Errorf("%d were tried while all is suspended", n)
		}
		if found, err := w.queue.Resume(w.t.Context(), all); !found || err != nil {
			t.Error(found, err)
		}
		synctest.Wait()
		// The one with a time to live has ended: both addresses serve.
		from := map[string]int{}
		for _, a := range w.courier.seen()[5:] {
			from[a.Source.Addr.String()]++
		}
		if len(from) != 2 || w.count() != 0 {
			t.Errorf("left from %v, %d wait", from, w.count())
		}
	})
}

func TestDynamicPolicies(t *testing.T) {
	inWorld(t, func(w *world) {
		w.courier.delay = time.Second
		w.rules = policy.NewRules(0, []policy.Policy{{Fields: policy.Of(policy.RecipientDomain)}})
	}, func(w *world) {
		for i := range 10 {
			w.add(recipient(1, fmt.Sprintf("r%d@one.example", i)))
		}
		for i := range 30 {
			w.add(recipient(1, fmt.Sprintf("s%d@one.example", i)))
		}
		synctest.Wait() // ten at once run, which is all that may
		d := policy.Dynamic{
			Fields: policy.Of(policy.RecipientDomain), If: only(t, policy.RecipientDomain, "one.example"),
			Then: policy.Limits{Concurrency: 2}, TTL: 10 * time.Second,
		}
		first := d
		id, err := w.queue.AddPolicy(w.t.Context(), &first, true)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(8*time.Second + time.Millisecond)
		synctest.Wait()
		// The ten that ran when it came count: none starts before they have ended.
		if n := len(w.courier.seen()); n != 10+8*2 {
			t.Errorf("%d attempts after eight seconds", n)
		}
		again := d
		again.Then.Concurrency = 1
		if same, err := w.queue.AddPolicy(w.t.Context(), &again, true); err != nil || same != id {
			t.Errorf("the policy like it is %q, was %q, %v", same, id, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := w.count(); n != 0 {
			t.Errorf("%d wait though the policy has ended", n)
		}
		wrong := d
		wrong.Fields = policy.Of(policy.JobID)
		if _, err := w.queue.AddPolicy(w.t.Context(), &wrong, true); err == nil {
			t.Error("a policy over fields that nothing counts was taken")
		}
	})
}

func TestCountersSurviveReload(t *testing.T) {
	inWorld(t, func(w *world) {
		w.courier.delay = time.Minute
		w.rules = policy.NewRules(0, []policy.Policy{{Fields: policy.Of(policy.RecipientDomain), Default: &policy.Limits{Concurrency: 3}}})
	}, func(w *world) {
		for i := range 9 {
			w.add(recipient(1, fmt.Sprintf("r%d@one.example", i)))
		}
		synctest.Wait()
		err := w.queue.SetPolicies(w.t.Context(), policy.NewRules(0, []policy.Policy{
			{Fields: policy.Of(policy.TransportID)},
			{Fields: policy.Of(policy.RecipientDomain), Default: &policy.Limits{Concurrency: 4}},
		}))
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := len(w.courier.seen()); n != 4 {
			t.Errorf("%d run after a reload that allows one more than three", n)
		}
		time.Sleep(time.Hour)
	})
}

// TestConnectInterval counts that new connections are as far apart as they must.
func TestConnectInterval(t *testing.T) {
	inWorld(t, func(w *world) {
		w.courier.delay = 100 * time.Millisecond
		w.rules = policy.NewRules(0, []policy.Policy{{Default: &policy.Limits{ConnectInterval: 2 * time.Second}}})
	}, func(w *world) {
		for i := range 5 {
			w.add(recipient(1, fmt.Sprintf("r%d@d%d.example", i, i)))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		seen := w.courier.seen()
		for i := 1; i < len(seen); i++ {
			if gap := seen[i].at.Sub(seen[i-1].at); gap < 2*time.Second || gap > 2*time.Second+10*time.Millisecond {
				t.Errorf("connections %s apart", gap)
			}
		}
		if len(seen) != 5 {
			t.Errorf("%d attempts", len(seen))
		}
	})
}

// TestOtherFamilyIsTriedNext: an address of one family cannot reach hosts of the
// other, so these are tried from another, as part of the same attempt.
func TestOtherFamilyIsTriedNext(t *testing.T) {
	inWorld(t, func(w *world) {
		d := w.settings.Transports["out"].Delivery
		d.Sources = sources("2001:db8::1", "198.51.100.1")
		w.settings.Transports["out"].Fixed = &delivery.Destination{Hosts: []delivery.Host{
			{Name: "six", Addr: netip.MustParseAddrPort("[2001:db8::25]:25")},
			{Name: "four", Addr: netip.MustParseAddrPort("192.0.2.25:25")},
		}}
		w.courier.reply = func(a *delivery.Attempt) delivery.Outcome {
			if a.Source.Addr.Is6() {
				out := deferred("451 4.4.1 unreachable")
				out.Stage, out.FromPeer = delivery.StageConnect, false
				return out
			}
			return ok()
		}
	}, func(w *world) {
		w.add(recipient(1, "a@one.example"))
		synctest.Wait()
		seen := w.courier.seen()
		if len(seen) != 2 || seen[0].to != "[2001:db8::25]:25" || seen[1].to != "192.0.2.25:25" || w.count() != 0 {
			t.Errorf("%d attempts, %d left", len(seen), w.count())
		}
	})
}

// TestAddressThatCannotBeUsed is left alone for a while and costs no retry.
func TestAddressThatCannotBeUsed(t *testing.T) {
	inWorld(t, func(w *world) {
		d := w.settings.Transports["out"].Delivery
		d.Sources, d.Ordered = sources("198.51.100.1", "198.51.100.2"), true
		w.settings.HoldDown = 20 * time.Second
		w.courier.reply = func(a *delivery.Attempt) delivery.Outcome {
			if a.Source.Addr == netip.MustParseAddr("198.51.100.1") {
				return delivery.Outcome{Status: delivery.Deferred, Stage: delivery.StageConnect, Err: delivery.ErrProxy}
			}
			return ok()
		}
	}, func(w *world) {
		for i := range 5 {
			w.add(recipient(1, fmt.Sprintf("r%d@one.example", i)))
			synctest.Wait()
		}
		from := map[string]int{}
		for _, a := range w.courier.seen() {
			from[a.Source.Addr.String()]++
			if a.Retry != 0 {
				t.Error("a retry was counted")
			}
		}
		if from["198.51.100.1"] != 1 || from["198.51.100.2"] != 5 || w.count() != 0 {
			t.Errorf("left from %v, %d wait", from, w.count())
		}
		// It is left alone for twenty seconds, forty, and then a minute each time.
		var tries []string
		for at := 5; at <= 200; at += 5 {
			time.Sleep(5 * time.Second)
			w.add(recipient(1, "again@one.example"))
			synctest.Wait()
			all := w.courier.seen()
			if len(all) > 1 && all[len(all)-2].Source.Addr == netip.MustParseAddr("198.51.100.1") {
				tries = append(tries, fmt.Sprint(at))
			}
		}
		if got := strings.Join(tries, " "); got != "20 60 120 180" {
			t.Errorf("it was tried again after %s seconds", got)
		}
	})
}

func TestSettingsByDestination(t *testing.T) {
	inWorld(t, func(w *world) {
		base := w.settings.Transports["out"]
		own := *base
		own.Delivery = &delivery.Transport{ConnectTimeout: 7 * time.Second}
		own.Retry = Retry{Count: 1, Intervals: []Interval{{After: 5 * time.Second}}}
		w.settings.ByDestination = func(id string, x *policy.Tuple) *Transport {
			if id == "out" && x.Values[policy.RemoteMX] == "mx.two.example" {
				return &own
			}
			return nil
		}
		w.courier.reply = func(a *delivery.Attempt) delivery.Outcome {
			if a.Sender.IsNull() {
				return ok()
			}
			return deferred("451 later")
		}
	}, func(w *world) {
		w.add(recipient(1, "a@one.example"), recipient(2, "b@two.example"))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		tries := map[string]int{}
		for _, a := range w.courier.seen() {
			if a.Sender.IsNull() {
				continue
			}
			tries[a.Recipient.Local]++
			if got := a.Transport.ConnectTimeout; (a.Recipient.Local == "b") != (got == 7*time.Second) {
				t.Errorf("%s connects within %s", a.Recipient, got)
			}
		}
		if tries["a"] != 1 || tries["b"] != 2 {
			t.Errorf("tried %v", tries)
		}
	})
}
