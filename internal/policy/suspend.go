package policy

import (
	"fmt"
	"time"
)

// Suspension holds back what matches it (spec config.md 6, operations.md 9.7).
// Each source address is judged for itself, so one that names localip takes that
// address away and leaves the others.
type Suspension struct {
	ID         string // of a dynamic one
	Kind       Kind
	If         Match // the zero Match stops everything
	Tag        string
	Properties map[string]any
	Created    time.Time
	TTL        time.Duration // from the time it was added or updated; 0: for ever

	dynamic bool
	place   int // in the table
	waits   waitList
	timer   timer
}

// Kind is what made a dynamic policy or suspension (spec operations.md 14).
type Kind uint8

const (
	KindDynamic Kind = iota // an operator or a script
	KindWarmup
	KindBackoff
)

var kindNames = []string{"DYNAMIC", "WARMUP", "BACKOFF"}

func (k Kind) String() string { return kindNames[k] }

// ParseKind reads a kind as String writes it, in any case; empty is KindDynamic.
func ParseKind(s string) (Kind, error) {
	if s == "" {
		return KindDynamic, nil
	}
	for i, name := range kindNames {
		if equalFold(s, name) {
			return Kind(i), nil
		}
	}
	return 0, fmt.Errorf("policy: no type %q, want dynamic, warmup or backoff", s)
}

// suspensions are those in force. The table keeps the places of those that have
// ended until half of it is such.
type suspensions struct {
	static  []*Suspension
	byID    map[string]*Suspension
	table   *Table
	entries []*Suspension // by place; nil: ended
	ended   int
	fields  Fields
}

func (s *suspensions) init() { s.byID, s.table = map[string]*Suspension{}, NewTable() }

// find returns the first that matches, or nil.
func (s *suspensions) find(t *Tuple) *Suspension {
	if len(s.entries) == s.ended {
		return nil
	}
	for _, i := range s.table.All(t) {
		if one := s.entries[i]; one != nil {
			return one
		}
	}
	return nil
}

func (s *suspensions) add(one *Suspension) {
	one.place = len(s.entries)
	one.waits.suspension = one
	s.entries = append(s.entries, one)
	s.table.Add(one.If)
	s.fields |= one.If.Fields
}

func (s *suspensions) remove(one *Suspension) {
	s.entries[one.place] = nil
	if s.ended++; s.ended < 64 || s.ended < len(s.entries)/2 {
		return
	}
	left := s.entries
	s.entries, s.table, s.ended = nil, NewTable(), 0
	for _, other := range left {
		if other != nil {
			s.add(other)
		}
	}
}

// SetSuspensions replaces those of the file.
func (e *Engine) SetSuspensions(list []*Suspension, _ int64) {
	old := e.suspends.static
	for _, s := range old {
		e.suspends.remove(s)
	}
	e.suspends.static = list
	for _, s := range list {
		e.suspends.add(s)
	}
	e.changed(nil)
	e.setFields(e.fields | e.suspends.fields)
	for _, s := range old {
		e.release(&s.waits)
	}
}

// Suspend puts a dynamic suspension in force and returns its id. With update one
// with the same id, or without an id the same condition, is replaced.
func (e *Engine) Suspend(s *Suspension, update bool, now int64) (id string, err error) {
	if err := checkTag(s.Tag); err != nil {
		return "", err
	}
	old := e.suspends.byID[s.ID]
	if s.ID == "" && update {
		old = e.suspends.like(s)
	}
	if old != nil {
		if !update {
			return "", fmt.Errorf("%w: %q", ErrExists, s.ID)
		}
		s.ID = old.ID
		defer e.endSuspension(old)
	} else if s.ID == "" {
		s.ID = e.options.NewID()
	}
	s.dynamic = true
	if old != nil {
		delete(e.suspends.byID, s.ID)
	}
	e.suspends.byID[s.ID] = s
	e.suspends.add(s)
	e.metrics.DynamicSuspends.Set(int64(len(e.suspends.byID)))
	e.changed(&s.If)
	e.setFields(e.fields | e.suspends.fields)
	if s.TTL > 0 {
		s.timer.fire = func(int64) { e.Resume(s.ID) }
		e.timers.set(&s.timer, now+int64(s.TTL))
	}
	return s.ID, nil
}

// like returns a dynamic suspension with the condition of s, or nil.
func (s *suspensions) like(o *Suspension) *Suspension {
	text := o.If.String()
	for _, one := range s.byID {
		if one.If.Fields == o.If.Fields && one.If.String() == text {
			return one
		}
	}
	return nil
}

// Suspended reports whether there is a dynamic suspension of that id.
func (e *Engine) Suspended(id string) bool { return e.suspends.byID[id] != nil }

// Resume ends the dynamic suspension of that id and reports whether there was
// one.
func (e *Engine) Resume(id string) bool {
	s := e.suspends.byID[id]
	if s == nil {
		return false
	}
	delete(e.suspends.byID, id)
	e.metrics.DynamicSuspends.Set(int64(len(e.suspends.byID)))
	e.endSuspension(s)
	return true
}

func (e *Engine) endSuspension(s *Suspension) {
	e.suspends.remove(s)
	e.timers.stop(&s.timer)
	e.changed(&s.If)
	e.release(&s.waits)
}
