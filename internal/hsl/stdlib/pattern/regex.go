// Package pattern holds regular expressions as scripts see them: the resource
// Regex, which literals make and the operator =~ asks, and the builtins that
// match, list and replace.
//
// The engine is package regex. Matching is charged to the script and ends with
// it; a pattern that goes back and tries again without end throws.
package pattern

import (
	"errors"
	"fmt"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/hsl/regex"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Regex is a compiled pattern. It is immutable and safe for concurrent use.
type Regex struct {
	pattern *regex.Pattern
	// named are the names of groups by their number; nil when there are none.
	named map[int][]string
}

// ResourceKind implements value.Resource.
func (*Regex) ResourceKind() string { return "Regex" }

// Compile is a value.PatternCompiler. What was compiled lately is kept, since
// scripts that make patterns of strings make the same ones again and again.
func Compile(text, modifiers string) (value.Pattern, error) {
	return compiled.get(text, modifiers)
}

// Match implements value.Pattern. A subject that is not UTF-8 has no match in
// UTF-8 mode.
func (re *Regex) Match(t *value.Thread, subject string) (bool, error) {
	m := meters.Get().(*meter)
	m.begin(t)
	matched, err := re.pattern.Match(&m.Budget, subject)
	return matched, m.end(err)
}

// find looks for the first match from an offset on; caps has room for all
// groups.
func (re *Regex) find(t *value.Thread, subject string, from int, caps []int) (bool, error) {
	m := meters.Get().(*meter)
	m.begin(t)
	matched, err := re.pattern.Find(&m.Budget, subject, from, caps)
	return matched, m.end(err)
}

// meter charges a match to a thread.
type meter struct {
	regex.Budget
	thread *value.Thread
}

var meters = sync.Pool{New: func() any {
	m := &meter{}
	m.Stop = m.poll
	return m
}}

// What matching costs in steps of the machine: the engine's are smaller.
const (
	stepsPerPoll = 512
	cheaper      = 8
)

func (m *meter) begin(t *value.Thread) {
	m.thread, m.Used, m.Memory = t, 0, 0
	if most := t.Limits.Memory; most > 0 {
		m.Memory = int(min(most, regex.DefaultMemory))
	}
}

// poll is asked by the engine now and then.
func (m *meter) poll() error {
	m.thread.Fuel -= stepsPerPoll
	return m.thread.Poll()
}

// end gives the meter back and turns the error of the engine into one of the
// script.
func (m *meter) end(err error) error {
	t, used := m.thread, int(m.Used)
	m.thread = nil
	meters.Put(m)
	switch {
	case err == nil, errors.Is(err, regex.ErrUTF8):
		return t.Step(used / cheaper)
	case value.Uncatchable(err):
		return err
	}
	return value.Errorf("%v", err)
}

// cache keeps patterns. When it is full it begins anew, which costs a script
// with that many patterns little against matching them.
type cache struct {
	mu    sync.RWMutex
	known map[key]*Regex
}

type key struct{ text, modifiers string }

const (
	mostKept    = 1024
	longestKept = 4096 // bytes of a pattern
)

var compiled = cache{known: make(map[key]*Regex)}

func (c *cache) get(text, modifiers string) (*Regex, error) {
	k := key{text, modifiers}
	c.mu.RLock()
	re := c.known[k]
	c.mu.RUnlock()
	if re != nil {
		return re, nil
	}
	re, err := compile(text, modifiers)
	if err != nil || len(text) > longestKept {
		return re, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= mostKept {
		clear(c.known)
	}
	c.known[k] = re
	return re, nil
}

func compile(text, modifiers string) (*Regex, error) {
	flags, ok := regex.ParseFlags(modifiers)
	if !ok {
		return nil, fmt.Errorf("unknown modifier in %q", modifiers)
	}
	p, err := regex.Compile(text, flags)
	if err != nil {
		return nil, err
	}
	re := &Regex{pattern: p}
	for _, name := range p.Names() {
		if re.named == nil {
			re.named = make(map[int][]string)
		}
		re.named[name.Number] = append(re.named[name.Number], name.Name)
	}
	return re, nil
}

// groups returns a match as scripts see it: the texts of the groups by number,
// each after its names. caps has two offsets for each.
func (re *Regex) groups(subject string, caps []int) *value.Array {
	a := value.NewArray(len(caps) / 2)
	for i := 0; i < len(caps); i += 2 {
		text := value.String("")
		if caps[i] >= 0 {
			text = value.Part(subject, subject[caps[i]:caps[i+1]])
		}
		for _, name := range re.named[i/2] {
			// Of several groups with a name the one that took part counts.
			if caps[i] >= 0 || !a.Has(value.String(name)) {
				a.SetString(name, text)
			}
		}
		a.Set(value.Int(i/2), text)
	}
	return a
}
