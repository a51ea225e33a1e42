package value

import (
	"slices"
	"strings"
	"sync"
)

// Memory is the key-value store of the memory functions and of barriers. What
// it holds is published. Single operations are atomic; Do makes several atomic
// for one key.
type Memory struct {
	mu     sync.Mutex
	values map[string]stored
	limit  int64
	used   int64
}

// stored is a value with the bytes it is charged.
type stored struct {
	value Value
	size  int64
}

// ErrMemoryFull is the exception for a store that takes no more.
var ErrMemoryFull = Errorf("shared memory is full")

// barrierName is the lock of a key of Memory.
type barrierName string

// Do calls f while the thread holds the lock of the key, which f may use again,
// as may the script functions that f calls.
func (m *Memory) Do(t *Thread, key string, f func() error) error {
	if err := m.Enter(t, key); err != nil {
		return err
	}
	defer m.Leave(t, key)
	return f()
}

// Enter waits for the lock of the key. Leave gives it back.
func (m *Memory) Enter(t *Thread, key string) error {
	return t.Shared().Lock(t, barrierName(key))
}

// Leave gives back one Enter.
func (m *Memory) Leave(t *Thread, key string) { t.Shared().Unlock(t, barrierName(key)) }

// Entered reports whether the thread is between Enter and Leave.
func (m *Memory) Entered(t *Thread, key string) bool {
	return t.Shared().Holds(t, barrierName(key))
}

// Load returns the value of the key.
func (m *Memory) Load(key string) (Value, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.values[key]
	return s.value, ok
}

// Store publishes v and makes it the value of the key. The thread, which may be
// nil, pays for that.
func (m *Memory) Store(t *Thread, key string, v Value) error {
	if err := publish(t, v); err != nil {
		return err
	}
	size, err := sharedSize(t, v)
	if err != nil {
		return err
	}
	size += 64 + int64(len(key))
	m.mu.Lock()
	defer m.mu.Unlock()
	old := m.values[key]
	if m.used-old.size+size > m.limit {
		return ErrMemoryFull
	}
	m.used += size - old.size
	m.values[key] = stored{v, size}
	return nil
}

// Delete removes the key and reports whether it was there.
func (m *Memory) Delete(key string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.values[key]
	m.used -= old.size
	delete(m.values, key)
	return ok
}

// Keys returns the keys that begin with prefix, in order.
func (m *Memory) Keys(prefix string) (keys []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.values {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// Size returns the value of the key and the bytes that it is charged.
func (m *Memory) Size(key string) (v Value, size int64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.values[key]
	return s.value, s.size, ok
}

// Len returns the number of keys.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.values)
}

// sharedSize estimates the bytes of a published value. Objects are counted as
// they are now; what they grow to later is nobody's.
func sharedSize(t *Thread, v Value) (total int64, err error) {
	w := walk{thread: t, strings: true, cell: func(*Cell) { total += 4 * valueSize }}
	w.enter = func(v Value) (bool, error) {
		switch v.Kind() {
		case KindString:
			total += int64(v.StrLen())
		case KindArray:
			total += int64(v.Array().Size())
		default:
			total += 8 * valueSize
		}
		return true, nil
	}
	w.add(v)
	return total, w.run()
}
