package acme

import (
	"time"
)

// policy is the part of Options that decides when something is tried. Its
// methods are pure.
type policy struct {
	intervals   []time.Duration
	renewBefore time.Duration
	ari         bool
}

// Intervals is the ladder of waits after failures (spec tls.md 6.3). Even if
// each attempt reaches the authority it stays below five failures an hour with
// one more every twelve minutes, which Let's Encrypt allows.
var Intervals = []time.Duration{
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour,
}

const (
	shortLife   = 10 * 24 * time.Hour // below which half a life is left when renewing
	longestWait = 12 * time.Hour      // between attempts
	leastCap    = time.Hour           // of the wait, near the end of a certificate
	mostJitter  = 0.1                 // of a wait, from the second failure on
)

// renewAt is when the certificate of a record is due: at the instant chosen
// within the authority's window, else a share of its life before its end; in no
// case later than a tenth of its life before it (spec tls.md 6.2).
func (p *policy) renewAt(r *Record) time.Time {
	life := r.NotAfter.Sub(r.NotBefore)
	lead := min(p.renewBefore, life/3)
	if life < shortLife {
		lead = life / 2
	}
	at := r.NotAfter.Add(-lead)
	if p.ari && !r.ARI.Selected.IsZero() {
		at = r.ARI.Selected
	}
	if last := r.NotAfter.Add(-life / 10); at.After(last) {
		at = last
	}
	return at
}

// next is when the name of a record is to be tried: the zero time for one that
// never was.
func (p *policy) next(r *Record) time.Time {
	switch {
	case r.FailuresInRow > 0 || !r.NextAttempt.IsZero():
		return later(r.NextAttempt, r.CANotBefore)
	case r.has():
		return p.renewAt(r)
	}
	return time.Time{}
}

// delay is how long to wait after the failure that FailuresInRow counts. The
// first wait is exact; later ones grow by up to a tenth, as jitter between 0 and
// 1 says, so that names which failed together are not tried together. Failures
// that time alone does not mend wait longest at once.
func (p *policy) delay(r *Record, permanent bool, now time.Time, jitter float64) time.Duration {
	ladder := p.intervals
	if len(ladder) == 0 {
		ladder = Intervals
	}
	step := min(max(r.FailuresInRow, 1), len(ladder))
	if permanent {
		step = len(ladder)
	}
	wait := ladder[step-1]
	if r.FailuresInRow > 1 {
		wait += time.Duration(float64(wait) * mostJitter * jitter)
	}
	return min(wait, longestWait, capNear(r, now))
}

// capNear bounds the wait when a certificate nears its end.
func capNear(r *Record, now time.Time) time.Duration {
	left := r.NotAfter.Sub(now)
	if !r.has() || left <= 0 {
		return longestWait
	}
	return min(max(left/8, leastCap), longestWait)
}

// How often an authority is asked when to renew (spec tls.md 6.2).
const (
	leastARI = 30 * time.Minute
	mostARI  = 12 * time.Hour
	usualARI = 6 * time.Hour
)

// nextARI is when to ask again, given what the authority said.
func nextARI(said, now time.Time) time.Time {
	wait := said.Sub(now)
	if said.IsZero() {
		wait = usualARI
	}
	return now.Add(min(max(wait, leastARI), mostARI))
}

// choose picks the instant of renewal within a window; at is between 0 and 1. A
// window that is past means now.
func choose(start, end, now time.Time, at float64) time.Time {
	if end.Before(now) {
		return now
	}
	return start.Add(time.Duration(float64(end.Sub(start)) * at))
}

// expiryMarks are how long before the end of a certificate expiry hooks run, by
// the share of a life of 90 days: 14, 7, 3 days and one.
var expiryMarks = []float64{14. / 90, 7. / 90, 3. / 90, 1. / 90}

// expiryMark returns the shortest mark that now has passed; 0 for none.
func expiryMark(r *Record, now time.Time) time.Duration {
	life, left := r.NotAfter.Sub(r.NotBefore), r.NotAfter.Sub(now)
	var passed time.Duration
	for _, share := range expiryMarks {
		if mark := min(time.Duration(share*float64(life)), time.Duration(share*90*24*float64(time.Hour))); left <= mark {
			passed = mark
		}
	}
	return passed
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
