package container

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

var setClass = &value.Class{
	Name: "Set",
	Doc:  "A table of keys without values. It is shared by all who hold it, takes keys of one type only, and can be kept in shared memory.",
}

func init() {
	c := setClass
	c.Constructor = declare.Function("Set(string keytype) Set",
		"Makes an empty set of keys that are string or number.",
		`$s = Set("string"); $s->add("a"); echo $s->has("a"); // true`,
		newSet)
	c.Methods = []*value.Builtin{
		declare.Method("add(any key) boolean", "Adds the key and returns whether it is new.", add),
		declare.Method("has(any key) boolean", "Returns whether the key is there.", has),
		declare.Method("delete(any key) boolean", "Removes the key and returns whether it was there.", remove),
		declare.Method("size() number", "Returns the number of keys.", size),
		declare.Method("clear()", "Removes all keys.", clearAll),
		declare.Method("values() Iterator", "Returns what foreach goes through to see all keys as they are now.", iterate),
	}
	declare.Examples(c, setExamples)
}

func newSet(c *value.Call) (value.Value, error) {
	keys, err := keyType(c)
	if err != nil {
		return value.None, err
	}
	return value.FromObject(setClass.New(newTable(keys, value.NoneType))), nil
}

func add(c *value.Call) (value.Value, error) {
	t, err := tableOf(c)
	if err != nil {
		return value.None, err
	}
	added, err := t.set(c, c.Args[0], value.None)
	return value.Boolean(added), err
}

// NewSet returns a Set of the values of an array, as strings.
func NewSet(keys *value.Array) value.Value {
	t := newTable(value.StringType, value.NoneType)
	for k := range keys.Values() {
		t.entries.Set(value.String(k.Text()), value.None)
	}
	return value.FromObject(setClass.New(t))
}
