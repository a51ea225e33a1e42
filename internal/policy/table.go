package policy

import "slices"

// Table finds those of many conditions that hold for a tuple, in the order in
// which they were added. Conditions that name exact values or "*.domain" for
// some field are found through a map; only the others are tried one by one, so
// a table of thousands costs a few look-ups. It is not safe for use while it is
// being filled.
type Table struct {
	matches []Match
	exact   [fieldCount]map[string][]int32
	suffix  [fieldCount]map[string][]int32
	rest    []int32
	indexed []Field // fields of exact and suffix that hold something
}

// NewTable returns a table of ms.
func NewTable(ms ...Match) *Table {
	t := &Table{}
	for _, m := range ms {
		t.Add(m)
	}
	return t
}

// Len is how many conditions were added.
func (t *Table) Len() int { return len(t.matches) }

// Add appends a condition.
func (t *Table) Add(m Match) {
	i := int32(len(t.matches))
	t.matches = append(t.matches, m)
	key := m.key()
	if key == nil {
		t.rest = append(t.rest, i)
		return
	}
	if !slices.Contains(t.indexed, key.field) {
		t.indexed = append(t.indexed, key.field)
	}
	file(&t.exact[key.field], key.exact, i)
	file(&t.suffix[key.field], key.suffixes, i)
}

func file(index *map[string][]int32, values map[string]struct{}, i int32) {
	if *index == nil && len(values) > 0 {
		*index = map[string][]int32{}
	}
	for v := range values {
		(*index)[v] = append((*index)[v], i)
	}
}

// key is the matcher by which m is filed: one that is all tables, of the field
// that tells most apart.
func (m *Match) key() *Matcher {
	for _, f := range [...]Field{RecipientDomain, RemoteMX, JobID, Grouping, TenantID, TransportID} {
		for _, one := range m.matchers {
			if one.field == f && one.tabled() {
				return one
			}
		}
	}
	return nil
}

// First returns the place of the first condition that holds, or -1. Of a table
// with nothing for the values of x it costs a look-up, some 20 ns.
func (t *Table) First(x *Tuple) int {
	best := int32(-1)
	for _, f := range t.indexed {
		if list := t.exact[f][x.Values[f]]; list != nil {
			best = t.first(list, x, best)
		}
		if t.suffix[f] != nil {
			anySuffix(x.Values[f], func(s string) bool {
				best = t.first(t.suffix[f][s], x, best)
				return false
			})
		}
	}
	return int(t.first(t.rest, x, best))
}

// first returns the first of list that holds and is before best, or best.
func (t *Table) first(list []int32, x *Tuple, best int32) int32 {
	for _, i := range list {
		if best >= 0 && i >= best {
			break
		}
		if t.matches[i].Holds(x) {
			return i
		}
	}
	return best
}

// All returns the places of the conditions that hold, in order.
func (t *Table) All(x *Tuple) (out []int) {
	t.candidates(x, func(list []int32) {
		for _, i := range list {
			if t.matches[i].Holds(x) {
				out = append(out, int(i))
			}
		}
	})
	if len(out) > 1 {
		slices.Sort(out)
		out = slices.Compact(out)
	}
	return out
}

// candidates yields lists of conditions, each in order, that together have all
// that may hold.
func (t *Table) candidates(x *Tuple, yield func([]int32)) {
	for _, f := range t.indexed {
		if list := t.exact[f][x.Values[f]]; list != nil {
			yield(list)
		}
		if t.suffix[f] != nil {
			anySuffix(x.Values[f], func(s string) bool {
				if list := t.suffix[f][s]; list != nil {
					yield(list)
				}
				return false
			})
		}
	}
	if len(t.rest) > 0 {
		yield(t.rest)
	}
}
