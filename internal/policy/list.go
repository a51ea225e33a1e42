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
	for _, s := range e.suspends.static {
		out = append(out, s.view(now))
	}
	for _, id := range sortedKeys(e.suspends.byID) {
		out = append(out, e.suspends.byID[id].view(now))
	}
	return out
}

func (s *Suspension) view(now int64) SuspensionView {
	v := SuspensionView{
		ID: s.ID, Kind: s.Kind, Dynamic: s.dynamic, If: s.If, Tag: s.Tag, Properties: s.Properties,
		Created: s.Created, Holds: int(s.waits.size),
	}
	if s.timer.index > 0 {
		v.Left = time.Duration(s.timer.at - now)
	}
	return v
}

// CounterView is a counter as it is now.
type CounterView struct {
	Policy    int // place in the file, from 0
	Fields    Fields
	Values    Values        // of Fields
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
	Policy  int // place in the file, from 0
	Kind    Kind
	Fields  Fields
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
	v := DynamicView{ID: d.ID, Kind: d.Kind, Fields: d.Fields, If: d.If, Limits: d.Then, Created: d.Created}
	if d.timer.index > 0 {
		v.Left = time.Duration(d.timer.at - now)
	}
	return v
}

// Dynamics lists the dynamic policies by the policy that they belong to and
// their id.
func (e *Engine) Dynamics(now int64) (out []DynamicView) {
	for i, f := range e.families {
		all := f.dynamics.all()
		slices.SortFunc(all, func(a, b *Dynamic) int { return cmp.Compare(a.ID, b.ID) })
		for _, d := range all {
			v := d.view(now)
			v.Policy = i
			out = append(out, v)
		}
	}
	return out
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
