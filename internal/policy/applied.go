package policy

// Applied is what bound an attempt, in order of the policies: for hooks, which
// read it after the attempt (spec operations.md 9.2, policy). It is shared by
// all attempts that were bound alike and not changed.
type Applied struct {
	before *Applied
	rule   *rule
}

type appliedKey struct {
	before *Applied
	rule   *rule
}

// maxLists bounds the lists that are kept to be shared.
const maxLists = 1 << 16

// list returns the list of before and r.
func (e *Engine) list(before *Applied, r *rule) *Applied {
	key := appliedKey{before, r}
	a := e.lists[key]
	if a == nil {
		if len(e.lists) >= maxLists {
			clear(e.lists)
		}
		a = &Applied{before: before, rule: r}
		e.lists[key] = a
	}
	return a
}

// AppliedPolicy is one of the policies of an Applied.
type AppliedPolicy struct {
	Fields   Fields
	Limits   Limits     // in force; Tag and Properties are those of the file
	Dynamics []*Dynamic // attached to the counter; not to be changed
}

// Policies returns them in order. a may be nil.
func (a *Applied) Policies() []AppliedPolicy {
	n := 0
	for x := a; x != nil; x = x.before {
		n++
	}
	out := make([]AppliedPolicy, n)
	for x := a; x != nil; x = x.before {
		n--
		l := x.rule.limits
		if s := x.rule.static; s != nil {
			l.Tag, l.Properties = s.Tag, s.Properties
		}
		out[n] = AppliedPolicy{Fields: x.rule.family.policy.Fields, Limits: l, Dynamics: x.rule.dynamics}
	}
	return out
}
