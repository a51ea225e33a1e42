// Package container holds the classes Map and Set: tables that are shared by
// reference, unlike arrays, and can be kept in shared memory for all scripts of
// the process to use.
package container

import (
	"sync"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Classes returns Map and Set.
func Classes() []*value.Class { return []*value.Class{mapClass, setClass} }

// table is the state of a map or set. It may be used by several threads once it
// was published, so that its own lock guards it.
//
// Entries are an array, whose order is that of insertion. Strings that spell
// integers are numbers there and become strings again when they come out.
type table struct {
	keys   value.Type
	values value.Type

	mu      sync.Mutex
	entries *value.Array
}

func newTable(keys, values value.Type) *table {
	return &table{keys: keys, values: values, entries: value.NewArray(0)}
}

// EachValue implements value.Holder.
func (t *table) EachValue(f func(value.Value) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, v := range t.entries.All() {
		if err := f(k); err != nil {
			return err
		}
		if err := f(v); err != nil {
			return err
		}
	}
	return nil
}

// writableLocked returns the entries for writing; those who iterate keep what
// they had.
func (t *table) writableLocked() *value.Array {
	v := value.FromArray(t.entries)
	t.entries = value.Writable(&v)
	return t.entries
}

// key turns the key of an entry back into what it was.
func (t *table) key(k value.Value) value.Value {
	if t.keys == value.StringType && k.IsNumber() {
		return value.String(k.Text())
	}
	return k
}

// entrySize is about what an entry costs.
const entrySize = 64

// set stores v under k and reports whether the key is new.
func (t *table) set(c *value.Call, k, v value.Value) (bool, error) {
	if err := c.Alloc(entrySize); err != nil {
		return false, err
	}
	if c.This.Published() {
		if err := value.Publish(v); err != nil {
			return false, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	known := t.entries.Has(k)
	t.writableLocked().Set(k, v)
	return !known, nil
}

func (t *table) get(k value.Value) (value.Value, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.entries.Get(k)
	v.Retain()
	return v, ok
}

func (t *table) remove(k value.Value) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.entries.Has(k) && t.writableLocked().Delete(k)
}

func (t *table) size() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.entries.Len()
}

func (t *table) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries = value.NewArray(0)
}

// iterate returns an iterator over the entries as they are now.
func (t *table) iterate() value.Value {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.entries.Retain()
	return value.FromObject(iteratorClass.New(&iterator{table: t, entries: t.entries}))
}

// iteratorClass is what entries and values return; foreach knows what to do.
var iteratorClass = &value.Class{Name: "Iterator", Doc: "What foreach can go through once."}

type iterator struct {
	table   *table
	entries *value.Array // nil at the end
	at      int
}

// PrivateToThread says that an iterator stands at one place.
func (i *iterator) PrivateToThread() {}

// Next implements value.Iterator. The values of a set are its keys.
func (i *iterator) Next(*value.Thread) (key, v value.Value, ok bool, err error) {
	key, v, at := i.entries.Next(i.at)
	if at < 0 {
		i.end()
		return value.None, value.None, false, nil
	}
	i.at = at + 1
	key = i.table.key(key)
	if i.table.values == value.NoneType {
		v = key
	}
	v.Retain()
	return key, v, true, nil
}

// end lets the table write in place again.
func (i *iterator) end() {
	if i.entries == nil {
		return
	}
	i.table.mu.Lock()
	defer i.table.mu.Unlock()
	i.entries.Release()
	i.entries = nil
}

// kinds are the names of types that a constructor takes.
var kinds = map[string]value.Type{
	"any": value.AnyType, "string": value.StringType, "number": value.NumberType, "boolean": value.BooleanType, "array": value.ArrayType,
	"function": value.FunctionType, "object": value.ObjectType, "resource": value.ResourceType,
}

// keyType reads the name of a type of keys.
func keyType(c *value.Call) (value.Type, error) {
	t := kinds[c.Str(0)]
	if t != value.StringType && t != value.NumberType {
		return 0, declare.Unwanted(c, 0, "string or number")
	}
	return t, nil
}

// check says that an argument is not of the type that the table was made for.
func check(c *value.Call, i int, want value.Type) error {
	if want.Includes(c.Args[i].Kind()) {
		return nil
	}
	return declare.Unwanted(c, i, want.String()+", which the "+c.This.Class.Name+" was made for")
}
