package value

import (
	"cmp"
	"container/list"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Cache keeps results of calls that scripts made with the cache prefix, for all
// threads of the process. Each namespace and function has a table of its own.
type Cache struct {
	mu     sync.Mutex
	tables map[tableKey]*cacheTable
	oldest list.List // of tableKey, in the order of their coming
	stats  CacheStats
}

// maxTables bounds the tables: a namespace may be made of anything, and that of
// a message is of no use when the message is gone.
const maxTables = 4096

// CacheStats count what a Cache, or one of its tables, did since it was made.
type CacheStats struct{ Hits, Misses, Waits, Evicts int64 }

// CacheTable is what is known of the calls of one function in one namespace.
type CacheTable struct {
	Namespace, Function string
	MaxSize, Size       int
	CacheStats
}

// tableKey names a table: a namespace and a function of a module.
type tableKey struct{ namespace, function string }

type cacheTable struct {
	place   *list.Element // in oldest
	size    int
	stats   CacheStats
	entries map[string]*list.Element
	order   list.List // of *cached, most recently used first
}

type cached struct {
	key     string
	value   Value
	expires time.Time // zero: never
	args    []Value   // kept so that the identities in key stay theirs
}

// CacheCall is one call with the cache prefix.
type CacheCall struct {
	Namespace string
	Function  string // module and name
	Args      []Value
	TTL       float64 // seconds; 0 stores nothing
	// Lifetime, if given, says how long a new value lives; none is for ever.
	Lifetime func(v Value) (Value, error)
	// Update, if given, turns the value it replaces, or none, and the new one
	// into what is stored and returned.
	Update func(old, v Value) (Value, error)
	Force  bool // call, whatever is stored
	Size   int  // greatest number of entries
	LRU    bool // evict the least recently used when full; otherwise store nothing
	Call   func() (Value, error)
}

// cacheName is the lock of one cached call.
type cacheName struct {
	table tableKey
	key   string
}

// Do returns the stored result of the call, or calls and stores. Threads that
// miss the same entry at once wait for one of them to call.
func (c *Cache) Do(t *Thread, call *CacheCall) (Value, error) {
	key, err := argumentKey(t, call.Args)
	if err != nil {
		return None, err
	}
	name := cacheName{tableKey{call.Namespace, call.Function}, key}
	if v, ok := c.lookup(name, call); ok {
		return v, nil
	}
	p := t.Shared()
	if p.Holds(t, name) { // the function calls itself
		return call.Call()
	}
	switch err := p.Lock(t, name); {
	case errors.Is(err, ErrDeadlock):
		return call.Call()
	case err != nil:
		return None, err
	}
	defer p.Unlock(t, name)
	if v, ok := c.lookup(name, call); ok { // somebody else called meanwhile
		c.count(name, call, func(s *CacheStats) { s.Waits++ })
		return v, nil
	}
	c.count(name, call, func(s *CacheStats) { s.Misses++ })
	return c.fill(name, call)
}

// lookup finds an entry that is alive.
func (c *Cache) lookup(name cacheName, call *CacheCall) (Value, bool) {
	if call.Force {
		return None, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tables[name.table]
	e := t.find(name.key)
	if e == nil || !e.expires.IsZero() && !time.Now().Before(e.expires) {
		return None, false
	}
	c.stats.Hits++
	t.stats.Hits++
	return e.value, true
}

func (t *cacheTable) find(key string) *cached {
	if t == nil {
		return nil
	}
	e := t.entries[key]
	if e == nil {
		return nil
	}
	t.order.MoveToFront(e)
	return e.Value.(*cached)
}

// fill calls and stores.
func (c *Cache) fill(name cacheName, call *CacheCall) (Value, error) {
	v, err := call.Call()
	if err != nil {
		return None, err
	}
	if call.Update != nil {
		if v, err = call.Update(c.old(name), v); err != nil {
			return None, err
		}
	}
	ttl := Number(call.TTL)
	if call.Lifetime != nil {
		if ttl, err = call.Lifetime(v); err != nil {
			return None, err
		}
	}
	if !ttl.IsNone() && !(ttl.ToNumber() > 0) {
		return v, nil
	}
	if err := Publish(v); err != nil {
		return None, err
	}
	c.store(name, call, &cached{key: name.key, value: v, expires: expiry(ttl), args: slices.Clone(call.Args)})
	return v, nil
}

// expiry returns when a value ends that lives ttl seconds from now.
func expiry(ttl Value) time.Time {
	const century = 100 * 365 * 24 * 3600
	s := ttl.ToNumber()
	if ttl.IsNone() || s > century {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(s * float64(time.Second)))
}

// old returns what is stored, expired or not.
func (c *Cache) old(name cacheName) Value {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.tables[name.table].find(name.key); e != nil {
		return e.value
	}
	return None
}

func (c *Cache) store(name cacheName, call *CacheCall, e *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tableLocked(name, call)
	t.size = min(t.size, call.Size) // the smallest size used wins
	if old := t.entries[name.key]; old != nil {
		old.Value = e
		t.order.MoveToFront(old)
		return
	}
	for t.order.Len() >= t.size {
		if !call.LRU || t.order.Len() == 0 {
			return
		}
		last := t.order.Remove(t.order.Back()).(*cached)
		delete(t.entries, last.key)
		t.stats.Evicts++
		c.stats.Evicts++
	}
	t.entries[name.key] = t.order.PushFront(e)
}

// tableLocked returns the table of a call, made when it is the first.
func (c *Cache) tableLocked(name cacheName, call *CacheCall) *cacheTable {
	t := c.tables[name.table]
	if t == nil {
		t = &cacheTable{size: call.Size, entries: make(map[string]*list.Element)}
		c.tables[name.table] = t
		t.place = c.oldest.PushBack(name.table)
		if c.oldest.Len() > maxTables {
			c.dropLocked(c.oldest.Front().Value.(tableKey))
		}
	}
	return t
}

func (c *Cache) dropLocked(k tableKey) {
	c.oldest.Remove(c.tables[k].place)
	delete(c.tables, k)
}

// Clear drops all entries of a namespace.
func (c *Cache) Clear(namespace string) {
	c.ClearTables(func(t CacheTable) bool { return t.Namespace == namespace })
}

// ClearTables drops the tables for which drop holds, and returns how many
// entries they had.
func (c *Cache) ClearTables(drop func(CacheTable) bool) (entries int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for k, t := range c.tables {
		if drop(t.describe(k)) {
			entries += t.order.Len()
			c.dropLocked(k)
		}
	}
	return entries
}

// Tables returns what is known of all tables, in order of namespace and
// function.
func (c *Cache) Tables() []CacheTable {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]CacheTable, 0, len(c.tables))
	for k, t := range c.tables {
		all = append(all, t.describe(k))
	}
	slices.SortFunc(all, func(a, b CacheTable) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Function, b.Function))
	})
	return all
}

func (t *cacheTable) describe(k tableKey) CacheTable {
	return CacheTable{Namespace: k.namespace, Function: k.function, MaxSize: t.size, Size: t.order.Len(), CacheStats: t.stats}
}

// Stats returns the counters.
func (c *Cache) Stats() CacheStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// count counts for all and for the table of the call.
func (c *Cache) count(name cacheName, call *CacheCall, f func(*CacheStats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
	f(&c.tableLocked(name, call).stats)
}

// argumentKey spells arguments so that equal data have equal texts and nothing
// else has. Objects, functions and resources stand for themselves.
func argumentKey(t *Thread, args []Value) (string, error) {
	var b []byte
	for _, v := range args {
		var err error
		if b, err = appendKey(t, b, v, 0); err != nil {
			return "", err
		}
	}
	return string(b), nil
}

func appendKey(t *Thread, b []byte, v Value, depth int) (_ []byte, err error) {
	b = append(b, byte(v.Kind()))
	switch v.Kind() {
	case KindNumber: // the two zeros are one
		b = binary.LittleEndian.AppendUint64(b, Number(v.Float()+0).bits)
	case KindBoolean:
		b = binary.LittleEndian.AppendUint64(b, v.bits)
	case KindString:
		b = binary.AppendUvarint(b, uint64(v.StrLen()))
		b = append(b, v.Str()...)
	case KindArray:
		b = binary.AppendUvarint(b, uint64(v.Array().Len()))
		for k, e := range v.Array().All() {
			if depth > maxNesting {
				return nil, Errorf("argument of a cached call nests too deeply")
			}
			if b, err = appendKey(t, b, k, depth+1); err != nil {
				return nil, err
			}
			if b, err = appendKey(t, b, e, depth+1); err != nil {
				return nil, err
			}
		}
	case KindFunction:
		f := v.Function()
		b = fmt.Appendf(b, "%p %p %p %p;", f.Code, f.Builtin, f.Class, f.This)
		if len(f.Cells) > 0 {
			b = fmt.Appendf(b, "%p;", f)
		}
	case KindObject, KindResource:
		b = fmt.Appendf(b, "%p;", v.p)
	}
	return b, t.Alloc(16)
}
