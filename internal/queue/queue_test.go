package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/message/patch"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/smtp"
	"github.com/posthaste-mta/posthaste/internal/spool"
	"github.com/posthaste-mta/posthaste/internal/vfs"
)

// courier is a pretend world. Each attempt is answered by reply, and noted.
type courier struct {
	reply func(*delivery.Attempt) delivery.Outcome
	delay time.Duration

	mu       sync.Mutex
	attempts []tried
	running  int
	most     int
}

type tried struct {
	delivery.Attempt
	at   time.Time
	body string
	to   string // the first host
}

func (c *courier) Resolve(_ context.Context, a *delivery.Attempt) (*delivery.Destination, *delivery.Outcome) {
	if a.Recipient.Domain == "nowhere.example" {
		return nil, &delivery.Outcome{
			Status: delivery.Failed, Stage: delivery.StageResolve, Kind: delivery.KindDNS, DNS: delivery.DNSNXDomain,
			Reply: smtp.NewReply(550, smtp.EnhancedCode{5, 1, 2}, "no such domain"),
		}
	}
	host := delivery.Host{Name: "mx." + a.Recipient.Domain, Addr: netip.MustParseAddrPort("192.0.2.1:25")}
	return &delivery.Destination{Hosts: []delivery.Host{host}}, nil
}

func (c *courier) Deliver(ctx context.Context, a *delivery.Attempt, d *delivery.Destination) delivery.Outcome {
	if a.MayConnect != nil && !a.MayConnect(ctx) {
		return deferred("451 4.4.2 interrupted")
	}
	c.begin(a, d.Hosts[0].Addr.String())
	defer c.end()
	if c.delay > 0 {
		select {
		case <-time.After(c.delay):
		case <-ctx.Done():
			return deferred("451 4.4.2 interrupted")
		}
	}
	if c.reply == nil {
		return ok()
	}
	return c.reply(a)
}

func (c *courier) begin(a *delivery.Attempt, to string) {
	content, err := a.Content()
	if err != nil {
		panic(err)
	}
	defer content.Close()
	body, err := io.ReadAll(io.NewSectionReader(content, 0, content.Size()))
	if err != nil {
		panic(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.attempts = append(c.attempts, tried{*a, time.Now(), string(body), to})
	c.running++
	c.most = max(c.most, c.running)
}

func (c *courier) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
}

func (c *courier) seen() []tried {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]tried(nil), c.attempts...)
}

func outcome(status delivery.Status, text string) delivery.Outcome {
	r, err := smtp.ParseReply(text + "\r\n")
	if err != nil {
		panic(err)
	}
	return delivery.Outcome{Status: status, Stage: delivery.StageRcpt, Reply: r, FromPeer: true}
}

func ok() delivery.Outcome                  { return outcome(delivery.Delivered, "250 2.0.0 taken") }
func deferred(text string) delivery.Outcome { return outcome(delivery.Deferred, text) }
func failed(text string) delivery.Outcome   { return outcome(delivery.Failed, text) }

// world is a queue over a spool in memory.
type world struct {
	t        *testing.T
	fs       *vfs.Mem
	store    *spool.Store
	queue    *Queue
	courier  *courier
	settings *Settings
	broken   atomic.Bool // the disk fails
	errs     []error
	ended    []string // conclusions, in order
	mu       sync.Mutex

	rules       *policy.Rules
	suspensions []*policy.Suspension
}

// newWorld returns a world that is not started. Its transport "out" retries
// after 1, 15 and then every 60 minutes, thrice in all.
func newWorld(t *testing.T) *world {
	w := &world{t: t, fs: vfs.NewMem(), courier: &courier{}}
	w.fs.Before = func(vfs.Op) error {
		if w.broken.Load() {
			return errDisk
		}
		return nil
	}
	w.settings = &Settings{
		Hostname: "mta.example", Concurrency: 10,
		Transports: map[string]*Transport{
			"out": {
				Delivery: &delivery.Transport{},
				Retry: Retry{Count: 3, Intervals: []Interval{
					{After: time.Minute}, {After: 15 * time.Minute, Notify: true}, {After: time.Hour},
				}},
				DSN: DSN{Transport: "out"},
			},
			"silent":  {Delivery: &delivery.Transport{}},
			"mailbox": {Delivery: &delivery.Transport{Protocol: delivery.LMTP}, DSN: DSN{Transport: "out"}},
		},
	}
	return w
}

func (w *world) start() {
	w.t.Helper()
	store, err := spool.Open(spool.Options{Path: "/spool", FS: w.fs, SegmentSize: 1 << 20})
	if err != nil {
		w.t.Fatal(err)
	}
	w.store = store
	w.queue = New(Options{
		Store: store, Courier: w.courier, NewID: envelope.NewID,
		Policies: w.rules, Suspensions: w.suspensions,
		Events: Events{
			Attempted: func(v *View, _ *delivery.Outcome, c Conclusion) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.ended = append(w.ended, c.Action+" "+v.Recipient.String())
			},
			Failed: func(err error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.errs = append(w.errs, err)
			},
		},
	}, w.settings)
	w.queue.Start(w.t.Context())
}

func (w *world) stop() {
	w.t.Helper()
	// Longer than any attempt of these tests; the time is not real.
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := w.queue.Stop(ctx); err != nil {
		w.t.Errorf("stop: %v", err)
	}
	if err := w.store.Close(); err != nil {
		w.t.Errorf("close: %v", err)
	}
}

// recipient is "local@domain" by the transport "out".
func recipient(n uint32, to string) envelope.Recipient {
	a, err := address.Parse(to)
	if err != nil {
		panic(err)
	}
	return envelope.Recipient{
		Number: n, Sender: address.Address{Local: "sender", Domain: "example.org"}, Address: a, Transport: "out",
	}
}

func (w *world) add(rs ...envelope.Recipient) envelope.ID {
	w.t.Helper()
	return w.addMessage(&envelope.Message{Recipients: rs})
}

func (w *world) addMessage(m *envelope.Message) envelope.ID {
	w.t.Helper()
	body := w.queue.Body()
	defer body.Discard()
	fmt.Fprint(body, "Subject: hi\r\n\r\nhello\r\n")
	m.ID, m.Received, m.Size, m.Subject = envelope.NewID(), time.Now(), body.Size(), "hi"
	for i := range m.Recipients {
		if m.Recipients[i].Number == 0 {
			m.Recipients[i].Number = uint32(i + 1)
		}
	}
	if err := w.queue.Add(w.t.Context(), m, body); err != nil {
		w.t.Fatal(err)
	}
	return m.ID
}

func (w *world) count(conditions ...Condition) int {
	w.t.Helper()
	f, err := NewFilter(conditions)
	if err != nil {
		w.t.Fatal(err)
	}
	n, err := w.queue.Count(w.t.Context(), f)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) update(a Action, conditions ...Condition) int {
	w.t.Helper()
	f, err := NewFilter(conditions)
	if err != nil {
		w.t.Fatal(err)
	}
	n, err := w.queue.Update(w.t.Context(), f, a, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// inWorld runs f with a started world in fake time.
func inWorld(t *testing.T, prepare, f func(*world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if prepare != nil {
			prepare(w)
		}
		w.start()
		defer w.stop()
		f(w)
	})
}

func TestDelivers(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.add(recipient(1, "a@one.example"), recipient(2, "b@two.example"))
		synctest.Wait()
		seen := w.courier.seen()
		if len(seen) != 2 || w.count() != 0 {
			t.Fatalf("%d attempts, %d entries left", len(seen), w.count())
		}
		if seen[0].body != "Subject: hi\r\n\r\nhello\r\n" || seen[0].Sender.String() != "sender@example.org" {
			t.Errorf("the attempt was %+v", seen[0])
		}
	})
}

// TestRetriesAndReports follows a message that is never taken: when it is
// tried, when the sender hears of it, and that it ends.
func TestRetriesAndReports(t *testing.T) {
	inWorld(t, func(w *world) {
		w.courier.reply = func(a *delivery.Attempt) delivery.Outcome {
			if a.Sender.IsNull() {
				return ok()
			}
			return deferred("451 4.7.1 come back later")
		}
	}, func(w *world) {
		begin := time.Now()
		w.add(recipient(1, "slow@one.example"))
		time.Sleep(4 * 24 * time.Hour)
		synctest.Wait()
		var tries []time.Duration
		var reports []string
		for _, a := range w.courier.seen() {
			if a.Sender.IsNull() {
				reports = append(reports, fmt.Sprintf("%v %s", a.at.Sub(begin).Round(time.Minute), action(a.body)))
			} else {
				tries = append(tries, a.at.Sub(begin).Round(time.Minute))
			}
		}
		if got, want := fmt.Sprint(tries), "[0s 1m0s 16m0s 1h16m0s]"; got != want {
			t.Errorf("tried at %s, want %s", got, want)
		}
		if got, want := fmt.Sprint(reports), "[1m0s delayed 1h16m0s failed]"; got != want {
			t.Errorf("reports %s, want %s", got, want)
		}
		if n := w.count(); n != 0 {
			t.Errorf("%d entries left", n)
		}
	})
}

// action is the Action field of a report.
func action(body string) string {
	_, rest, _ := strings.Cut(body, "\r\nAction: ")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

func TestExpiresByAge(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Transports["out"].Retry.During = 10 * time.Minute
		w.courier.reply = func(*delivery.Attempt) delivery.Outcome { return deferred("451 no") }
	}, func(w *world) {
		r := recipient(1, "x@one.example")
		r.Sender = address.Address{} // no report to look at
		w.add(r)
		time.Sleep(time.Hour)
		synctest.Wait()
		// The second wait would lead beyond ten minutes.
		if n := len(w.courier.seen()); n != 2 || w.count() != 0 {
			t.Errorf("%d attempts, %d left", n, w.count())
		}
	})
}

func TestWhoGetsAReport(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*envelope.Recipient)
		reply   string
		relayed bool
		want    string
	}{
		{"failure", nil, "550 5.1.1 no such user", false, "failed"},
		{"null sender", func(r *envelope.Recipient) { r.Sender = address.Address{} }, "550 5.1.1 no", false, ""},
		{"never", func(r *envelope.Recipient) { r.Notify = envelope.NotifyNever }, "550 5.1.1 no", false, ""},
		{"success only", func(r *envelope.Recipient) { r.Notify = envelope.NotifySuccess }, "550 5.1.1 no", false, ""},
		{"passed on", func(r *envelope.Recipient) { r.Notify = envelope.NotifySuccess }, "", false, ""},
		{"mailbox", func(r *envelope.Recipient) { r.Notify, r.Transport = envelope.NotifySuccess, "mailbox" }, "", true, "delivered"},
		{"relayed", func(r *envelope.Recipient) { r.Notify = envelope.NotifySuccess }, "", true, "relayed"},
		{"delivered, not asked", nil, "", false, ""},
		{"no DSN transport", func(r *envelope.Recipient) { r.Transport = "silent" }, "550 5.1.1 no", false, ""},
		{"no such domain", func(r *envelope.Recipient) { r.Address.Domain = "nowhere.example" }, "", false, "failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.courier.reply = func(a *delivery.Attempt) delivery.Outcome {
					if a.Sender.IsNull() && a.Recipient.Local == "sender" || c.reply == "" {
						out := ok()
						out.Relayed = c.relayed
						return out
					}
					return failed(c.reply)
				}
			}, func(w *world) {
				r := recipient(1, "user@one.example")
				if c.change != nil {
					c.change(&r)
				}
				w.add(r)
				synctest.Wait()
				var got string
				for _, a := range w.courier.seen() {
					if a.Recipient.String() == "sender@example.org" {
						got += action(a.body)
					}
				}
				if got != c.want || w.count() != 0 {
					t.Errorf("report %q, want %q; %d entries left", got, c.want, w.count())
				}
			})
		})
	}
}

// TestReportThatCannotBeStored keeps the entry until it can.
func TestReportThatCannotBeStored(t *testing.T) {
	inWorld(t, func(w *world) {
		w.courier.reply = func(a *delivery.Attempt) delivery.Outcome {
			if a.Sender.IsNull() {
				return ok()
			}
			w.broken.Store(true)
			return failed("550 no")
		}
	}, func(w *world) {
		w.add(recipient(1, "user@one.example"))
		synctest.Wait()
		if n := w.count(); n != 1 {
			t.Fatalf("%d entries, want the one that could not be reported", n)
		}
		w.courier.reply = func(*delivery.Attempt) delivery.Outcome { return ok() }
		w.broken.Store(false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := w.count(); n != 0 || len(w.errs) == 0 {
			t.Errorf("%d entries left, errors %v", n, w.errs)
		}
	})
}

var errDisk = errors.New("the disk is gone")

// TestRestart checks that retries, holds and done recipients survive.
func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.courier.reply = func(a *delivery.Attempt) delivery.Outcome {
			if a.Recipient.Local == "fine" {
				return ok()
			}
			return deferred("451 4.2.2 full")
		}
		w.start()
		held := recipient(3, "held@one.example")
		held.Hold, held.Metadata = true, map[string]string{"k": "v"}
		full := recipient(2, "full@one.example")
		full.Notify = envelope.NotifyNever
		id := w.add(recipient(1, "fine@one.example"), full, held)
		time.Sleep(2 * time.Minute) // two attempts
		synctest.Wait()
		w.stop()

		w.start()
		defer w.stop()
		synctest.Wait()
		var got []string
		err := w.queue.Walk(w.t.Context(), nil, func(v *View) bool {
			if err := w.queue.Load(v); err != nil {
				t.Error(err)
			}
			got = append(got, fmt.Sprintf("%v %v %v %d %q %v", v.ID == id, v.Recipient, v.State, v.Retry, v.Reason, v.Metadata()))
			return true
		})
		want := []string{
			`true full@one.example DEFER 2 "451 4.2.2 full" map[]`,
			`true held@one.example HOLD 0 "" map[k:v]`,
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("recovered %q, %v", got, err)
		}
	})
}

// TestEdits: each recipient gets the message with edits of its own, and so does
// the sender back.
func TestEdits(t *testing.T) {
	inWorld(t, func(w *world) {
		w.courier.reply = func(a *delivery.Attempt) delivery.Outcome {
			if a.Recipient.Local == "b" {
				return failed("550 no")
			}
			return ok()
		}
	}, func(w *world) {
		edit := func(text string) []byte {
			p := new(patch.Patch)
			if err := p.InsertBefore(0, []byte("X-For: "+text+"\r\n")); err != nil {
				t.Fatal(err)
			}
			return p.Append(nil)
		}
		a, b := recipient(1, "a@one.example"), recipient(2, "b@one.example")
		a.Patch, b.Patch = edit("a"), edit("b")
		w.addMessage(&envelope.Message{Ret: envelope.RetFull, Recipients: []envelope.Recipient{a, b, recipient(3, "c@one.example")}})
		synctest.Wait()
		const plain = "Subject: hi\r\n\r\nhello\r\n"
		want := map[string]string{"a": "X-For: a\r\n" + plain, "b": "X-For: b\r\n" + plain, "c": plain}
		for _, got := range w.courier.seen() {
			if text, ok := want[got.Recipient.Local]; ok && (got.body != text || got.Size != int64(len(text))) {
				t.Errorf("%s got %q, said to have %d bytes", got.Recipient.Local, got.body, got.Size)
			}
			if got.Sender.IsNull() && !strings.Contains(got.body, want["b"]) {
				t.Errorf("the report returns %q", got.body)
			}
		}
		if n := len(w.courier.seen()); n != 4 {
			t.Errorf("%d attempts, want 3 and a report", n)
		}
	})
}
