package queue

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthaste-mta/posthaste/internal/delivery"
)

// TestUpdate does each verb to an entry in each state, and looks where it is a
// moment later and where in the end.
func TestUpdate(t *testing.T) {
	one := Condition{"recipientdomain", []string{"one.example"}}
	for _, c := range []struct {
		name     string
		state    string
		action   Action
		soon     string // state after a second
		early    int    // attempts after a second
		attempts int    // and after an hour
	}{
		{"activate a deferred one", "DEFER", Action{Verb: Activate}, "DEFER", 2, 3},
		{"hold a deferred one", "DEFER", Action{Verb: Hold}, "HOLD", 1, 1},
		{"hold a running one", "SENDING", Action{Verb: Hold}, "SENDING", 1, 1},
		{"release a held one", "HOLD", Action{Verb: Release}, "DEFER", 1, 3},
		{"release does nothing to a deferred one", "DEFER", Action{Verb: Release}, "DEFER", 1, 3},
		{"activate leaves a held one", "HOLD", Action{Verb: Activate}, "HOLD", 0, 0},
		{"postpone", "DEFER", Action{Verb: Postpone, Delay: 30 * time.Minute}, "DEFER", 1, 3},
		{"delete a deferred one", "DEFER", Action{Verb: Remove}, "", 1, 1},
		{"delete a held one", "HOLD", Action{Verb: Remove}, "", 0, 0},
		{"delete a running one", "SENDING", Action{Verb: Remove}, "SENDING", 1, 1},
		{"bounce a deferred one", "DEFER", Action{Verb: Return, Reason: "enough"}, "", 1, 1},
		{"another transport", "HOLD", Action{Verb: Release, Transport: "silent"}, "", 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				if c.state == "SENDING" {
					w.courier.delay = 10 * time.Second
				}
				w.courier.reply = func(*delivery.Attempt) delivery.Outcome { return deferred("451 no") }
			}, func(w *world) {
				r := recipient(1, "r@one.example")
				r.Hold = c.state == "HOLD"
				w.add(r)
				synctest.Wait()
				if n := w.count(one, Condition{"state", []string{c.state}}); n != 1 {
					t.Fatalf("%d entries in %s to begin with", n, c.state)
				}
				if n := w.update(c.action, one); n != 1 {
					t.Fatalf("%d updated", n)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if got := w.stateOf(one); got != c.soon {
					t.Errorf("a second later it is in %q, want %q", got, c.soon)
				}
				early := w.tries("r")
				time.Sleep(time.Hour)
				synctest.Wait()
				n := w.tries("r")
				if early != c.early || n != c.attempts {
					t.Errorf("%d and %d attempts, want %d and %d", early, n, c.early, c.attempts)
				}
			})
		})
	}
}

// tries counts the attempts for a local part.
func (w *world) tries(local string) (n int) {
	for _, a := range w.courier.seen() {
		if a.Recipient.Local == local {
			n++
		}
	}
	return n
}

func (w *world) stateOf(conditions ...Condition) (state string) {
	f, err := NewFilter(conditions)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.queue.Walk(w.t.Context(), f, func(v *View) bool { state = v.State.String(); return false }); err != nil {
		w.t.Fatal(err)
	}
	return state
}

func TestUpdateMetadata(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		r := recipient(1, "r@one.example")
		r.Hold, r.Metadata = true, map[string]string{"a": "1", "b": "2"}
		w.add(r)
		w.update(Action{Verb: Change, Metadata: map[string]string{"b": "3", "c": "4"}})
		for _, c := range []struct {
			condition string
			want      int
		}{{"a=1", 1}, {"b=2", 0}, {"b=3", 1}, {"c>=4", 1}, {"c>4", 0}, {"d=", 0}} {
			if n := w.count(Condition{"metadata", []string{c.condition}}); n != c.want {
				t.Errorf("%s matches %d, want %d", c.condition, n, c.want)
			}
		}
	})
}

func TestUpdateUnknownTransport(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		_, err := w.queue.Update(w.t.Context(), nil, Action{Verb: Change, Transport: "typo"}, nil)
		if err == nil || err.Error() != `queue: transport "typo" is not configured` {
			t.Errorf("error is %v", err)
		}
	})
}

// TestFilters runs each kind of condition against three held entries.
func TestFilters(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		for i, to := range []string{"Anna@One.example", "ben@two.example", "carl@sub.two.example"} {
			r := recipient(1, to)
			r.Hold, r.Job, r.Tenant = true, fmt.Sprintf("job-%d", i), "t"
			w.add(r)
			time.Sleep(time.Hour)
		}
		for _, c := range []struct {
			field  string
			values []string
			want   string
		}{
			{"recipient", []string{"anna@one.example"}, "Anna"},
			{"recipient", []string{"Anna@one.example"}, "Anna"},
			{"recipient", []string{"aNNa@one.example"}, ""},
			{"recipient", []string{"@two.example"}, "ben"},
			{"recipient", []string{"carl@", "ben@"}, "ben carl"},
			{"recipient", []string{"*n*@"}, "Anna ben"},
			{"recipientdomain", []string{"TWO.example", "*.two.example"}, "ben carl"},
			{"recipientdomain", []string{"!one.example"}, "ben carl"},
			{"jobid", []string{"job-2"}, "carl"},
			{"jobid", []string{"job-*"}, "Anna ben carl"},
			{"sender", []string{"<>"}, ""},
			{"sender", []string{"sender@example.org"}, "Anna ben carl"},
			{"age", []string{">90m"}, "Anna ben"},
			{"age", []string{"30m..150m"}, "ben carl"},
			{"size", []string{"!=22"}, ""},
			{"size", []string{"<=1KiB"}, "Anna ben carl"},
			{"retrycount", []string{"=0"}, "Anna ben carl"},
			{"retrycount", []string{"!=0"}, ""},
			{"subject", []string{"HI"}, "Anna ben carl"},
			{"state", []string{"hold"}, "Anna ben carl"},
		} {
			f, err := NewFilter([]Condition{{c.field, c.values}})
			if err != nil {
				t.Errorf("%s %q: %v", c.field, c.values, err)
				continue
			}
			var got string
			if err := w.queue.Walk(w.t.Context(), f, func(v *View) bool { got += v.Recipient.Local + " "; return true }); err != nil {
				t.Fatal(err)
			}
			if want := c.want + " "; got != want && got+c.want != "" {
				t.Errorf("%s %q matches %q, want %q", c.field, c.values, got, want)
			}
		}
	})
}

func TestBadConditions(t *testing.T) {
	for _, c := range []Condition{
		{"color", []string{"red"}}, {"size", []string{">many"}}, {"age", []string{"yesterday"}},
		{"state", []string{"ASLEEP"}}, {"senderip", []string{"10.0.0.0/99"}}, {"id", []string{"7"}},
		{"metadata", []string{"key"}}, {"recipient", []string{"nobody"}},
	} {
		if _, err := NewFilter([]Condition{c}); err == nil {
			t.Errorf("%v was taken", c)
		}
	}
}

// TestWalkSeesEachOnce walks while entries come and go.
func TestWalkSeesEachOnce(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		const stay = 3000
		for i := range stay {
			r := recipient(1, fmt.Sprintf("r%d@one.example", i))
			r.Hold = true
			w.add(r)
		}
		seen := map[string]int{}
		err := w.queue.Walk(w.t.Context(), nil, func(v *View) bool {
			seen[v.Recipient.Local]++
			if len(seen)%500 == 0 {
				w.add(recipient(1, "passing@two.example"))
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		var missed []string
		for i := range stay {
			if n := seen[fmt.Sprintf("r%d", i)]; n != 1 {
				missed = append(missed, fmt.Sprintf("r%d %d times", i, n))
			}
		}
		if len(missed) > 0 {
			t.Errorf("%d were not seen once: %v", len(missed), slices.Clip(missed[:min(len(missed), 5)]))
		}
	})
}
