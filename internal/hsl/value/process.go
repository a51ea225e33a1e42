package value

// Process is what outlives executions: the shared memory with its barriers and
// the cache of calls. It is safe for concurrent use; one process of the
// operating system usually has one.
type Process struct {
	Memory   *Memory
	Cache    *Cache
	locks    locks
	patterns patterns
}

// DefaultSharedBytes bounds what scripts may leave in shared memory.
const DefaultSharedBytes = 1 << 30

// NewProcess returns an empty Process whose shared memory takes limit bytes;
// DefaultSharedBytes if limit is 0.
func NewProcess(limit int64) *Process {
	if limit == 0 {
		limit = DefaultSharedBytes
	}
	p := &Process{}
	p.locks.held = make(map[any]*lock)
	p.Memory = &Memory{limit: limit, values: make(map[string]stored)}
	p.Cache = &Cache{tables: make(map[tableKey]*cacheTable)}
	return p
}

// Lock waits until the thread has the lock of that name, which it may have
// already. The names of Memory are strings; everybody else uses a type of his
// own. A wait that could never end, because two threads wait for each other,
// fails with ErrDeadlock.
func (p *Process) Lock(t *Thread, name any) error { return p.locks.acquire(t, name) }

// Unlock gives one Lock back.
func (p *Process) Unlock(t *Thread, name any) { p.locks.release(t, name) }

// Holds reports whether the thread has the lock.
func (p *Process) Holds(t *Thread, name any) bool { return p.locks.holds(t, name) }

// Shared returns the process of the thread, making one for a thread that was
// started without.
func (t *Thread) Shared() *Process {
	if t.Process == nil {
		t.Process = NewProcess(0)
	}
	return t.Process
}
