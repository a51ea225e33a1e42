package queue

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/posthaste-mta/posthaste/internal/address"
)

// Condition is one term of a filter: the field must match one of the values
// (spec operations.md 6.2). A value may be negated with a leading "!".
//
// Numbers, sizes and times take an operator in front (>, >=, <, <=, =, !=) or a
// range a..b. Times are durations such as 90s, 2h or 1d12h.
type Condition struct {
	Field  string
	Values []string
}

// Filter selects entries. The nil Filter selects all.
type Filter struct {
	cheap  []test // on what is in memory
	costly []test // on what is in the spool
}

type test func(*View, time.Time) bool

// NewFilter compiles conditions, all of which must hold. Errors name the field
// and what it takes.
func NewFilter(conditions []Condition) (*Filter, error) {
	f := &Filter{}
	for _, c := range conditions {
		field, ok := filterFields[c.Field]
		if !ok {
			return nil, fmt.Errorf("queue: condition on unknown field %q", c.Field)
		}
		var any []test
		for _, v := range c.Values {
			t, err := negatable(field.compile, v)
			if err != nil {
				return nil, fmt.Errorf("queue: condition %s %q: %w", c.Field, v, err)
			}
			any = append(any, t)
		}
		if field.costly {
			f.costly = append(f.costly, oneOf(any))
		} else {
			f.cheap = append(f.cheap, oneOf(any))
		}
	}
	return f, nil
}

// FilterFields lists the fields that a Condition may name, sorted.
func FilterFields() []string {
	var names []string
	for name := range filterFields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// MatchesAll reports whether f selects everything.
func (f *Filter) MatchesAll() bool {
	return f == nil || len(f.cheap)+len(f.costly) == 0
}

// Match reports whether f selects v, which must be loaded if f NeedsLoad.
func (f *Filter) Match(v *View, now time.Time) bool {
	return f.cheaply(v, now) && (f == nil || allOf(f.costly, v, now))
}

func (f *Filter) cheaply(v *View, now time.Time) bool { return f == nil || allOf(f.cheap, v, now) }

// NeedsLoad reports whether f looks at what Queue.Load fills in.
func (f *Filter) NeedsLoad() bool { return f != nil && len(f.costly) > 0 }

func allOf(tests []test, v *View, now time.Time) bool {
	for _, t := range tests {
		if !t(v, now) {
			return false
		}
	}
	return true
}

func oneOf(tests []test) test {
	if len(tests) == 1 {
		return tests[0]
	}
	return func(v *View, now time.Time) bool {
		for _, t := range tests {
			if t(v, now) {
				return true
			}
		}
		return false
	}
}

func negatable(compile func(string) (test, error), value string) (test, error) {
	rest, negated := strings.CutPrefix(value, "!")
	if !negated || strings.HasPrefix(rest, "=") {
		return compile(value)
	}
	t, err := compile(rest)
	if err != nil {
		return nil, err
	}
	return func(v *View, now time.Time) bool { return !t(v, now) }, nil
}

type filterField struct {
	compile func(string) (test, error)
	costly  bool
}

var filterFields = map[string]filterField{
	"id":              {compile: matchID},
	"state":           {compile: matchState},
	"transportid":     text(func(v *View) string { return v.Transport }),
	"jobid":           text(func(v *View) string { return v.Job }),
	"tenantid":        text(func(v *View) string { return v.Tenant }),
	"serverid":        text(func(v *View) string { return v.ServerID }),
	"saslusername":    text(func(v *View) string { return v.Username }),
	"senderhelo":      domain(func(v *View) string { return v.Helo }),
	"sender":          mailbox(func(v *View) address.Address { return v.Sender }),
	"recipient":       mailbox(func(v *View) address.Address { return v.Recipient }),
	"senderdomain":    domain(func(v *View) string { return v.Sender.Domain }),
	"recipientdomain": domain(func(v *View) string { return v.Recipient.Domain }),
	"grouping":        text(func(v *View) string { return v.Grouping }),
	"localip":         network(func(v *View) netip.Addr { return v.LocalIP }),
	"remotemx":        domain(func(v *View) string { return v.RemoteMX }),
	"senderip":        network(func(v *View) netip.Addr { return v.ClientIP }),
	"remoteip":        network(func(v *View) netip.Addr { return v.RemoteIP }),
	"reason":          {compile: matchReason},
	"priority":        number(func(v *View, _ time.Time) int64 { return int64(v.Priority) }, parseCount),
	"retrycount":      number(func(v *View, _ time.Time) int64 { return int64(v.Retry) }, parseCount),
	"size":            number(func(v *View, _ time.Time) int64 { return v.Size }, parseSize),
	"age":             number(func(v *View, now time.Time) int64 { return int64(now.Sub(v.Received)) }, parseSpan),
	"ts":              number(func(v *View, _ time.Time) int64 { return v.Received.Unix() }, parseCount),
	"retrydelay":      number(retryDelay, parseSpan),
	"quota":           {compile: matchQuota},
	"subject":         {compile: matchSubject, costly: true},
	"metadata":        {compile: matchMetadata, costly: true},
}

func retryDelay(v *View, now time.Time) int64 {
	if v.State != StateDefer {
		return 0
	}
	return int64(v.Due.Sub(now))
}
