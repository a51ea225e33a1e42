package queue

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
)

var egress = &delivery.Proxy{Server: "192.0.2.7", Port: 2525}

// From the addresses of a proxy that is down nothing is sent, those of others
// are used; where there is no other the entry stays ACTIVE, says why, and leaves
// once the proxy is up. Nothing of that counts as an attempt.
func TestProxyDown(t *testing.T) {
	inWorld(t, func(w *world) {
		d := w.settings.Transports["out"].Delivery
		d.Sources = sources("198.51.100.1", "198.51.100.2", "198.51.100.3")
		d.Sources[0].Proxy, d.Sources[1].Proxy = egress, egress
		other := *w.settings.Transports["out"]
		other.Delivery = &delivery.Transport{Sources: sources("198.51.100.1")}
		other.Delivery.Proxy = egress
		w.settings.Transports["proxied"] = &other
		w.courier.reply = func(*delivery.Attempt) delivery.Outcome { return ok() }
	}, func(w *world) {
		w.queue.Proxy(egress.String(), true)
		for range 6 {
			w.add(recipient(1, "a@one.example"))
		}
		alone := recipient(1, "b@one.example")
		alone.Transport = "proxied"
		id := w.add(alone)
		synctest.Wait()
		for _, a := range w.courier.seen() {
			if a.Source.Addr != netip.MustParseAddr("198.51.100.3") {
				t.Errorf("left from %s", a.Source.Addr)
			}
		}
		if n := len(w.courier.seen()); n != 6 || w.count() != 1 {
			t.Fatalf("%d attempts, %d wait", n, w.count())
		}
		x, err := w.queue.Explain(context.Background(), id, 0)
		if err != nil || x[0].View.State != StateActive || x[0].View.Retry != 0 ||
			!strings.Contains(x[0].Summary, "suspended by proxy 192.0.2.7:2525 (proxy-down): localip") {
			t.Errorf("%v %+v", err, x)
		}
		w.queue.Reload(w.settings) // which changes nothing of that
		time.Sleep(time.Hour)
		synctest.Wait()
		if w.count() != 1 {
			t.Fatal("sent through a proxy that is down")
		}
		w.queue.Proxy(egress.String(), false)
		synctest.Wait()
		seen := w.courier.seen()
		if last := seen[len(seen)-1]; w.count() != 0 || last.Source.Addr != netip.MustParseAddr("198.51.100.1") || last.Retry != 0 {
			t.Errorf("%d wait, the last from %v", w.count(), last.Source)
		}
	})
}

// A transport that leaves the address to its proxy waits as well.
func TestProxyDownWithoutSources(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Transports["out"].Delivery.Proxy = egress
		down := true
		w.courier.reply = func(*delivery.Attempt) delivery.Outcome {
			if down {
				down = false
				w.queue.Proxy(egress.String(), true)
				return delivery.Outcome{Status: delivery.Deferred, Stage: delivery.StageConnect, Err: delivery.ErrProxy}
			}
			return ok()
		}
	}, func(w *world) {
		w.add(recipient(1, "a@one.example"))
		synctest.Wait()
		if len(w.courier.seen()) != 1 || w.count() != 1 {
			t.Fatalf("%d attempts, %d wait", len(w.courier.seen()), w.count())
		}
		w.queue.Proxy(egress.String(), false)
		synctest.Wait()
		if seen := w.courier.seen(); w.count() != 0 || len(seen) != 2 || seen[1].Retry != 0 {
			t.Errorf("%d attempts, %d wait", len(seen), w.count())
		}
	})
}

// An address that reaches nobody rests for the time given.
func TestSilentSourceRests(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Transports["out"].Delivery.Sources = sources("198.51.100.1")
		w.courier.reply = func(*delivery.Attempt) delivery.Outcome { return ok() }
	}, func(w *world) {
		w.queue.RestSource(netip.MustParseAddr("198.51.100.1"), 7*time.Second)
		w.add(recipient(1, "a@one.example"))
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if w.count() != 1 {
			t.Error("it was used")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if w.count() != 0 {
			t.Error("it rests on")
		}
	})
}
