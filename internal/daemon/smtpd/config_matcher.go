package smtpd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// What the first character of a matcher says of it (spec config.md 1.5).
const (
	listMatcher     = "@" // the name of a list
	groupingMatcher = "&" // a configured grouping
	rollupMatcher   = "#" // a roll-up of the policy's own fields
	regexMatcher    = "/"
)

// checkMatch checks the matchers of all fields. fields are those of the policy
// that they belong to, or nil where there is none.
func (c *checks) checkMatch(path string, m *Match, r *Running, fields []PolicyField) {
	for field, matchers := range m.Fields() {
		for i, matcher := range matchers {
			at := fmt.Sprintf("%s.%s", path, field)
			if len(matchers) > 1 {
				at = fmt.Sprintf("%s[%d]", at, i)
			}
			c.checkMatcher(at, field, matcher, r, fields)
		}
	}
}

func (c *checks) checkMatcher(path, field, matcher string, r *Running, fields []PolicyField) {
	if name, ok := strings.CutPrefix(matcher, listMatcher); ok {
		if _, exists := r.Lists[field][name]; !exists {
			c.errorf(path, "no list %q in lists.%s", name, field)
		}
		return
	}
	switch field {
	case "localip", "remoteip":
		c.checkIPMatcher(path, matcher, fields)
	case "grouping":
		c.checkGrouping(path, matcher, r)
	}
	if strings.HasPrefix(matcher, regexMatcher) && (len(matcher) < 2 || !strings.HasSuffix(matcher, regexMatcher)) {
		c.errorf(path, "a regular expression ends with a slash, got %q", matcher)
	}
}

func (c *checks) checkIPMatcher(path, matcher string, fields []PolicyField) {
	if name, ok := strings.CutPrefix(matcher, rollupMatcher); ok && rollsUp(fields, name) {
		return
	}
	if _, err := config.ParsePrefix(matcher); err != nil {
		c.errorf(path, `want an address, a network such as 192.0.2.0/24 or "@list", got %q`, matcher)
	}
}

func rollsUp(fields []PolicyField, name string) bool {
	return slices.ContainsFunc(fields, func(f PolicyField) bool { return f.Rollup[name] != nil })
}

// checkGrouping only warns: plug-ins may add groupings.
func (c *checks) checkGrouping(path, matcher string, r *Running) {
	id, ok := strings.CutPrefix(matcher, groupingMatcher)
	named := func(g GroupingEntry) bool { return g.ID == id }
	if ok && !slices.ContainsFunc(r.Queues.Grouping.Groupings, named) {
		c.warnf(path, "no grouping %q in queues.grouping.groupings", id)
	}
}

func checkPolicy(doc *config.Document, p *Policy, r *Running) (config.Warnings, error) {
	c := checks{doc: doc}
	if _, err := p.Backoff.options(); err != nil {
		c.errorf("backoff", "%v", err)
	}
	for i, entry := range p.Policies {
		for j, condition := range entry.Conditions {
			path := fmt.Sprintf("policies[%d].conditions[%d].if", i, j)
			c.checkFields(path, &condition.If, entry.Fields)
			c.checkMatch(path, &condition.If, r, entry.Fields)
		}
	}
	return c.warnings, c.errors.Err()
}

// checkFields refuses conditions on fields that the counter does not keep apart.
func (c *checks) checkFields(path string, m *Match, fields []PolicyField) {
	for field := range m.Fields() {
		named := func(f PolicyField) bool { return f.Name == field }
		if !slices.ContainsFunc(fields, named) {
			c.errorf(path+"."+field, "not among the fields of this policy")
		}
	}
}

func checkSuspend(doc *config.Document, s *Suspend, r *Running) (config.Warnings, error) {
	c := checks{doc: doc}
	for i, entry := range s.Suspends {
		c.checkMatch(fmt.Sprintf("suspends[%d]", i), &entry.Match, r, nil)
	}
	return c.warnings, c.errors.Err()
}

func checkDelivery(doc *config.Document, d *Delivery, r *Running) (config.Warnings, error) {
	c := checks{doc: doc}
	for i, condition := range d.Delivery.Conditions {
		c.checkMatch(fmt.Sprintf("delivery.conditions[%d].if", i), &condition.If, r, nil)
	}
	return c.warnings, c.errors.Err()
}
