package spool

import "sync"

// cache keeps the contents of messages that have just been committed, so that
// the first attempt reads no disk. It is bounded by the memory of the chunks and
// drops the oldest first: what was not tried by then waits for something else.
type cache struct {
	limit int64

	mu    sync.Mutex
	bytes int64
	byH   map[Handle]*cached
	head  cached // ring: head.next is the oldest
}

type cached struct {
	content    *content
	handle     Handle
	prev, next *cached
}

func newCache(limit int64) *cache {
	c := &cache{limit: limit, byH: map[Handle]*cached{}}
	c.head.prev, c.head.next = &c.head, &c.head
	return c
}

// add keeps a content. One that would fill more than a quarter is left out.
func (c *cache) add(h Handle, body *content) {
	if body.file != nil || body.memory() > c.limit/4 {
		return
	}
	body.hold()
	e := &cached{content: body, handle: h}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byH[h] = e
	e.prev, e.next = c.head.prev, &c.head
	e.prev.next, e.next.prev = e, e
	c.bytes += body.memory()
	for c.bytes > c.limit {
		c.removeLocked(c.head.next)
	}
}

// take returns the content of h, held for the caller, or nil.
func (c *cache) take(h Handle) *content {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byH[h]; e != nil {
		return e.content.hold()
	}
	return nil
}

// drop forgets h.
func (c *cache) drop(h Handle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byH[h]; e != nil {
		c.removeLocked(e)
	}
}

func (c *cache) removeLocked(e *cached) {
	e.prev.next, e.next.prev = e.next, e.prev
	delete(c.byH, e.handle)
	c.bytes -= e.content.memory()
	_ = e.content.release() // there is no file in the cache
}
