package regex

import "sync"

// Cache keeps the patterns of strings that a script builds as it runs, since to
// compile one takes as long as hundreds of matches. It holds those used last, at
// most twice as many as asked for. It is safe for concurrent use.
type Cache struct {
	half int

	mu sync.Mutex
	// recent takes what is used; when it is full it becomes old, and what was old
	// and has not been used since is gone.
	recent, old map[string]*Pattern
}

// NewCache returns a cache that is good for size patterns.
func NewCache(size int) *Cache {
	return &Cache{half: max(size, 1), recent: map[string]*Pattern{}}
}

// Get returns the pattern of a text as Delimited reads it. Mistakes are found
// again each time.
func (c *Cache) Get(text string) (*Pattern, error) {
	c.mu.Lock()
	re := c.recent[text]
	if re == nil {
		if re = c.old[text]; re != nil {
			c.putLocked(text, re)
		}
	}
	c.mu.Unlock()
	if re != nil {
		return re, nil
	}
	re, err := Compile(Delimited(text))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.putLocked(text, re)
	return re, nil
}

func (c *Cache) putLocked(text string, re *Pattern) {
	if len(c.recent) >= c.half {
		c.old, c.recent = c.recent, make(map[string]*Pattern, c.half)
	}
	c.recent[text] = re
}
