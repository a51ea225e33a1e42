package smtpd

import (
	"fmt"

	"github.com/posthaste-mta/posthaste/internal/policy"
)

// lists finds members of the lists of the running configuration.
func (r *Running) lists(f policy.Field, name string) (members []string, ok bool) {
	members, ok = r.Lists[f.String()][name]
	return members, ok
}

// compile turns matchers into a condition.
func (m *Match) compile(r *Running) (policy.Match, error) {
	texts := map[policy.Field][]string{}
	for name, matchers := range m.Fields() {
		f, err := policy.ParseField(name)
		if err != nil {
			return policy.Match{}, err
		}
		texts[f] = matchers
	}
	return policy.NewMatch(texts, r.lists)
}

// groupings composes those of the queue.
func (r *Running) groupings() (*policy.Groupings, error) {
	g := &policy.Groupings{}
	switch r.Queues.Grouping.Default {
	case policy.RemoteMX.String():
		g.Default = policy.GroupByMX
	case policy.RecipientDomain.String():
		g.Default = policy.GroupByDomain
	}
	for _, one := range r.Queues.Grouping.Groupings {
		err := g.Add(one.ID, map[policy.Field][]string{
			policy.RemoteMX: one.RemoteMX, policy.RecipientDomain: one.RecipientDomain, policy.RemoteIP: one.RemoteIP,
		}, r.lists)
		if err != nil {
			return nil, fmt.Errorf("queues.grouping.groupings %q: %w", one.ID, err)
		}
	}
	return g, nil
}

// compile composes the policies.
func (p *Policy) compile(r *Running) (*policy.Rules, error) {
	algorithm := policy.TokenBucket
	if p.Rate.Algorithm == FixedWindow {
		algorithm = policy.FixedWindow
	}
	var all []policy.Policy
	for i := range p.Policies {
		one, err := p.Policies[i].compile(r)
		if err != nil {
			return nil, fmt.Errorf("policies[%d]: %w", i, err)
		}
		all = append(all, one)
	}
	all, err := p.Backoff.count(all)
	if err != nil {
		return nil, err
	}
	return policy.NewRules(algorithm, all), nil
}

func (p *PolicyEntry) compile(r *Running) (out policy.Policy, err error) {
	for _, field := range p.Fields {
		f, err := policy.ParseField(field.Name)
		if err != nil {
			return out, err
		}
		out.Fields |= policy.Of(f)
		for name, matchers := range field.Rollup {
			m, err := policy.NewMatcher(f, matchers, r.lists)
			if err != nil {
				return out, err
			}
			out.Rollups = append(out.Rollups, policy.Rollup{Field: f, Name: name, Match: m})
		}
	}
	for i := range p.Conditions {
		c := &p.Conditions[i]
		m, err := c.If.compile(r)
		if err != nil {
			return out, fmt.Errorf("conditions[%d]: %w", i, err)
		}
		out.Conditions = append(out.Conditions, policy.Condition{If: m, Then: c.Then.compile()})
	}
	if p.Default.Set {
		l := p.Default.Value.compile()
		out.Default = &l
	}
	return out, nil
}

func (l *Limits) compile() policy.Limits {
	return policy.Limits{
		Concurrency:     l.Concurrency.Value,
		Rate:            policy.Rate{Count: l.Rate.Value.Count, Interval: l.Rate.Value.Per},
		ConnectInterval: l.ConnectInterval, Tag: l.Tag, Properties: l.Properties, Stop: l.Stop, Cluster: l.Cluster,
	}
}

// compile composes the suspensions.
func (s *Suspend) compile(r *Running) (out []*policy.Suspension, err error) {
	for i := range s.Suspends {
		one := &s.Suspends[i]
		m, err := one.compile(r)
		if err != nil {
			return nil, fmt.Errorf("suspends[%d]: %w", i, err)
		}
		out = append(out, &policy.Suspension{If: m, Tag: one.Tag, Properties: one.Properties})
	}
	return out, nil
}
