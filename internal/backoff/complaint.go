package backoff

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/smtp"
)

// complaint is a reply that a rule knows, and where it came from.
type complaint struct {
	options *Options
	rule    *Rule
	place   place
	reply   string // for people, bounded
}

// place is what is slowed down: what has these values in these fields.
type place struct {
	fields policy.Fields
	values policy.Values
}

// id is that of the policy and the suspension of the place.
func (p *place) id() string {
	words := []string{"backoff"}
	for f := range p.fields.All() {
		if v := p.values[f]; v != "" {
			words = append(words, v)
		}
	}
	return strings.Join(words, " ")
}

// match is the condition that holds for the place.
func (p *place) match() (policy.Match, error) {
	values := map[policy.Field]string{}
	for f := range p.fields.All() {
		if v := p.values[f]; v != "" {
			values[f] = v
		}
	}
	return policy.Exactly(values)
}

// maxFolded bounds what rules look at, and maxReply what is kept for people.
const (
	maxFolded = 2 << 10
	maxReply  = 200
)

// Fold is the text of a reply as rules see it: code and lines with single spaces
// between, in lower case, at most 2 KB.
func Fold(r *smtp.Reply) string { return strings.ToLower(oneLine(r, maxFolded)) }

func oneLine(r *smtp.Reply, most int) string {
	s := strings.Join(strings.Fields(strings.ToValidUTF8(r.String(), "?")), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// find returns the first rule that fits, nil for none or one that says Ignore.
func (o *Options) find(r *smtp.Reply) *Rule {
	folded := Fold(r)
	for i := range o.Rules {
		if rule := &o.Rules[i]; rule.Fits(r.Code, folded) {
			if rule.Action == Ignore {
				return nil
			}
			return rule
		}
	}
	return nil
}

// judge returns what out complains of, or nil.
func (o *Options) judge(v *queue.View, out *delivery.Outcome) *complaint {
	rule := o.find(&out.Reply)
	if rule == nil {
		return nil
	}
	c := &complaint{options: o, rule: rule, place: o.placeOf(v), reply: oneLine(&out.Reply, maxReply)}
	if c.place.empty() {
		return nil
	}
	return c
}

// placeOf is where an attempt belongs.
func (o *Options) placeOf(v *queue.View) place {
	all := policy.NewTuple(v.Tenant, v.Job, v.Transport, v.Grouping, v.RemoteMX, v.Recipient.Domain, v.RemoteIP)
	if v.LocalIP.IsValid() {
		all.Values[policy.LocalIP] = v.LocalIP.String()
	}
	p := place{fields: o.Fields}
	if v.Grouping == "" && o.Fields.Has(policy.Grouping) {
		p.fields = o.byDomain()
	}
	for f := range p.fields.All() {
		p.values[f] = all.Values[f]
	}
	return p
}

// empty reports whether nothing tells the place from everything else. A source
// address alone is not enough where a destination is meant to be told as well.
func (p *place) empty() bool {
	for f := range p.fields.All() {
		if p.values[f] == "" && f != policy.LocalIP {
			return true
		}
	}
	return p.values == policy.Values{}
}
