package stage

import (
	"context"
	"fmt"
	"slices"
)

// journal is the log of a stage: its last lines, and who listens.
type journal struct {
	last      []string
	listeners []chan string
	lost      map[chan string]int // lines that a listener was too slow for
}

// Bounds of the log.
const (
	keptLines = 200
	maxLine   = 8 << 10
	buffered  = 256 // lines that a listener may be behind
)

// Say adds a line to the log.
func (s *Stage) Say(text string) {
	if len(text) > maxLine {
		text = text[:maxLine] + "…"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j := &s.log
	if j.last = append(j.last, text); len(j.last) > keptLines {
		j.last = slices.Delete(j.last, 0, len(j.last)-keptLines)
	}
	for _, c := range j.listeners {
		j.sendLocked(c, text)
	}
}

func (j *journal) sendLocked(c chan string, text string) {
	if n := j.lost[c]; n > 0 {
		select {
		case c <- fmt.Sprintf("(%d lines lost: you read too slowly)", n):
			delete(j.lost, c)
		default:
			j.lost[c]++
			return
		}
	}
	select {
	case c <- text:
	default:
		j.lost[c]++
	}
}

// Listen calls yield for the last lines of the log if past is wanted, and then
// for each to come, until the stage or ctx ends or yield returns false. A
// listener that is too slow loses lines and is told how many.
func (s *Stage) Listen(ctx context.Context, past bool, yield func(string) bool) {
	c := make(chan string, buffered)
	s.mu.Lock()
	var before []string
	if past {
		before = slices.Clone(s.log.last)
	}
	if s.log.lost == nil {
		s.log.lost = map[chan string]int{}
	}
	s.log.listeners = append(s.log.listeners, c)
	s.mu.Unlock()
	defer s.deafen(c)
	for _, text := range before {
		if !yield(text) {
			return
		}
	}
	for {
		select {
		case text := <-c:
			if !yield(text) {
				return
			}
		case <-s.done:
			for len(c) > 0 {
				if !yield(<-c) {
					return
				}
			}
			return
		case <-ctx.Done():
			return
		}
	}
}

func (s *Stage) deafen(c chan string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.listeners = slices.DeleteFunc(s.log.listeners, func(o chan string) bool { return o == c })
	delete(s.log.lost, c)
}
