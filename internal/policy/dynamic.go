package policy

import (
	"fmt"
	"strings"
	"time"
)

func equalFold(a, b string) bool { return strings.EqualFold(a, b) }

// Dynamic is a policy from a script or an operator. For the counters that it
// matches it takes the place of what the file says (spec operations.md 9.6).
type Dynamic struct {
	ID      string
	Kind    Kind
	Fields  Fields // those of a policy of the file, whose counters it bounds
	If      Match  // on these fields
	Then    Limits
	Created time.Time
	TTL     time.Duration // from the time it was added or updated; 0: for ever
	// Beside leaves what the file says in force: of both the strictest limit holds,
	// unless another dynamic policy takes the place of the file.
	Beside bool

	family *family
	place  int
	timer  timer
}

// dynamicTable is the dynamic policies of one family.
type dynamicTable struct {
	table   *Table
	entries []*Dynamic // by place; nil: ended
	ended   int
}

func (d *dynamicTable) find(t *Tuple) (out []*Dynamic) {
	if len(d.entries) == d.ended {
		return nil
	}
	for _, i := range d.table.All(t) {
		if one := d.entries[i]; one != nil {
			out = append(out, one)
		}
	}
	return out
}

func (d *dynamicTable) all() (out []*Dynamic) {
	for _, one := range d.entries {
		if one != nil {
			out = append(out, one)
		}
	}
	return out
}

func (d *dynamicTable) add(one *Dynamic) {
	if d.table == nil {
		d.table = NewTable()
	}
	one.place = len(d.entries)
	d.entries = append(d.entries, one)
	d.table.Add(one.If)
}

func (d *dynamicTable) remove(one *Dynamic) {
	d.entries[one.place] = nil
	if d.ended++; d.ended < 64 || d.ended < len(d.entries)/2 {
		return
	}
	left := d.all()
	*d = dynamicTable{}
	for _, other := range left {
		d.add(other)
	}
}

// AddPolicy puts a dynamic policy in force and returns its id. With update one
// with the same id, or without an id the same fields and condition, is replaced.
// The error is ErrNoPolicy where the configuration counts no such fields.
func (e *Engine) AddPolicy(d *Dynamic, update bool, now int64) (id string, err error) {
	if err := d.Then.Check(); err != nil {
		return "", err
	}
	f := e.familyOf(d.Fields)
	if f == nil {
		return "", fmt.Errorf("%w: %s", ErrNoPolicy, strings.Join(d.Fields.Names(), ", "))
	}
	if d.If.Fields&^d.Fields != 0 {
		return "", fmt.Errorf("policy: the condition names %s, which the policy does not count",
			strings.Join((d.If.Fields&^d.Fields).Names(), ", "))
	}
	old := e.dynamics[d.ID]
	if d.ID == "" && update {
		old = f.dynamics.like(d)
	}
	switch {
	case old != nil && !update:
		return "", fmt.Errorf("%w: %q", ErrExists, d.ID)
	case old != nil:
		d.ID, d.Created = old.ID, old.Created
		e.endPolicy(old, now)
	case d.ID == "":
		d.ID = e.options.NewID()
	}
	d.family = f
	e.dynamics[d.ID] = d
	f.dynamics.add(d)
	e.metrics.DynamicConditions.Set(int64(len(e.dynamics)))
	e.touch(f, d, now)
	if d.TTL > 0 {
		d.timer.fire = func(now int64) { e.DeletePolicy(d.ID, now) }
		e.timers.set(&d.timer, now+int64(d.TTL))
	}
	return d.ID, nil
}

// ReplacePolicy puts next in the place of old, or ends old where next is nil. It
// does nothing and returns false when old is not in force as it was given: it has
// ended, or somebody else has replaced it.
func (e *Engine) ReplacePolicy(old, next *Dynamic, now int64) (replaced bool, err error) {
	if e.dynamics[old.ID] != old {
		return false, nil
	}
	if next == nil {
		e.endPolicy(old, now)
		return true, nil
	}
	next.ID = old.ID
	_, err = e.AddPolicy(next, true, now)
	return err == nil, err
}

func (d *dynamicTable) like(o *Dynamic) *Dynamic {
	for _, one := range d.entries {
		if one != nil && one.If.same(&o.If) {
			return one
		}
	}
	return nil
}

// familyOf returns the first family over these very fields, or nil.
func (e *Engine) familyOf(fs Fields) *family {
	for _, f := range e.families {
		if f.policy.Fields == fs {
			return f
		}
	}
	return nil
}

// DeletePolicy ends the dynamic policy of that id and reports whether there was
// one.
func (e *Engine) DeletePolicy(id string, now int64) bool {
	d := e.dynamics[id]
	if d == nil {
		return false
	}
	e.endPolicy(d, now)
	return true
}

func (e *Engine) endPolicy(d *Dynamic, now int64) {
	f := d.family
	e.forget(d)
	f.dynamics.remove(d)
	e.touch(f, d, now)
}

// forget takes d out of what is known by id.
func (e *Engine) forget(d *Dynamic) {
	delete(e.dynamics, d.ID)
	e.timers.stop(&d.timer)
	e.metrics.DynamicConditions.Set(int64(len(e.dynamics)))
}
