package list

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

// Bounce is the plug-in bounce-list: what answers of other servers mean.
//
// A line has up to five fields separated by commas, in quotes where they have
// some in them: a regular expression between slashes, the value, groupings to
// which alone it applies, an SMTP state for which alone it applies, and a comment.
// The first line that matches decides; of these, those with grouping and state
// stand before those with a grouping, those before those with a state, and those
// before all others (spec operations.md 15).
type Bounce struct{ *lists[bounces] }

// Rule is a line of a bounce list.
type Rule struct {
	Pattern string // as it stands in the file
	Value   string
	matches Pattern
}

// scope is what a line is for.
type scope struct{ grouping, state string }

type bounces struct{ rules map[scope][]Rule }

// NewBounce makes the plug-in from its startup settings.
func NewBounce(s plugin.Settings, compile Compiler) (*Bounce, error) {
	l, err := newLists(s, func(r io.Reader) (*bounces, error) { return readBounces(r, compile) },
		func(l *bounces, args []string) (string, error) {
			args = append(args, "", "")
			rule, err := l.find(args[0], args[1], args[2])
			if rule == nil || err != nil {
				return "no match", err
			}
			return rule.Pattern + "\n" + rule.Value, nil
		})
	return &Bounce{l}, err
}

// Find returns the rule of the list of that id for an answer, or nil. Grouping
// and state may be empty.
func (b *Bounce) Find(id, text, grouping, state string) (*Rule, error) {
	l, err := b.get(id)
	if err != nil {
		return nil, err
	}
	return l.find(text, grouping, state)
}

func readBounces(r io.Reader, compile Compiler) (*bounces, error) {
	l := &bounces{rules: map[scope][]Rule{}}
	c := csv.NewReader(r)
	c.Comment, c.FieldsPerRecord, c.LazyQuotes = '#', -1, true
	var wrong mistakes
	for {
		fields, err := c.Read()
		if errors.Is(err, io.EOF) {
			return l, wrong.err()
		}
		if err != nil {
			return nil, err // it has the line
		}
		if err := l.add(fields, compile); err != nil {
			line, _ := c.FieldPos(0)
			wrong.add(line, err)
		}
	}
}

const bounceFields = 5

func (l *bounces) add(fields []string, compile Compiler) error {
	if len(fields) > bounceFields {
		return fmt.Errorf("want at most %d fields, got %d; a pattern with a comma stands in quotes", bounceFields, len(fields))
	}
	fields = append(fields, "", "", "")
	pattern := fields[0]
	if within, ok := slashed(pattern); ok {
		pattern = within
	}
	compiled, err := compile(pattern)
	if err != nil {
		return err
	}
	for grouping := range strings.SplitSeq(fields[2], ",") {
		s := scope{strings.TrimSpace(grouping), strings.TrimSpace(fields[3])}
		l.rules[s] = append(l.rules[s], Rule{Pattern: fields[0], Value: fields[1], matches: compiled})
	}
	return nil
}

func (l *bounces) find(text, grouping, state string) (*Rule, error) {
	last := scope{"?", "?"} // none that was looked at
	for _, s := range []scope{{grouping, state}, {grouping, ""}, {"", state}, {"", ""}} {
		if s == last {
			continue
		}
		last = s
		rules := l.rules[s]
		for i := range rules {
			if ok, err := rules[i].matches.Match(text); ok || err != nil {
				return &rules[i], err
			}
		}
	}
	return nil, nil
}
