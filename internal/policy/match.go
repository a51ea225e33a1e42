package policy

import (
	"fmt"
	"strings"
)

// Match is a condition: every field that it names must match. The zero Match
// holds for everything. It is not changed once it is made.
type Match struct {
	Fields   Fields
	Texts    map[Field][]string // as they were written, for listings
	matchers []*Matcher         // of Fields, in order
}

// NewMatch compiles the alternatives of each field.
func NewMatch(texts map[Field][]string, lists Lists) (Match, error) {
	m := Match{Texts: texts}
	for f := range Field(fieldCount) {
		if len(texts[f]) == 0 {
			continue
		}
		matcher, err := NewMatcher(f, texts[f], lists)
		if err != nil {
			return Match{}, err
		}
		m.Fields |= 1 << f
		m.matchers = append(m.matchers, matcher)
	}
	return m, nil
}

// Exactly returns the condition that fields have these very values, of which
// one for an address must be an address.
func Exactly(values map[Field]string) (Match, error) {
	texts := map[Field][]string{}
	for f, v := range values {
		texts[f] = []string{v}
	}
	return NewMatch(texts, nil)
}

// Holds reports whether t fulfils the condition.
func (m *Match) Holds(t *Tuple) bool {
	for _, one := range m.matchers {
		if !one.Match(t) {
			return false
		}
	}
	return true
}

// same reports whether two conditions were written alike.
func (m *Match) same(o *Match) bool { return m.String() == o.String() }

// String writes the condition as field=value,value field=value.
func (m *Match) String() string {
	var b strings.Builder
	for f := range m.Fields.All() {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%s", f, strings.Join(m.Texts[f], ","))
	}
	return b.String()
}
