package policy

import "fmt"

// Rules are the policies of a file (spec config.md 5), made by NewRules. They
// are not changed.
type Rules struct {
	algorithm Algorithm // of rates that do not say
	policies  []Policy
}

// Policy is a family of counters: one for each combination of the values of
// Fields that is seen, or a single one when there are none.
type Policy struct {
	Fields     Fields
	Rollups    []Rollup
	Conditions []Condition
	Default    *Limits // nil: no limit

	table    *Table // of Conditions
	rollsUp  Fields // fields that have roll-ups
	stops    bool   // some limits say stop
	identity string // of the family, over a reload
}

// Rollup gives one name to several values of a field of a policy, an older form
// that is kept (spec config.md 3.6). Conditions say "#name".
type Rollup struct {
	Field Field
	Name  string
	Match *Matcher
}

// Condition supplies the limits of the counters that match.
type Condition struct {
	If   Match
	Then Limits
}

// NewRules returns the rules of some policies, in order; zero is TokenBucket.
func NewRules(algorithm Algorithm, policies []Policy) *Rules {
	r := &Rules{algorithm: max(algorithm, TokenBucket), policies: policies}
	seen := map[string]int{}
	for i := range r.policies {
		p := &r.policies[i]
		p.table, p.stops = NewTable(), p.Default != nil && p.Default.Stop
		for _, c := range p.Conditions {
			p.table.Add(c.If)
			p.stops = p.stops || c.Then.Stop
		}
		name := fmt.Sprint(p.Fields.Names())
		for _, u := range p.Rollups {
			p.rollsUp |= 1 << u.Field
			name += " " + u.Name
		}
		// The n-th policy over the same fields goes on with the counters of the
		// n-th there was.
		p.identity = fmt.Sprintf("%s %d", name, seen[name])
		seen[name]++
	}
	return r
}

// fields are those that any policy names.
func (r *Rules) fields() (all Fields) {
	for i := range r.policies {
		all |= r.policies[i].Fields
	}
	return all
}

// key returns the values that name the counter of t.
func (p *Policy) key(t *Tuple) Values {
	k := t.Values.only(p.Fields)
	if p.rollsUp != 0 {
		for i := range p.Rollups {
			u := &p.Rollups[i]
			if p.Fields.Has(u.Field) && u.Match.Match(t) {
				k[u.Field] = rollupSign + u.Name
			}
		}
	}
	return k
}

// static returns what the file says of t: the first condition that holds, or the
// default, or nil.
func (p *Policy) static(t *Tuple) *Limits {
	seen := t
	if p.rollsUp != 0 {
		rolled := *t
		rolled.Values = p.key(t)
		seen = &rolled
	}
	if i := p.table.First(seen); i >= 0 {
		return &p.Conditions[i].Then
	}
	return p.Default
}
