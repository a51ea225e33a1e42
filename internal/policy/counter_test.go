package policy

import (
	"testing"
	"time"
)

const second = int64(time.Second)

func counterWith(l Limits) *counter {
	c := &counter{}
	c.setRule(newRule(nil, &l, nil, TokenBucket), 0)
	return c
}

func TestTokenBucket(t *testing.T) {
	c := counterWith(Limits{Rate: Rate{Count: 3, Interval: 6 * time.Second}})
	now := 100 * second
	for want := int64(3); want > 0; want-- {
		if got := c.room(now); got != want {
			t.Fatalf("room %d, want %d", got, want)
		}
		c.take(now)
	}
	if c.room(now) != 0 || c.until(now) != now+2*second {
		t.Fatalf("an empty bucket has room %d, or until %s", c.room(now), time.Duration(c.until(now)-now))
	}
	if c.room(now+2*second-1) != 0 || c.room(now+2*second) != 1 || c.room(now+3600*second) != 3 {
		t.Fatal("the bucket does not fill by one each two seconds up to three")
	}
	c.refill()
	if c.room(now) != 3 {
		t.Fatal("a refilled bucket is not full")
	}
}

func TestTokenBucketOddRate(t *testing.T) {
	// A step that is no whole number of nanoseconds must never let more through.
	c := counterWith(Limits{Rate: Rate{Count: 7, Interval: time.Second}})
	n := 0
	for now := second; now < 11*second; now += 1_000_003 {
		for c.room(now) > 0 {
			c.take(now)
			n++
		}
	}
	if n > 7+70 || n < 7+68 {
		t.Fatalf("%d in ten seconds at 7/1", n)
	}
}

func TestFixedWindow(t *testing.T) {
	c := counterWith(Limits{Rate: Rate{Count: 2, Interval: 10 * time.Second, Algorithm: FixedWindow}})
	now := 5 * second
	c.take(now)
	c.take(now + 9*second)
	if c.room(now+10*second-1) != 0 || c.until(now+9*second) != now+10*second {
		t.Fatal("the window does not end ten seconds after its first use")
	}
	if c.room(now+10*second) != 2 {
		t.Fatal("a new window is not empty")
	}
}

func TestChangedRateKeepsWhatIsMissing(t *testing.T) {
	c := counterWith(Limits{Rate: Rate{Count: 10, Interval: 10 * time.Second}})
	now := 50 * second
	for range 10 {
		c.take(now)
	}
	l := Limits{Rate: Rate{Count: 5, Interval: 50 * time.Second}}
	c.setRule(newRule(nil, &l, nil, TokenBucket), now)
	if c.room(now) != 0 || c.room(now+10*second) != 1 {
		t.Fatalf("room %d, then %d", c.room(now), c.room(now+10*second))
	}
}

func TestConnectIntervalIsGivenBack(t *testing.T) {
	c := counterWith(Limits{ConnectInterval: 3 * time.Second})
	c.connect(10 * second)
	if c.mayConnect(12*second) || !c.mayConnect(13*second) {
		t.Fatal("the interval is not three seconds")
	}
	c.connect(20 * second)
	c.ungrant(20 * second)
	if !c.mayConnect(20 * second) {
		t.Fatal("a connection that was not made counts")
	}
}
