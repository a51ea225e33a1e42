package acme

import (
	"testing"
	"time"
)

const day = 24 * time.Hour

var start = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func lasting(life time.Duration) *Record {
	return &Record{NotBefore: start, NotAfter: start.Add(life)}
}

// TestRenewAt is the table of spec tls.md 6.2.
func TestRenewAt(t *testing.T) {
	within := func(life time.Duration, selected time.Duration) *Record {
		r := lasting(life)
		r.ARI = ARI{Start: start.Add(selected), End: start.Add(selected + time.Hour), Selected: start.Add(selected)}
		return r
	}
	for _, c := range []struct {
		name   string
		record *Record
		before time.Duration
		ari    bool
		want   time.Duration // before the end
	}{
		{"90 days", lasting(90 * day), 30 * day, true, 30 * day},
		{"64 days", lasting(64 * day), 30 * day, true, 64 * day / 3},
		{"45 days", lasting(45 * day), 30 * day, true, 15 * day},
		{"160 hours", lasting(160 * time.Hour), 30 * day, true, 80 * time.Hour},
		{"later by wish", lasting(90 * day), 20 * day, true, 20 * day},
		{"never later than a tenth", lasting(90 * day), day, true, 9 * day},
		{"as the authority says", within(90*day, 50*day), 30 * day, true, 40 * day},
		{"not too late, whatever it says", within(90*day, 89*day), 30 * day, true, 9 * day},
		{"not asked", within(90*day, 50*day), 30 * day, false, 30 * day},
	} {
		p := &policy{renewBefore: c.before, ari: c.ari}
		if got := c.record.NotAfter.Sub(p.renewAt(c.record)); got != c.want {
			t.Errorf("%s: %s before the end, want %s", c.name, got, c.want)
		}
	}
}

// TestLadder climbs the ladder of spec tls.md 6.3 and counts what an authority
// would see.
func TestLadder(t *testing.T) {
	p := new(Options).policy()
	r := &Record{Name: "a.test"}
	now := start
	var waits []time.Duration
	tokens, least, filled := 5.0, 5.0, now
	for now.Sub(start) < 2*day {
		tokens = min(5, tokens+now.Sub(filled).Minutes()/12) - 1
		least, filled = min(least, tokens), now
		r.fail(p, &Failure{Code: "acme:dns"}, new(Problem), now, 0)
		waits = append(waits, r.NextAttempt.Sub(now))
		now = r.NextAttempt
	}
	want := append(append([]time.Duration(nil), Intervals...), 12*time.Hour, 12*time.Hour)[:len(waits)]
	for i := range waits {
		if waits[i] != want[i] {
			t.Errorf("wait %d is %s, want %s", i+1, waits[i], want[i])
		}
	}
	if len(waits) != 13 || least < 1.499 {
		t.Errorf("%d attempts in 48 hours, at least %.2f failures were left of what the authority allows", len(waits), least)
	}
}

func TestDelay(t *testing.T) {
	at := func(failures int, life, age time.Duration) (*Record, time.Time) {
		r := &Record{FailuresInRow: failures}
		if life > 0 {
			r.NotBefore, r.NotAfter = start, start.Add(life)
		}
		return r, start.Add(age)
	}
	for _, c := range []struct {
		name      string
		failures  int
		life, age time.Duration
		permanent bool
		jitter    float64
		want      time.Duration
	}{
		{"the first is exact", 1, 0, 0, false, 1, time.Minute},
		{"later ones are not", 2, 0, 0, false, 1, 2*time.Minute + 12*time.Second},
		{"never above the longest", 11, 0, 0, false, 1, 12 * time.Hour},
		{"the last repeats", 50, 0, 0, false, 0, 12 * time.Hour},
		{"what time does not mend", 1, 0, 0, true, 0, 12 * time.Hour},
		{"two days before the end", 50, 90 * day, 88 * day, false, 0, 6 * time.Hour},
		{"an hour before the end", 50, 90 * day, 90*day - time.Hour, false, 0, time.Hour},
		{"after the end", 50, 90 * day, 91 * day, false, 0, 12 * time.Hour},
	} {
		r, now := at(c.failures, c.life, c.age)
		if got := new(Options).policy().delay(r, c.permanent, now, c.jitter); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestRetryAfter: what the authority asks for is a floor.
func TestRetryAfter(t *testing.T) {
	p := new(Options).policy()
	for _, c := range []struct{ said, want time.Duration }{{0, time.Minute}, {30 * time.Second, time.Minute}, {3 * time.Hour, 3 * time.Hour}} {
		r, problem := new(Record), new(Problem)
		if c.said > 0 {
			problem.RetryAfter = start.Add(c.said)
		}
		r.fail(p, new(Failure), problem, start, 0)
		if got := p.next(r).Sub(start); got != c.want {
			t.Errorf("Retry-After %s: %s, want %s", c.said, got, c.want)
		}
	}
}

func TestStates(t *testing.T) {
	p := new(Options).policy()
	failing := func(r *Record, code string) *Record {
		r.fail(p, &Failure{Code: code}, new(Problem), start.Add(89*day), 0)
		return r
	}
	for _, c := range []struct {
		want   State
		record *Record
		age    time.Duration
	}{
		{Pending, new(Record), 0}, {Failed, failing(new(Record), "acme:dns"), 89 * day}, {Paused, failing(new(Record), codePaused), 89 * day},
		{Valid, lasting(90 * day), 0}, {Due, lasting(90 * day), 60 * day}, {Expired, lasting(90 * day), 91 * day},
		{RenewFailed, failing(lasting(90*day), "acme:dns"), 89 * day}, {Expired, failing(lasting(90*day), "acme:dns"), 91 * day},
	} {
		if got := c.record.state(p, start.Add(c.age)); got != c.want {
			t.Errorf("%+v after %s is %s, want %s", c.record, c.age, got, c.want)
		}
	}
}

func TestNextARI(t *testing.T) {
	for said, want := range map[time.Duration]time.Duration{0: 6 * time.Hour, time.Minute: 30 * time.Minute, 6 * time.Hour: 6 * time.Hour, 3 * day: 12 * time.Hour} {
		var at time.Time
		if said > 0 {
			at = start.Add(said)
		}
		if got := nextARI(at, start).Sub(start); got != want {
			t.Errorf("%s becomes %s, want %s", said, got, want)
		}
	}
}

func TestExpiryMarks(t *testing.T) {
	for _, c := range []struct {
		life, left, want time.Duration
	}{
		{90 * day, 15 * day, 0}, {90 * day, 14 * day, 14 * day}, {90 * day, 5 * day, 7 * day}, {90 * day, 3 * day, 3 * day}, {90 * day, time.Hour, day},
		{9 * day, 2 * day, 0}, {9 * day, day, 33*time.Hour + 36*time.Minute}, {365 * day, 20 * day, 0}, {365 * day, 13 * day, 14 * day},
	} {
		r := lasting(c.life)
		if got := expiryMark(r, r.NotAfter.Add(-c.left)).Round(time.Second); got != c.want {
			t.Errorf("%s of %s left: %s, want %s", c.left, c.life, got, c.want)
		}
	}
}

func TestCanonicalName(t *testing.T) {
	for name, want := range map[string]string{
		"MX.Example.COM.": "mx.example.com", "bücher.example": "xn--bcher-kva.example", "*.A.test": "*.a.test",
		"": "", "192.0.2.1": "", "[2001:db8::1]": "", "a b": "", "a_b.example": "", "*.*.test": "", "*": "", "a..b": "",
	} {
		got, err := CanonicalName(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q becomes %q, %v; want %q", name, got, err, want)
		}
	}
}

func FuzzCanonicalName(f *testing.F) {
	for _, seed := range []string{"a.test", "*.a.test", "bücher.example", "xn--bcher-kva.example.", "[::1]", "_dmarc.a.test"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		once, err := CanonicalName(name)
		if err != nil {
			return
		}
		if twice, err := CanonicalName(once); err != nil || twice != once {
			t.Errorf("%q becomes %q and then %q, %v", name, once, twice, err)
		}
		if err := CheckKey(recordKey(once)); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if nameOf(Word(once)) != once {
			t.Errorf("%q is lost as the word %q", once, Word(once))
		}
	})
}

func TestNotPublic(t *testing.T) {
	for name, public := range map[string]bool{
		"example.com": true, "mx.example.net": true, "*.example.com": true,
		"localhost": false, "mx": false, "a.local": false, "a.test": false, "x.internal": false, "*.lan": false, "testing.com": true,
	} {
		if got := notPublic(name) == nil; got != public {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMergeWants(t *testing.T) {
	got, errs := MergeWants([]Want{
		{Name: "B.test", UsedBy: []string{"x"}}, {Name: "a.test"}, {Name: "10.0.0.1"}, {Name: "b.test.", UsedBy: []string{"y", "x"}, Manual: true},
	})
	if len(errs) != 1 || len(got) != 2 || got[0].Name != "b.test" || !got[0].Manual || len(got[0].UsedBy) != 2 || got[1].Name != "a.test" {
		t.Errorf("%+v, %v", got, errs)
	}
}
