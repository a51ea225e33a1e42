package queue

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
)

func order(attempts []tried) string {
	var names []string
	for _, a := range attempts {
		names = append(names, a.Recipient.Local)
	}
	return strings.Join(names, " ")
}

// TestOrder checks that a higher priority overtakes, that sub-queues take turns
// and that each is first in, first out.
func TestOrder(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Concurrency = 1
		w.courier.delay = time.Second
	}, func(w *world) {
		w.add(recipient(1, "first@one.example"))
		synctest.Wait() // it takes the only slot
		for i := range 3 {
			w.add(recipient(1, fmt.Sprintf("a%d@one.example", i)))
			time.Sleep(time.Millisecond)
		}
		for i := range 2 {
			w.add(recipient(1, fmt.Sprintf("b%d@two.example", i)))
			time.Sleep(time.Millisecond)
		}
		w.addMessage(&envelope.Message{Priority: 1, Recipients: []envelope.Recipient{recipient(1, "urgent@one.example")}})
		synctest.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, want := order(w.courier.seen()), "first urgent a0 b0 a1 b1 a2"; got != want {
			t.Errorf("order %q, want %q", got, want)
		}
		if w.courier.most != 1 {
			t.Errorf("%d attempts at once, the limit is 1", w.courier.most)
		}
	})
}

func TestConcurrencyLimit(t *testing.T) {
	inWorld(t, func(w *world) { w.courier.delay = time.Second }, func(w *world) {
		for i := range 100 {
			w.add(recipient(1, fmt.Sprintf("r%d@d%d.example", i, i%7)))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.courier.most != 10 || w.count() != 0 {
			t.Errorf("%d at once, %d left", w.courier.most, w.count())
		}
	})
}

// TestMaxMessages keeps what does not fit into memory on disk, and loses
// nothing of it, its state included.
func TestMaxMessages(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.MaxMessages, w.settings.Concurrency = 5, 1
		w.courier.delay = time.Second
	}, func(w *world) {
		for i := range 20 {
			w.add(recipient(1, fmt.Sprintf("r%d@one.example", i)))
		}
		synctest.Wait()
		_, onDisk, err := w.queue.Sizes(w.t.Context())
		if err != nil || onDisk != 15 || w.count() != 5 {
			t.Fatalf("%d on disk, %d in memory, %v", onDisk, w.count(), err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(w.courier.seen()); n != 20 || w.count() != 0 {
			t.Errorf("%d delivered, %d left", n, w.count())
		}
	})
}

func TestTransportThatIsNotConfigured(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		r := recipient(1, "x@one.example")
		r.Transport = "later"
		w.add(r)
		synctest.Wait()
		if w.count(Condition{"reason", []string{`transport "later" is not configured`}}) != 1 {
			t.Error("the entry does not say what it waits for")
		}
		next := *w.settings
		next.Transports = map[string]*Transport{"later": next.Transports["out"]}
		w.queue.Reload(&next)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(w.courier.seen()); n != 1 || w.count() != 0 {
			t.Errorf("%d attempts, %d left", n, w.count())
		}
	})
}

// TestStopWaits lets running attempts end, starts no other, and keeps the rest.
func TestStopWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.settings.Concurrency = 2
		w.courier.delay = 30 * time.Second
		w.start()
		for i := range 5 {
			w.add(recipient(1, fmt.Sprintf("r%d@one.example", i)))
		}
		synctest.Wait()
		w.stop()
		if n := len(w.courier.seen()); n != 2 {
			t.Errorf("%d attempts, want the 2 that were running", n)
		}
		w.courier.delay = 0
		w.start()
		defer w.stop()
		synctest.Wait()
		if n := len(w.courier.seen()); n != 5 {
			t.Errorf("%d attempts after the restart, want 5", n)
		}
	})
}

// TestStopCutsShort ends what takes too long without counting it as a retry.
func TestStopCutsShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.courier.delay = time.Hour
		w.start()
		w.add(recipient(1, "r@one.example"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.queue.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("stop: %v", err)
		}
		w.store.Close()
		w.courier.delay = 0
		w.start()
		defer w.stop()
		synctest.Wait()
		if a := w.courier.seen(); len(a) != 2 || a[1].Retry != 0 {
			t.Errorf("attempts %v", a)
		}
		if err := w.queue.Add(t.Context(), new(envelope.Message), w.queue.Body()); err == nil {
			t.Error("a message without recipients was taken")
		}
	})
}

// hooks are Go functions in the place of scripts.
type hooks struct {
	pre  func(*View) Decision
	post func(*View, *Result) Decision
}

func (h hooks) PreDelivery(_ context.Context, v *View) Decision {
	if h.pre == nil {
		return Decision{}
	}
	return h.pre(v)
}

func (h hooks) PostDelivery(_ context.Context, v *View, r *Result) Decision {
	if h.post == nil {
		return Decision{}
	}
	return h.post(v, r)
}

func TestPreDelivery(t *testing.T) {
	for _, c := range []struct {
		name     string
		decide   func(*View) Decision
		attempts int // after an hour
		ended    string
	}{
		{"try", func(*View) Decision { return Decision{} }, 1, "[delivered r@one.example]"},
		{"other settings", func(v *View) Decision {
			way := *v.Way
			way.Helo = "other.example"
			return Decision{Try: &Try{Transport: &way, Sender: &address.Address{Local: "x", Domain: "y.example"}}}
		}, 1, "[delivered r@one.example]"},
		{"delete", func(*View) Decision { return Decision{Action: Delete} }, 0, "[deleted r@one.example]"},
		{"bounce", func(v *View) Decision {
			if v.Sender.IsNull() {
				return Decision{}
			}
			return Decision{Action: Bounce, Reason: "we do not want to"}
		}, 1, "[bounced r@one.example delivered sender@example.org]"},
		{"queue once", func(v *View) Decision {
			if v.Retry == 0 {
				return Decision{Action: Requeue, Delay: time.Minute, DelaySet: true}
			}
			return Decision{}
		}, 1, "[delivered r@one.example]"},
		{"hold", func(*View) Decision { return Decision{Action: Requeue, Hold: true} }, 0, "[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) { w.settings.Hooks = hooks{pre: c.decide} }, func(w *world) {
				w.add(recipient(1, "r@one.example"))
				time.Sleep(time.Hour)
				synctest.Wait()
				seen := w.courier.seen()
				if len(seen) != c.attempts || fmt.Sprint(w.ended) != c.ended {
					t.Errorf("%d attempts, %v", len(seen), w.ended)
				}
				if c.name == "other settings" && (seen[0].Override.Helo != "other.example" || seen[0].Sender.String() != "x@y.example") {
					t.Errorf("the attempt was %+v", seen[0])
				}
			})
		})
	}
}

func TestPostDelivery(t *testing.T) {
	for _, c := range []struct {
		name, reply string
		decide      func(*View, *Result) Decision
		attempts    int // of the message itself, after a day
		ended       string
	}{
		{"default", "550 no", func(*View, *Result) Decision { return Decision{} }, 1, "[bounced r@one.example]"},
		{"keeps what failed", "550 no", func(v *View, r *Result) Decision {
			if r.Action == Bounce && v.Retry < 2 {
				return Decision{Action: Requeue, Delay: time.Minute, DelaySet: true}
			}
			return Decision{}
		}, 3, "[deferred r@one.example deferred r@one.example bounced r@one.example]"},
		{"keeps what expired", "451 no", func(v *View, r *Result) Decision {
			if r.Expired && v.Retry < 5 {
				return Decision{Action: Requeue}
			}
			return Decision{}
		}, 6, "[" + strings.Repeat("deferred r@one.example ", 5) + "bounced r@one.example]"},
		{"deletes", "451 no", func(*View, *Result) Decision { return Decision{Action: Delete} }, 1, "[deleted r@one.example]"},
		{"cannot undo a delivery", "", func(*View, *Result) Decision { return Decision{Action: Bounce} }, 1, "[delivered r@one.example]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.settings.Hooks = hooks{post: c.decide}
				w.settings.Transports["out"].DSN.Transport = "nowhere"
				w.settings.Transports["out"].DSN.Transport = "silent"
				w.courier.reply = func(*delivery.Attempt) delivery.Outcome {
					switch {
					case strings.HasPrefix(c.reply, "5"):
						return failed(c.reply)
					case strings.HasPrefix(c.reply, "4"):
						return deferred(c.reply)
					}
					return ok()
				}
			}, func(w *world) {
				w.add(recipient(1, "r@one.example"))
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				var attempts int
				var ended []string
				for _, a := range w.courier.seen() {
					if a.Recipient.Local == "r" {
						attempts++
					}
				}
				for _, e := range w.ended {
					if strings.HasSuffix(e, "r@one.example") {
						ended = append(ended, e)
					}
				}
				if attempts != c.attempts || fmt.Sprint(ended) != c.ended {
					t.Errorf("%d attempts, %v", attempts, ended)
				}
			})
		})
	}
}

func TestQuotas(t *testing.T) {
	inWorld(t, func(w *world) { w.courier.delay = time.Minute }, func(w *world) {
		for range 3 {
			r := recipient(1, "r@one.example")
			r.Quotas = []string{"tenant-7"}
			w.add(r)
		}
		synctest.Wait()
		if u := w.queue.Quota("tenant-7"); u.Count != 3 || u.Bytes != 3*int64(len("Subject: hi\r\n\r\nhello\r\n")) {
			t.Errorf("usage is %+v", u)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if all := w.queue.Quotas(); len(all) != 0 {
			t.Errorf("usage of an empty queue is %+v", all)
		}
	})
}

func TestGroups(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Concurrency = 1
		w.courier.delay = time.Second
	}, func(w *world) {
		for i := range 5 {
			w.add(recipient(1, fmt.Sprintf("r%d@one.example", i)))
		}
		w.add(recipient(1, "r@two.example"))
		synctest.Wait()
		groups, err := w.queue.Groups(w.t.Context(), 1)
		if err != nil || len(groups) != 1 {
			t.Fatalf("%d groups, %v", len(groups), err)
		}
		g := groups[0]
		if g.Domain != "one.example" || g.RemoteMX != "mx.one.example" || g.Transport != "out" || g.Waiting+g.Sending != 5 {
			t.Errorf("the largest is %+v", g)
		}
	})
}

// TestReloadFindsTheWayAnew: an entry that waits for a slot when the settings
// are replaced goes where the new ones lead, and fares by them.
func TestReloadFindsTheWayAnew(t *testing.T) {
	fixed := func(addr string) *delivery.Destination {
		return &delivery.Destination{Hosts: []delivery.Host{{Addr: netip.MustParseAddrPort(addr)}}}
	}
	inWorld(t, func(w *world) {
		w.settings.Concurrency = 1
		w.settings.Transports["out"].Fixed = fixed("192.0.2.1:25")
		w.courier.delay = time.Minute
	}, func(w *world) {
		w.add(recipient(1, "running@one.example"))
		synctest.Wait()
		w.add(recipient(1, "waiting@one.example"))
		synctest.Wait()
		next := *w.settings
		out := *next.Transports["out"]
		out.Fixed = fixed("192.0.2.2:25")
		next.Transports = map[string]*Transport{"out": &out}
		w.queue.Reload(&next)
		time.Sleep(time.Hour)
		synctest.Wait()
		var went []string
		for _, a := range w.courier.seen() {
			went = append(went, a.Recipient.Local+" "+a.to)
		}
		if want := "[running 192.0.2.1:25 waiting 192.0.2.2:25]"; fmt.Sprint(went) != want {
			t.Errorf("went %v, want %s", went, want)
		}
	})
}

// TestEntryPriority lets one recipient of a message go before the others.
func TestEntryPriority(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Concurrency = 1
		w.courier.delay = time.Second
	}, func(w *world) {
		w.add(recipient(1, "first@one.example"))
		synctest.Wait() // it takes the only slot
		urgent := recipient(2, "urgent@one.example")
		urgent.Priority = 1
		w.add(recipient(1, "a@one.example"), urgent)
		synctest.Wait()
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, want := order(w.courier.seen()), "first urgent a"; got != want {
			t.Errorf("order %q, want %q", got, want)
		}
	})
}

// TestEntryParameters: RET and ENVID of an entry stand for those of its message.
func TestEntryParameters(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		own := recipient(1, "own@one.example")
		own.Ret, own.EnvID = envelope.RetHeaders, "mine"
		w.addMessage(&envelope.Message{Ret: envelope.RetFull, EnvID: "all", Recipients: []envelope.Recipient{own, recipient(2, "other@one.example")}})
		synctest.Wait()
		want := map[string]string{"own": "HDRS mine", "other": "FULL all"}
		for _, got := range w.courier.seen() {
			if p := got.Ret.String() + " " + got.EnvID; p != want[got.Recipient.Local] {
				t.Errorf("%s has %q, want %q", got.Recipient.Local, p, want[got.Recipient.Local])
			}
		}
	})
}
