package policy

import "container/heap"

// priorities are those of messages: 0 is normal, 1 is high.
const priorities = 2

// waitList holds the ways that wait for one counter or suspension, the high
// priority first and within one in the order in which they came.
type waitList struct {
	counter    *counter    // one of the two
	suspension *Suspension // is set
	first      [priorities]*way
	size       int32
	reason     Reason // of those that came when it was empty
}

func (l *waitList) push(w *way, priority int, reason Reason, now int64) {
	if l.size == 0 {
		l.reason = reason
	}
	l.size++
	w.on, w.since, w.why, w.rank = l, now, reason, uint8(priority)
	head := l.first[priority]
	if head == nil {
		w.next, w.prev = w, w
		l.first[priority] = w
		return
	}
	w.next, w.prev = head, head.prev
	w.prev.next, head.prev = w, w
}

// remove takes w, which is in l, out.
func (l *waitList) remove(w *way) {
	l.size--
	p := w.rank
	if w.next == w {
		l.first[p] = nil
	} else {
		w.prev.next, w.next.prev = w.next, w.prev
		if l.first[p] == w {
			l.first[p] = w.next
		}
	}
	w.next, w.prev, w.on, w.why = nil, nil, nil, noReason
}

// front is the way that is first; nil: there is none.
func (l *waitList) front() *way {
	for p := priorities - 1; p >= 0; p-- {
		if w := l.first[p]; w != nil {
			return w
		}
	}
	return nil
}

// timer is when a counter, a suspension or a dynamic policy is to be looked at.
type timer struct {
	at    int64
	index int // in the heap, from 1; 0: not there
	fire  func(now int64)
}

// timers is a heap by time.
type timers []*timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at < t[j].at }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i+1, j+1
}

func (t *timers) Push(x any) {
	one := x.(*timer)
	*t = append(*t, one)
	one.index = len(*t)
}

func (t *timers) Pop() any {
	last := len(*t) - 1
	one := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	one.index = 0
	return one
}

// set makes one fire at the time given.
func (t *timers) set(one *timer, at int64) {
	if one.index == 0 {
		one.at = at
		heap.Push(t, one)
	} else if one.at != at {
		one.at = at
		heap.Fix(t, one.index-1)
	}
}

func (t *timers) stop(one *timer) {
	if one.index > 0 {
		heap.Remove(t, one.index-1)
	}
}

// due takes out a timer that is due, or returns nil.
func (t *timers) due(now int64) *timer {
	if len(*t) == 0 || (*t)[0].at > now {
		return nil
	}
	return heap.Pop(t).(*timer)
}
