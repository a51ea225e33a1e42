package spool

import (
	"sync"
	"time"
)

// Space says what the file system has left for us.
type Space struct {
	Bytes, Inodes int64
	Low           bool  // below Options.MinFreeBytes or MinFreeInodes
	Err           error // of asking; the numbers are then the last known
}

// spaceGauge remembers the answer of the file system for a second.
type spaceGauge struct {
	mu    sync.Mutex
	asked time.Time
	last  Space
}

const spaceAge = time.Second

// Free reports the space left, at most a second old.
func (s *Store) Free() Space {
	g := &s.space
	g.mu.Lock()
	fresh := !g.asked.IsZero() && time.Since(g.asked) < spaceAge
	if !fresh {
		g.asked = time.Now() // others go on with the last answer meanwhile
	}
	last := g.last
	g.mu.Unlock()
	if fresh {
		return last
	}
	space := s.askSpace(last)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = space
	return space
}

func (s *Store) askSpace(last Space) Space {
	free, err := s.fs.Free(s.o.Path)
	if err != nil {
		last.Err = err
		return last
	}
	return Space{
		Bytes: free.Bytes, Inodes: free.Inodes,
		Low: free.Bytes < s.o.MinFreeBytes || free.Inodes < s.o.MinFreeInodes,
	}
}
