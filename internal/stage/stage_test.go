package stage

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var client = netip.MustParseAddr("192.0.2.7")

func start(t *testing.T, s *Set, o Options) *Stage {
	t.Helper()
	if o.Probability == 0 {
		o.Probability = 1
	}
	if o.ErrorRate == 0 {
		o.ErrorRate = 1
	}
	st, err := s.Start(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// TestConditions: which connections a stage takes, and that the first stage that
// takes one has it.
func TestConditions(t *testing.T) {
	s := new(Set)
	if s.Choose("in", client) != nil {
		t.Error("no stage has taken a connection")
	}
	a := start(t, s, Options{ID: "a", Conditions: Conditions{ServerIDs: []string{"out"}}})
	b := start(t, s, Options{ID: "b", Conditions: Conditions{RemoteIPs: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, Count: 2}})
	c := start(t, s, Options{ID: "c"})
	for i, want := range []*Stage{b, b, c} {
		if got := s.Choose("in", client); got != want {
			t.Errorf("connection %d went to %v", i, got)
		}
	}
	if s.Choose("out", client) != a || s.Choose("in", netip.MustParseAddr("10.0.0.1")) != c {
		t.Error("a connection went elsewhere")
	}
	b.Left()
	if st := b.Status(); st.Connections != 2 || st.Open != 1 {
		t.Errorf("status %+v", st)
	}
	for _, o := range []Options{{ID: "a", Conditions: Conditions{Probability: 1}}, {ID: "x y"}, {ID: "d", Conditions: Conditions{Probability: 2}}} {
		if _, err := s.Start(o, nil); err == nil {
			t.Errorf("%+v has begun", o)
		}
	}
	if ids := s.Cancel("", ErrCancelled); !slices.Equal(ids, []string{"a", "b", "c"}) || s.Choose("in", client) != nil || len(s.Past()) != 3 {
		t.Errorf("cancelled %v", ids)
	}
}

// TestProbability: a share of the connections.
func TestProbability(t *testing.T) {
	s := new(Set)
	start(t, s, Options{ID: "a", Conditions: Conditions{Probability: 0.25}})
	n := 0
	for range 10000 {
		if s.Choose("in", client) != nil {
			n++
		}
	}
	if n < 2200 || n > 2800 { // seven standard deviations
		t.Errorf("%d of 10000 connections", n)
	}
}

func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(Set)
		var reason error
		a := start(t, s, Options{ID: "a", Conditions: Conditions{Time: time.Minute}, Ended: func(_ *Stage, err error) { reason = err }})
		time.Sleep(time.Minute + time.Millisecond)
		synctest.Wait()
		if a.Alive() || reason != ErrTime || s.Find("a") != nil || a.Status().Runtime != time.Minute {
			t.Errorf("%v after %s", reason, a.Status().Runtime)
		}
	})
}

// TestErrorRate: a stage ends when more than the share of its last runs failed,
// and not before enough have been seen.
func TestErrorRate(t *testing.T) {
	s := new(Set)
	a := start(t, s, Options{ID: "a", ErrorRate: 0.1, ErrorRuns: 20})
	for range 19 {
		a.Ran(true)
	}
	if !a.Alive() {
		t.Error("ended after 19 runs")
	}
	a.Ran(true)
	if a.Alive() || !strings.Contains(a.Status().Ended, "20 of its last 20 scripts failed") {
		t.Errorf("ended: %q", a.Status().Ended)
	}
	b := start(t, s, Options{ID: "b", ErrorRate: 0.1, ErrorRuns: 20})
	for i := range 1000 {
		b.Ran(i%10 == 9)
	}
	if !b.Alive() {
		t.Errorf("a tenth of errors is no more than a tenth: %s", b.Status().Ended)
	}
	b.Ran(true)
	b.Ran(true)
	if b.Alive() || b.Status().Runs != 1002 {
		t.Errorf("%+v", b.Status())
	}
}

// TestListen: who listens gets the last lines and those to come, up to the end.
func TestListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(Set)
		a := start(t, s, Options{ID: "a"})
		for i := range keptLines + 1 {
			a.Say(fmt.Sprint(i))
		}
		var got, fresh []string
		go a.Listen(t.Context(), true, func(l string) bool { got = append(got, l); return true })
		go a.Listen(t.Context(), false, func(l string) bool { fresh = append(fresh, l); return true })
		synctest.Wait()
		a.Say("more")
		s.Cancel("a", ErrCancelled)
		synctest.Wait()
		if len(got) != keptLines+2 || got[0] != "1" || !slices.Equal(got[keptLines:], fresh) || !slices.Equal(fresh, []string{"more", "stage a has ended: cancelled"}) {
			t.Errorf("%d lines from %q, new ones %q", len(got), got[0], fresh)
		}
	})
}

// TestSlowListener: nobody waits for one that does not read.
func TestSlowListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := start(t, new(Set), Options{ID: "a"})
		blocked := make(chan struct{})
		var got []string
		go a.Listen(t.Context(), false, func(l string) bool { got = append(got, l); <-blocked; return true })
		synctest.Wait()
		a.Say("first")
		synctest.Wait()
		for range buffered + 10 {
			a.Say("x")
		}
		close(blocked)
		synctest.Wait()
		a.Say("last")
		a.End(ErrCancelled)
		synctest.Wait()
		if n := len(got); n != buffered+4 || got[n-3] != "(10 lines lost: you read too slowly)" || got[n-2] != "last" {
			t.Errorf("%d lines, the last %q", n, got[n-3:])
		}
	})
}

// TestPoints: copies are kept and waited for; a script is held only if that is
// asked for, and never for longer.
func TestPoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(Set)
		a := start(t, s, Options{ID: "a"})
		reach := func(ctx context.Context, point string) time.Duration {
			began := time.Now()
			a.Points.Reached(ctx, Stop{Point: point})
			return time.Since(began)
		}
		if d := reach(t.Context(), "1"); d != 0 {
			t.Errorf("held for %s", d)
		}
		stop, next, ok := a.Next(t.Context(), 0)
		if !ok || stop.Point != "1" || stop.Held || next != 1 {
			t.Errorf("%+v", stop)
		}
		a.Points.SetHold(time.Minute)
		go func() {
			if stop, _, ok := a.Next(t.Context(), next); !ok || stop.Point != "2" || !stop.Held {
				t.Errorf("waited for %+v", stop)
			}
			a.Points.Continue()
		}()
		if d := reach(t.Context(), "2"); d != 0 {
			t.Errorf("held for %s after continue", d)
		}
		if d := reach(t.Context(), "3"); d != time.Minute {
			t.Errorf("held for %s, and nobody let go", d)
		}
		go func() { time.Sleep(time.Second); s.Cancel("a", ErrCancelled) }()
		if d := reach(t.Context(), "4"); d != time.Second {
			t.Errorf("held for %s, beyond the stage", d)
		}
		if reach(t.Context(), "5") != 0 || a.Points.Held() != 0 {
			t.Error("held by a stage that has ended")
		}
		if _, _, ok := a.Next(t.Context(), 5); ok {
			t.Error("a copy that nobody made")
		}
	})
}
