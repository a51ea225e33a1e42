package control

import (
	"container/heap"
	"slices"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// top holds the first entries of an order, without those that come after them.
type top struct {
	less func(a, b *pb.QueueEntry) bool
	keep int
	heap []*pb.QueueEntry // the last of them is on top
}

// add reports whether an entry, e or another, had to be dropped.
func (t *top) add(e *pb.QueueEntry) (dropped bool) {
	if len(t.heap) < t.keep {
		heap.Push(t, e)
		return false
	}
	if t.keep > 0 && t.less(e, t.heap[0]) {
		t.heap[0] = e
		heap.Fix(t, 0)
	}
	return true
}

// sorted returns what was kept, in order. The top is empty after it.
func (t *top) sorted() []*pb.QueueEntry {
	rows := t.heap
	t.heap = nil
	slices.SortFunc(rows, func(a, b *pb.QueueEntry) int {
		switch {
		case t.less(a, b):
			return -1
		case t.less(b, a):
			return 1
		}
		return 0
	})
	return rows
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (t *top) Len() int           { return len(t.heap) }
func (t *top) Less(i, j int) bool { return t.less(t.heap[j], t.heap[i]) }
func (t *top) Swap(i, j int)      { t.heap[i], t.heap[j] = t.heap[j], t.heap[i] }
func (t *top) Push(e any)         { t.heap = append(t.heap, e.(*pb.QueueEntry)) }
func (t *top) Pop() any {
	last := len(t.heap) - 1
	e := t.heap[last]
	t.heap[last] = nil
	t.heap = t.heap[:last]
	return e
}
