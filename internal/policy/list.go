package policy

import (
	"cmp"
	"slices"
	"time"
)

// SuspensionView is a suspension as it is now.
type SuspensionView struct {
	ID         string // empty for one of the file
	Kind       Kind
	Dynamic    bool
	If         Match
	Tag        string
	Properties map[string]any
	Created    time.Time     // of a dynamic one
	Left       time.Duration // until it ends; 0: never
	Holds      int           // ways of sub-queues that it has been seen to hold back
}

// Suspensions lists those in force: of the file in its order, then the dynamic
// ones by id.
func (e *Engine) Suspensions(now int64) (out []SuspensionView) {
	view := func(s *Suspension) {
		v := SuspensionView{
			ID: s.ID, Kind: s.Kind, Dynamic: s.dynamic, If: s.If, Tag: s.Tag, Properties: s.Properties,
			Created: s.Created, Holds: int(s.waits.size),
		}
		if s.timer.index > 0 {
			v.Left = time.Duration(s.timer.at - now)
		}
		out = append(out, v)
	}
	for _, s := range e.suspends.static {
		view(s)
	}
	for _, id := range sortedKeys(e.suspends.byID) {
		view(e.suspends.byID[id])
	}
	return out
}

// CounterView is a counter as it is now, or a dynamic policy that no counter has
// been needed for.
type CounterView struct {
	Policy    int // place in the file, from 0
	Fields    Fields
	Values    Values        // of Fields; of a policy without a counter as its condition has them
	Limits    Limits        // in force
	Used      int           // attempts that run
	Tokens    int64         // that the rate allows now
	NextStart time.Duration // until a rate or the interval between connections has room; 0: it has
	Waiting   int           // ways of sub-queues that wait for it
	Dynamics  []DynamicView
}

// DynamicView is a dynamic policy as it is now.
type DynamicView struct {
	ID      string
	Kind    Kind
	If      Match
	Limits  Limits
	Created time.Time
	Left    time.Duration // until it ends; 0: never
}

// Counters lists the counters in order of the policies and then of their values.
func (e *Engine) Counters(now int64) (out []CounterView) {
	for i, f := range e.families {
		begin := len(out)
		for key, c := range f.counters {
			if c.binds() {
				out = append(out, e.counterView(i, key, c, now))
			}
		}
		slices.SortFunc(out[begin:], func(a, b CounterView) int { return slices.Compare(a.Values[:], b.Values[:]) })
	}
	return out
}

func (e *Engine) counterView(i int, key Values, c *counter, now int64) CounterView {
	v := CounterView{
		Policy: i, Fields: c.family.policy.Fields, Values: key, Limits: c.rule.limits,
		Used: int(c.used), Waiting: int(c.waits.size),
	}
	if s := c.rule.static; s != nil {
		v.Limits.Tag, v.Limits.Properties = s.Tag, s.Properties
	}
	if v.Limits.Rate.Count > 0 {
		v.Tokens = c.tokens(now)
	}
	if at := c.until(now); at > now {
		v.NextStart = time.Duration(at - now)
	}
	for _, d := range c.rule.dynamics {
		v.Dynamics = append(v.Dynamics, d.view(now))
	}
	return v
}

func (d *Dynamic) view(now int64) DynamicView {
	v := DynamicView{ID: d.ID, Kind: d.Kind, If: d.If, Limits: d.Then, Created: d.Created}
	if d.timer.index > 0 {
		v.Left = time.Duration(d.timer.at - now)
	}
	return v
}

// Dynamics lists the dynamic policies by the policy that they belong to and
// their id, with the place of that in the file.
func (e *Engine) Dynamics(now int64, yield func(policy int, fields Fields, d DynamicView)) {
	for i, f := range e.families {
		all := f.dynamics.all()
		slices.SortFunc(all, func(a, b *Dynamic) int { return cmp.Compare(a.ID, b.ID) })
		for _, d := range all {
			yield(i, f.policy.Fields, d.view(now))
		}
	}
}

// Refill gives the counters back what their rates have used up, those whose
// values are the ones given where these are not empty, and returns how many
// those were.
func (e *Engine) Refill(where map[Field]string, now int64) (n int) {
	for _, f := range e.families {
		for key, c := range f.counters {
			if !c.binds() || c.rule.limits.Rate.Count == 0 || !key.has(where) {
				continue
			}
			c.refill()
			n++
			e.wake(c, now)
		}
	}
	return n
}

func (v *Values) has(where map[Field]string) bool {
	for f, want := range where {
		if v[f] != want {
			return false
		}
	}
	return true
}
