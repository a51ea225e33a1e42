// Package memory holds the builtins for the key-value store of the process,
// which all scripts see and barriers guard.
package memory

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Builtins returns the functions of the theme.
func Builtins() []*value.Builtin {
	return []*value.Builtin{
		declare.Function("memory_add(string key, any value) boolean",
			"Stores a value under a key that is free. Returns whether it was.",
			`memory_add("k", 1); echo memory_add("k", 2); // false`, add),
		declare.Function("memory_delete(string key, [function callback]) boolean",
			"Removes a key, after calling the function with key and value. Returns whether it was there.",
			`memory_store("k", 1); echo memory_delete("k"); // true`, remove),
		declare.Function("memory_exists(string key, [function callback]) boolean",
			"Returns whether a key is there, after calling the function with key and value if it is.",
			`echo memory_exists("nothing"); // false`, exists),
		declare.Function("memory_fetch(string key, [function callback]) any",
			"Returns the value of a key. If there is none, returns what the function makes of the key, or none.",
			`memory_store("k", [1, 2]); echo memory_fetch("k"); // [0=>1,1=>2]`, fetch),
		declare.Function("memory_store(string key, any value, [function callback]) boolean",
			"Stores a value. Returns whether the key was there, after calling the function with key and old value if it was.",
			`memory_store("k", 1); echo memory_store("k", 2); // true`, store),
		declare.Function("memory_update(string key, any value, function callback, [any initial]) boolean",
			"Stores what the function makes of key, present value and value. If the key is not there, the initial value takes the place of the present one; "+
				"without one nothing is stored. Returns whether the key was there.",
			`memory_store("k", 1); memory_update("k", 5, function ($key, $old, $new) { return $old + $new; }); echo memory_fetch("k"); // 6`, update),
		declare.Function("memory_inc(string key, [number offset = 1]) number or none",
			"Adds the offset to a stored number, 0 if there is none, and returns the sum; none if something else is stored.",
			`memory_inc("k"); echo memory_inc("k", 4); // 5`, increase),
		declare.Function("memory_dec(string key, [number offset = 1], [boolean remove_if_zero = false]) number or none",
			"Takes the offset off a stored number, 0 if there is none, and returns the difference; none if something else is stored. A difference of 0 can remove the key.",
			`memory_inc("k", 4); echo memory_dec("k"); // 3`, decrease),
	}
}

// locked calls f with the memory, while nobody else can touch the key.
func locked(c *value.Call, f func(m *value.Memory, key string) (value.Value, error)) (result value.Value, err error) {
	m, key := c.Shared().Memory, c.Str(0)
	err = m.Do(c.Thread, key, func() error {
		result, err = f(m, key)
		return err
	})
	return result, err
}

// notify calls a callback that was given with key and value.
func notify(c *value.Call, i int, v value.Value) (value.Value, error) {
	if !c.Has(i) {
		return value.None, nil
	}
	return c.Call(c.Args[i], c.Args[0], v)
}

func add(c *value.Call) (value.Value, error) {
	return locked(c, func(m *value.Memory, key string) (value.Value, error) {
		if _, ok := m.Load(key); ok {
			return value.False, nil
		}
		return value.True, m.Store(c.Thread, key, c.Args[1])
	})
}

func remove(c *value.Call) (value.Value, error) {
	return locked(c, func(m *value.Memory, key string) (value.Value, error) {
		if v, ok := m.Load(key); ok {
			if _, err := notify(c, 1, v); err != nil {
				return value.None, err
			}
		}
		return value.Boolean(m.Delete(key)), nil
	})
}

func exists(c *value.Call) (value.Value, error) {
	return locked(c, func(m *value.Memory, key string) (value.Value, error) {
		v, ok := m.Load(key)
		if !ok {
			return value.False, nil
		}
		_, err := notify(c, 1, v)
		return value.True, err
	})
}

func fetch(c *value.Call) (value.Value, error) {
	if v, ok := c.Shared().Memory.Load(c.Str(0)); ok || !c.Has(1) {
		return v, nil
	}
	return locked(c, func(m *value.Memory, key string) (value.Value, error) {
		if v, ok := m.Load(key); ok {
			return v, nil
		}
		return c.Call(c.Args[1], c.Args[0])
	})
}

func store(c *value.Call) (value.Value, error) {
	return locked(c, func(m *value.Memory, key string) (value.Value, error) {
		old, ok := m.Load(key)
		if err := m.Store(c.Thread, key, c.Args[1]); err != nil || !ok {
			return value.False, err
		}
		_, err := notify(c, 2, old)
		return value.True, err
	})
}

func update(c *value.Call) (value.Value, error) {
	return locked(c, func(m *value.Memory, key string) (value.Value, error) {
		old, ok := m.Load(key)
		if !ok {
			if c.Given < 4 {
				return value.False, nil
			}
			old = c.Args[3]
		}
		c.Args[1].Retain()
		v, err := c.Call(c.Args[2], c.Args[0], old, c.Args[1])
		if err != nil {
			return value.None, err
		}
		return value.Boolean(ok), m.Store(c.Thread, key, v)
	})
}

func increase(c *value.Call) (value.Value, error) { return count(c, c.Num(1), false) }

func decrease(c *value.Call) (value.Value, error) { return count(c, -c.Num(1), c.Bool(2)) }

func count(c *value.Call, offset float64, removeZero bool) (value.Value, error) {
	return locked(c, func(m *value.Memory, key string) (value.Value, error) {
		old, ok := m.Load(key)
		if ok && !old.IsNumber() {
			return value.None, nil
		}
		sum := value.Number(old.ToNumber() + offset)
		if removeZero && sum.Float() == 0 {
			m.Delete(key)
			return sum, nil
		}
		return sum, m.Store(c.Thread, key, sum)
	})
}
