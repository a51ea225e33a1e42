package policy

import "strings"

// Groupings name the providers that destinations belong to (spec config.md
// 3.7). The zero Groupings name none.
type Groupings struct {
	Default GroupingDefault
	ids     []string // by place in the table
	table   Table
}

// GroupingDefault is the grouping of what belongs to none.
type GroupingDefault uint8

const (
	NoGrouping    GroupingDefault = iota // empty
	GroupByMX                            // the name of the first host
	GroupByDomain                        // the recipient's domain
)

// groupingSign begins the name of a configured grouping.
const groupingSign = "&"

// Add appends a grouping. The matchers of its fields are alternatives; of
// several groupings that match the first added counts.
func (g *Groupings) Add(id string, texts map[Field][]string, lists Lists) error {
	for f := range Field(fieldCount) {
		if len(texts[f]) == 0 {
			continue
		}
		m, err := NewMatch(map[Field][]string{f: texts[f]}, lists)
		if err != nil {
			return err
		}
		g.table.Add(m)
		g.ids = append(g.ids, groupingSign+id)
	}
	return nil
}

// Of returns the grouping of t, whose fields of the destination are set. g may
// be nil.
func (g *Groupings) Of(t *Tuple) string {
	if g == nil {
		return ""
	}
	if i := g.table.First(t); i >= 0 {
		return g.ids[i]
	}
	switch g.Default {
	case GroupByMX:
		return strings.ToLower(t.Values[RemoteMX])
	case GroupByDomain:
		return strings.ToLower(t.Values[RecipientDomain])
	}
	return ""
}
