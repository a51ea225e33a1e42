package container

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

var mapClass = &value.Class{
	Name: "Map",
	Doc: "A table of keys and values. Other than an array it is shared by all who hold it, and takes keys and values of one type only: " +
		"another throws. It can be kept in shared memory.",
}

func init() {
	c := mapClass
	c.Constructor = declare.Function("Map(string keytype, string valuetype) Map",
		"Makes an empty map. Keys are string or number; values are any, string, number, boolean, array, function, object or resource.",
		`$m = Map("string", "number"); $m->set("a", 1); $m->merge("a", 2); echo $m->get("a"); // 3`,
		newMap)
	c.Methods = []*value.Builtin{
		declare.Method("set(any key, any value) boolean", "Stores the value and returns true.", mapSet),
		declare.Method("has(any key) boolean", "Returns whether the key is there.", has),
		declare.Method("get(any key) any", "Returns the value of the key, or none.", mapGet),
		declare.Method("delete(any key) boolean", "Removes the key and returns whether it was there.", remove),
		declare.Method("merge(any key, any value) boolean",
			"Adds the value to the one that is there, as the operator + does, or stores it; returns true.", mapMerge),
		declare.Method("size() number", "Returns the number of keys.", size),
		declare.Method("clear()", "Removes all keys.", clearAll),
		declare.Method("entries() Iterator", "Returns what foreach goes through to see all keys and values as they are now.", iterate),
	}
	declare.Examples(c, mapExamples)
}

func newMap(c *value.Call) (value.Value, error) {
	keys, err := keyType(c)
	if err != nil {
		return value.None, err
	}
	values, ok := kinds[c.Str(1)]
	if !ok {
		return value.None, declare.Unwanted(c, 1, "any, string, number, boolean, array, function, object or resource")
	}
	return value.FromObject(mapClass.New(newTable(keys, values))), nil
}

// tableOf returns the table of the object, once argument 0 is a key for it.
func tableOf(c *value.Call) (*table, error) {
	t := c.This.Native.(*table)
	return t, check(c, 0, t.keys)
}

func mapSet(c *value.Call) (value.Value, error) {
	t, err := tableOf(c)
	if err == nil {
		err = check(c, 1, t.values)
	}
	if err != nil {
		return value.None, err
	}
	_, err = t.set(c, c.Args[0], c.Args[1])
	return value.True, err
}

func has(c *value.Call) (value.Value, error) {
	t, err := tableOf(c)
	if err != nil {
		return value.None, err
	}
	_, ok := t.get(c.Args[0])
	return value.Boolean(ok), nil
}

func mapGet(c *value.Call) (value.Value, error) {
	t, err := tableOf(c)
	if err != nil {
		return value.None, err
	}
	v, _ := t.get(c.Args[0])
	return v, nil
}

func remove(c *value.Call) (value.Value, error) {
	t, err := tableOf(c)
	if err != nil {
		return value.None, err
	}
	return value.Boolean(t.remove(c.Args[0])), nil
}

func mapMerge(c *value.Call) (value.Value, error) {
	t, err := tableOf(c)
	if err == nil {
		err = check(c, 1, t.values)
	}
	if err == nil && c.This.Published() {
		err = value.Publish(c.Args[1])
	}
	if err != nil {
		return value.None, err
	}
	return value.True, t.merge(c, c.Args[0], c.Args[1])
}

// merge adds v to what stands under k. It works in place when nobody else holds
// the array that grows.
//
// The lock is held for looking and for storing only: what grows in between is
// charged to the script, which may then count what it holds, this table included.
// Nobody else can come between: the methods of an object that several threads see
// are called by one at a time.
func (t *table) merge(c *value.Call, k, v value.Value) error {
	if err := c.Alloc(entrySize); err != nil {
		return err
	}
	old, known := t.place(k)
	if !known {
		t.put(k, v)
		return nil
	}
	if old.IsArray() && v.IsArray() && !old.Array().Frozen() {
		return value.Writable(old).Splice(c.Thread, v.Array())
	}
	sum, err := value.Operate(c.Thread, value.Add, *old, v)
	if err == nil && c.This.Published() {
		err = c.Publish(sum)
	}
	if err != nil {
		return err
	}
	t.put(k, sum)
	return nil
}

// place returns where the value of k stands, if it is known.
func (t *table) place(k value.Value) (v *value.Value, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.entries.Has(k) {
		return nil, false
	}
	return t.writableLocked().Slot(k), true
}

func (t *table) put(k, v value.Value) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writableLocked().Set(k, v)
}

// NewMap returns a Map from string to any with the entries of an array.
func NewMap(entries *value.Array) value.Value {
	t := newTable(value.StringType, value.AnyType)
	for k, v := range entries.All() {
		t.entries.Set(k, v)
	}
	return value.FromObject(mapClass.New(t))
}

func size(c *value.Call) (value.Value, error) {
	return value.Int(c.This.Native.(*table).size()), nil
}

func clearAll(c *value.Call) (value.Value, error) {
	c.This.Native.(*table).clear()
	return value.None, nil
}

func iterate(c *value.Call) (value.Value, error) {
	return c.This.Native.(*table).iterate(), nil
}
