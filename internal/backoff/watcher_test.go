package backoff

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// world is a Watcher over the policies of a queue, without the queue.
type world struct {
	t       *testing.T
	watcher *Watcher
	began   time.Time

	mu      sync.Mutex
	engine  *policy.Engine
	changes []string
}

// inWorld runs test in fake time with options of small figures.
func inWorld(t *testing.T, test func(*world), change ...func(*Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, began: time.Now(), engine: policy.New(policy.Options{})}
		o := &Options{Fields: DefaultFields, Rules: standardRules(t), Hold: time.Minute, Settle: 5 * time.Second, Steps: DefaultSteps()[:3]}
		for _, c := range change {
			c(o)
		}
		if err := o.Check(); err != nil {
			t.Fatal(err)
		}
		var families []policy.Policy
		for _, fields := range o.Families() {
			families = append(families, policy.Policy{Fields: fields})
		}
		w.engine.SetRules(policy.NewRules(0, families), 0)
		w.watcher = New(w, Events{
			Changed: func(c Change) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.changes = append(w.changes, fmt.Sprintf("%s %d %s %s", time.Since(w.began), c.Step, c.Rule, c.Suspend))
			},
			Failed: func(err error) { t.Error(err) },
		})
		w.watcher.Configure(o)
		w.watcher.Start(t.Context())
		defer w.watcher.Stop()
		test(w)
	})
}

// tick is the engine with the present time, and done with what is due.
func (w *world) tick() int64 {
	now := int64(time.Since(w.began))
	w.engine.Tick(now)
	return now
}

func (w *world) AddPolicy(_ context.Context, d *policy.Dynamic, update bool) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.engine.AddPolicy(d, update, w.tick())
}

func (w *world) ReplacePolicy(_ context.Context, old, next *policy.Dynamic) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.engine.ReplacePolicy(old, next, w.tick())
}

func (w *world) Suspend(_ context.Context, s *policy.Suspension, update bool) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.engine.Suspend(s, update, w.tick())
}

// policies are the dynamic ones in force.
func (w *world) policies() []policy.DynamicView {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.engine.Dynamics(w.tick())
}

func (w *world) suspensions() []policy.SuspensionView {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.engine.Suspensions(w.tick())
}

// step is the step in force at the only place, 0 for none.
func (w *world) step() int64 {
	w.t.Helper()
	switch all := w.policies(); len(all) {
	case 0:
		return 0
	case 1:
		return all[0].Limits.Properties["step"].(int64)
	default:
		w.t.Fatalf("%d policies in force", len(all))
		return 0
	}
}

func (w *world) wantStep(when string, want int64) {
	w.t.Helper()
	if got := w.step(); got != want {
		w.t.Errorf("%s: step %d is in force, want %d", when, got, want)
	}
}

var tooMany = smtp.NewReply(421, smtp.EnhancedCode{4, 7, 0}, "Too many connections")

func attempt(grouping string) *queue.View {
	return &queue.View{
		Grouping: grouping, LocalIP: netip.MustParseAddr("192.0.2.1"),
		Recipient: address.Address{Local: "joe", Domain: "Example.net"},
	}
}

// hears a reply of the provider &big.
func (w *world) hears(r smtp.Reply) {
	w.watcher.Attempted(attempt("&big"), &delivery.Outcome{Status: delivery.Deferred, FromPeer: true, Reply: r})
	synctest.Wait()
}

func (w *world) after(d time.Duration) {
	time.Sleep(d) // fake time
	synctest.Wait()
}

func TestEngagesStepsAndRecovers(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.hears(tooMany)
		w.wantStep("after a complaint", 1)
		d := w.policies()[0]
		if d.ID != "backoff 192.0.2.1 &big" || d.Kind != policy.KindBackoff || d.Left != time.Minute ||
			d.If.String() != "localip=192.0.2.1 grouping=&big" || d.Limits.String() != "concurrency 5 rate 60/60" {
			t.Errorf("in force is %+v", d)
		}
		p := d.Limits.Properties
		if p["author"] != "backoff" || p["reason"] != "421 4.7.0 Too many connections" || p["rule"] != "connections" {
			t.Errorf("properties %v", p)
		}
		w.hears(tooMany)
		w.wantStep("after a complaint of an attempt that was under way", 1)
		w.after(10 * time.Second)
		w.hears(tooMany)
		w.wantStep("after a complaint under step 1", 2)
		w.after(10 * time.Second)
		w.hears(tooMany)
		w.after(10 * time.Second)
		w.hears(tooMany)
		w.wantStep("after more complaints than steps", 3)
		w.after(59 * time.Second)
		w.wantStep("just before the end of the hold", 3)
		w.after(time.Second)
		w.wantStep("after a quiet hold", 2)
		w.after(time.Minute)
		w.wantStep("after two", 1)
		w.after(time.Minute)
		w.wantStep("after three", 0)
		want := "0s 1 connections 0s\n10s 2 connections 0s\n20s 3 connections 0s\n1m30s 2  0s\n2m30s 1  0s\n3m30s 0  0s"
		if got := strings.Join(w.changes, "\n"); got != want {
			t.Errorf("told were\n%s\nwant\n%s", got, want)
		}
		w.after(time.Hour)
		if n := w.watcher.Metrics().Places.Load(); n != 0 {
			t.Errorf("%d places are remembered after an hour of rest", n)
		}
	})
}

// TestDoesNotFlap has a provider that complains whenever it is left alone for a
// moment: each time the limit stays longer.
func TestDoesNotFlap(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		var lasted []time.Duration
		for range 5 {
			w.hears(tooMany)
			begin := time.Now()
			for w.step() > 0 {
				w.after(10 * time.Second)
			}
			lasted = append(lasted, time.Since(begin))
			w.after(10 * time.Second)
		}
		want := "[1m0s 2m0s 4m0s 8m0s 8m0s]"
		if got := fmt.Sprint(lasted); got != want {
			t.Errorf("limits lasted %s, want %s", got, want)
		}
		w.after(8 * 4 * time.Minute)
		w.hears(tooMany)
		if left := w.policies()[0].Left; left != time.Minute {
			t.Errorf("after a long rest the limit lasts %s, want a minute", left)
		}
	})
}

func TestComplaintsKeepTheStep(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for range 30 {
			w.hears(tooMany)
			w.after(20 * time.Second)
			if w.step() == 0 {
				t.Fatal("it recovered while the complaints went on")
			}
		}
		w.wantStep("after ten minutes of complaints", 3)
		if n := len(w.changes); n != 3 {
			t.Errorf("%d changes were told, want the 3 steps: %q", n, w.changes)
		}
	})
}

func TestSuspends(t *testing.T) {
	t.Parallel()
	blocked := smtp.NewReply(550, smtp.EnhancedCode{5, 7, 1}, "Part of their network is on our block list (S3140)")
	inWorld(t, func(w *world) {
		w.hears(blocked)
		w.hears(blocked)
		all := w.suspensions()
		if len(all) != 1 || all[0].ID != "backoff 192.0.2.1 &big" || all[0].Kind != policy.KindBackoff ||
			all[0].Left != time.Hour || all[0].Properties["rule"] != "microsoft-blocked" {
			t.Fatalf("suspended are %+v", all)
		}
		w.after(time.Hour)
		if n := len(w.suspensions()); n != 0 {
			t.Errorf("%d suspensions after the hour", n)
		}
		w.wantStep("right after the suspension", 3)
		w.after(3 * time.Minute)
		w.wantStep("in the end", 0)
	})
}

func TestOperatorHasTheLastWord(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.hears(tooMany)
		w.after(10 * time.Second)
		w.hears(tooMany)
		id := w.policies()[0].ID
		w.mu.Lock()
		w.engine.DeletePolicy(id, w.tick())
		w.mu.Unlock()
		w.after(2 * time.Minute)
		w.wantStep("after it was cancelled", 0)

		w.hears(tooMany)
		w.wantStep("after the next complaint", 1)
		own := &policy.Dynamic{ID: id, Fields: DefaultFields, If: w.policies()[0].If, Then: policy.Limits{Concurrency: 7}}
		if _, err := w.AddPolicy(t.Context(), own, true); err != nil {
			t.Fatal(err)
		}
		w.after(2 * time.Minute)
		w.hears(tooMany)
		w.after(2 * time.Minute)
		if all := w.policies(); len(all) != 1 || all[0].Limits.Concurrency != 7 {
			t.Errorf("in force is %+v, want what the operator has put there", all)
		}
	})
}

func TestWhatIsNoComplaint(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for _, out := range []*delivery.Outcome{
			{Status: delivery.Delivered, FromPeer: true, Reply: tooMany},
			{Status: delivery.Deferred, Reply: tooMany}, // said in the place of a peer
			{Status: delivery.Deferred, FromPeer: true, Reply: smtp.NewReply(451, smtp.EnhancedCode{4, 7, 1}, "Greylisted")},
		} {
			w.watcher.Attempted(attempt("&big"), out)
		}
		w.watcher.Configure(nil)
		w.hears(tooMany)
		w.wantStep("when it is off, too", 0)
	})
}

func TestEventsOfARule(t *testing.T) {
	t.Parallel()
	busy := smtp.NewReply(421, smtp.EnhancedCode{}, "closing")
	inWorld(t, func(w *world) {
		for range 4 {
			w.hears(busy)
		}
		w.after(61 * time.Second)
		for range 4 {
			w.hears(busy)
		}
		w.wantStep("after four in a minute", 0)
		w.hears(busy)
		w.wantStep("after five", 1)
	})
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.watcher.Attempted(attempt(""), &delivery.Outcome{Status: delivery.Deferred, FromPeer: true, Reply: tooMany})
		w.watcher.Attempted(attempt("&other"), &delivery.Outcome{Status: delivery.Deferred, FromPeer: true, Reply: tooMany})
		synctest.Wait()
		found := map[string]bool{}
		for _, d := range w.policies() {
			found[d.If.String()] = true
		}
		if len(found) != 2 || !found["localip=192.0.2.1 recipientdomain=example.net"] || !found["localip=192.0.2.1 grouping=&other"] {
			t.Errorf("slowed down are %v", found)
		}
	})
}

// TestBoundedMemory has more providers complain than are remembered.
func TestBoundedMemory(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const more = 100
		for i := range maxPlaces + more {
			w.watcher.Attempted(attempt(fmt.Sprintf("&p%d", i)), &delivery.Outcome{Status: delivery.Deferred, FromPeer: true, Reply: smtp.NewReply(421, smtp.EnhancedCode{}, "closing")})
			if i%maxWaiting == maxWaiting-1 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		m := w.watcher.Metrics()
		if m.Places.Load() != maxPlaces || m.Dropped.Load() != more {
			t.Errorf("%d places are known and %d complaints dropped, want %d and %d", m.Places.Load(), m.Dropped.Load(), maxPlaces, more)
		}
		w.after(time.Hour)
		if n := m.Places.Load(); n != 0 {
			t.Errorf("%d places are left after an hour", n)
		}
	})
}

func TestMistakesInOptions(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Options){
		"no fields":          func(o *Options) { o.Fields = 0 },
		"want 1 to 16 steps": func(o *Options) { o.Steps = nil },
		"want a hold":        func(o *Options) { o.Hold = 0 },
		"want a settle":      func(o *Options) { o.Settle = 2 * o.Hold },
		"step 2 has no":      func(o *Options) { o.Steps = []policy.Limits{{Concurrency: 1}, {}} },
		"below zero":         func(o *Options) { o.Steps = []policy.Limits{{Concurrency: -1}} },
	} {
		o := &Options{Fields: DefaultFields, Hold: DefaultHold, Settle: DefaultSettle, Steps: DefaultSteps()}
		change(o)
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func BenchmarkAttempted(b *testing.B) {
	w := New(nil, Events{})
	w.Configure(&Options{Fields: DefaultFields, Rules: standardRules(b), Hold: DefaultHold, Steps: DefaultSteps()})
	v := attempt("&big")
	for _, c := range []struct {
		name string
		out  delivery.Outcome
	}{
		{"delivered", delivery.Outcome{Status: delivery.Delivered, FromPeer: true, Reply: smtp.NewReply(250, smtp.EnhancedCode{2, 0, 0}, "ok")}},
		{"unknown user", delivery.Outcome{Status: delivery.Failed, FromPeer: true, Reply: smtp.NewReply(550, smtp.EnhancedCode{5, 7, 1}, "not wanted here by anybody")}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.Attempted(v, &c.out)
			}
		})
	}
}
