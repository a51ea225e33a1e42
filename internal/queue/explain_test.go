package queue

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

// explained is the explanation of the only entry of a message.
func (w *world) explained(id envelope.ID) Explanation {
	w.t.Helper()
	all, err := w.queue.Explain(w.t.Context(), id, 1)
	if err != nil || len(all) != 1 {
		w.t.Fatalf("%d explanations, %v", len(all), err)
	}
	return all[0]
}

func (x *Explanation) has(kind, part string) bool {
	return slices.ContainsFunc(x.Steps, func(s Step) bool { return s.Kind == kind && strings.Contains(s.Text, part) })
}

// TestExplain has an entry wait for each thing that there is to wait for.
func TestExplain(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Concurrency = 3
		w.settings.Groupings = new(policy.Groupings)
		if err := w.settings.Groupings.Add("slow", map[policy.Field][]string{policy.RecipientDomain: {"slow.example"}}, nil); err != nil {
			t.Fatal(err)
		}
		w.rules = policy.NewRules(0, []policy.Policy{
			{Fields: policy.Of(policy.Grouping), Conditions: []policy.Condition{
				{If: only(t, policy.Grouping, "&slow"), Then: policy.Limits{Concurrency: 1}},
			}},
			{Fields: policy.Of(policy.RecipientDomain), Conditions: []policy.Condition{
				{If: only(t, policy.RecipientDomain, "rated.example"), Then: policy.Limits{Rate: policy.Rate{Count: 1, Interval: time.Hour}}},
				{If: only(t, policy.RecipientDomain, "shy.example"), Then: policy.Limits{ConnectInterval: time.Minute}},
			}},
		})
		w.suspensions = []*policy.Suspension{{If: only(t, policy.RecipientDomain, "shut.example"), Tag: "maintenance"}}
		w.courier.reply = func(a *delivery.Attempt) delivery.Outcome {
			switch a.Recipient.Local {
			case "retry":
				return deferred("451 4.7.1 greylisted")
			case "quick":
				return ok()
			}
			time.Sleep(10 * time.Minute)
			return ok()
		}
	}, func(w *world) {
		begin := time.Now()
		running := w.add(recipient(1, "a@slow.example"))
		synctest.Wait()
		held := recipient(1, "b@slow.example")
		held.Hold = true
		later := time.Now()
		waits := w.add(recipient(1, "c@slow.example"))
		synctest.Wait()
		behind := w.add(recipient(1, "d@slow.example"))
		w.add(recipient(1, "quick@rated.example"))
		w.add(recipient(1, "quick@shy.example"))
		synctest.Wait()
		rated := w.add(recipient(1, "e@rated.example"))
		shy := w.add(recipient(1, "f@shy.example"))
		shut := w.add(recipient(1, "g@shut.example"))
		hold := w.add(held)
		retry := w.add(recipient(1, "retry@one.example"))
		synctest.Wait()
		if _, err := w.queue.Suspend(w.t.Context(), &policy.Suspension{If: only(t, policy.RecipientDomain, "gone.example"), Tag: "blocked", TTL: time.Hour, ID: "s1"}, true); err != nil {
			t.Fatal(err)
		}
		gone := w.add(recipient(1, "h@gone.example"))
		synctest.Wait()

		for _, tt := range []struct {
			id      envelope.ID
			summary string // part of it
			kind    string
			text    string // part of a step of that kind
			next    time.Duration
		}{
			{running, "is being sent", "sending", "handed to a worker", 0},
			{waits, "concurrency 1 of 1", "waits", "policy 1 [grouping] grouping=&slow: concurrency 1 of 1; among those that run: " + running.String() + ":1", 0},
			{rated, "the rate 1/3600 is used up", "waits", "policy 2 [recipientdomain] recipientdomain=rated.example", time.Hour},
			{shy, "one new connection each 1m0s", "waits", "recipientdomain=shy.example", time.Minute},
			{shut, "suspended by the file (maintenance)", "waits", "recipientdomain=shut.example", 0},
			{gone, "suspended by s1 (blocked)", "next", "a limit or suspension ends", time.Hour},
			{hold, "on hold", "accepted", "for transport out", 0},
			{retry, "waits for its next attempt", "failed", "1 attempts so far; the last reason is: 451 4.7.1 greylisted", time.Minute},
		} {
			x := w.explained(tt.id)
			if !strings.Contains(x.Summary, tt.summary) || !x.has(tt.kind, tt.text) || !x.has("accepted", "accepted") {
				t.Errorf("%s: %s\n%+v", tt.summary, x.Summary, x.Steps)
			}
			if got := x.Next; tt.next == 0 && !got.IsZero() || tt.next > 0 && got.Sub(begin).Round(time.Second) != tt.next {
				t.Errorf("%s: next at %v, want in %s", tt.summary, got, tt.next)
			}
		}
		x := w.explained(waits)
		if w := x.Ways[0]; !w.Since.Equal(later) || len(w.Holders) != 1 {
			t.Errorf("waits since %v, want %v: %+v", w.Since, later, w)
		}
		if x := w.explained(behind); x.Ahead != 1 {
			t.Errorf("%d come first", x.Ahead)
		}

		// What could start waits when as many run as may.
		w.add(recipient(1, "i@one.example"), recipient(2, "j@one.example"))
		synctest.Wait()
		over := w.add(recipient(1, "k@two.example"))
		synctest.Wait()
		if x := w.explained(over); !strings.Contains(x.Summary, "queues.concurrency.total") {
			t.Error(x.Summary)
		}

		group, err := w.queue.ExplainGroup(w.t.Context(), "&slow")
		if err != nil || len(group) == 0 || group[0].Waiting != 2 || group[0].Sending != 1 || !strings.Contains(group[0].Summary, "concurrency 1 of 1") {
			t.Errorf("the group: %+v, %v", group, err)
		}
		if _, err := w.queue.Explain(w.t.Context(), envelope.NewID(), 0); !errors.Is(err, ErrGone) {
			t.Errorf("of an unknown message: %v", err)
		}
		time.Sleep(time.Hour) // what runs ends
	})
}

// TestPolicyColumns: grouping and source address can be listed and asked for.
func TestPolicyColumns(t *testing.T) {
	inWorld(t, func(w *world) {
		w.settings.Groupings = &policy.Groupings{Default: policy.GroupByDomain}
		w.settings.Transports["out"].Delivery.Sources = sources("198.51.100.7")
		w.courier.delay = 10 * time.Second // less than the end waits for it
		w.rules = policy.NewRules(0, []policy.Policy{{Default: &policy.Limits{Concurrency: 1}}})
	}, func(w *world) {
		for i := range 3 {
			w.add(recipient(1, fmt.Sprintf("r%d@one.example", i)))
		}
		synctest.Wait()
		if n := w.count(Condition{"localip", []string{"198.51.100.0/24"}}); n != 1 {
			t.Errorf("%d leave from the network", n)
		}
		if n := w.count(Condition{"grouping", []string{"one.example"}}); n != 3 {
			t.Errorf("%d are of the grouping", n)
		}
	})
}
