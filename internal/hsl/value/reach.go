package value

import (
	"errors"
	"sync"
	"unsafe"
)

// walk visits everything that can be reached from values, each array, object,
// function and cell once, without recursion.
type walk struct {
	seen    map[unsafe.Pointer]struct{}
	queue   []Value
	strings bool // look at strings, too
	// enter is called for each value that is not a plain scalar, and says
	// whether to look inside.
	enter func(Value) (bool, error)
	// cell is called for each captured variable.
	cell func(*Cell)
	// thread, which may be nil, pays for each value and can be stopped.
	thread *Thread
}

// paid is how many values are visited between two payments.
const paid = 256

// first reports whether p is seen for the first time.
func (w *walk) first(p unsafe.Pointer) bool {
	if _, old := w.seen[p]; old {
		return false
	}
	if w.seen == nil {
		w.seen = make(map[unsafe.Pointer]struct{})
	}
	w.seen[p] = struct{}{}
	return true
}

// add puts a value on the queue if there is something to see in it.
func (w *walk) add(v Value) {
	if k := v.Kind(); k >= KindArray && k <= KindObject || k == KindString && w.strings {
		w.queue = append(w.queue, v)
	}
}

func (w *walk) run() error {
	for n := 1; len(w.queue) > 0; n++ {
		if n%paid == 0 {
			if err := w.thread.Step(paid); err != nil {
				return err
			}
		}
		v := w.queue[len(w.queue)-1]
		w.queue = w.queue[:len(w.queue)-1]
		if v.p == nil || !w.first(v.p) {
			continue
		}
		inside, err := w.enter(v)
		if err != nil {
			return err
		}
		if inside {
			w.expand(v)
		}
	}
	return nil
}

func (w *walk) expand(v Value) {
	switch v.Kind() {
	case KindArray:
		for k, e := range v.Array().All() {
			w.add(k)
			w.add(e)
		}
	case KindFunction:
		f := v.Function()
		w.add(FromObject(f.This))
		for _, c := range f.Cells {
			w.cell(c)
			w.add(c.Load())
		}
	case KindObject:
		v.Object().each(w.add)
	}
}

// each calls f for the values that the object holds.
func (o *Object) each(f func(Value)) {
	if o.mu != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
	}
	for _, v := range o.slots {
		f(v)
	}
	f(FromArray(o.extra))
	if h, ok := o.Native.(Holder); ok {
		_ = h.EachValue(func(v Value) error { f(v); return nil }) // f does not fail
	}
}

// reach estimates the bytes of all that can be reached from the roots. Frozen
// arrays belong to the process, not to the script, and are not looked into.
func reach(roots func(func(Value))) (total int64) {
	w := walk{strings: true, cell: func(*Cell) { total += 2 * valueSize }}
	w.enter = func(v Value) (bool, error) {
		switch v.Kind() {
		case KindString:
			total += int64(v.StrLen())
		case KindArray:
			if v.Array().Frozen() {
				return false, nil
			}
			total += int64(v.Array().Size())
		default:
			total += 4 * valueSize
		}
		return true, nil
	}
	roots(w.add)
	_ = w.run() // enter does not fail
	return total
}

// ErrPrivate is the exception for a value that cannot be shared by threads.
var ErrPrivate = errors.New("generators cannot be shared between scripts")

// Private is implemented by a Native that only its own thread may use.
type Private interface{ PrivateToThread() }

// Publish makes v safe to be reached by other threads: arrays within are frozen
// for good, objects and captured variables get a lock. It must be called by the
// thread that owns v, before v is put where others find it.
func Publish(v Value) error { return publish(nil, v) }

// Publish is the function of that name, which the thread pays for: it can be
// stopped in the middle, which leaves v as good as before.
func (t *Thread) Publish(v Value) error { return publish(t, v) }

func publish(t *Thread, v Value) error {
	w := walk{thread: t, cell: func(c *Cell) {
		if c.mu == nil {
			c.mu = new(sync.Mutex)
		}
	}}
	// What cannot be shared is found before anything is changed.
	w.enter = func(v Value) (bool, error) {
		if o := v.Object(); o != nil {
			if _, private := o.Native.(Private); private {
				return false, ErrPrivate
			}
		}
		return !v.published(), nil
	}
	cell := w.cell
	w.cell = func(*Cell) {}
	w.add(v)
	if err := w.run(); err != nil {
		return err
	}
	w = walk{thread: t, cell: cell, enter: func(v Value) (bool, error) { return v.publish(), nil }}
	w.add(v)
	return w.run()
}

func (v Value) published() bool {
	switch v.Kind() {
	case KindArray:
		return v.Array().Frozen()
	case KindObject:
		return v.Object().mu != nil
	}
	return v.Kind() == KindString
}

// publish marks one value and reports whether it was new.
func (v Value) publish() bool {
	if v.published() {
		return false
	}
	switch v.Kind() {
	case KindArray:
		v.Array().owners = frozen
	case KindObject:
		v.Object().mu = new(sync.Mutex)
	}
	return true
}

// Freeze publishes v, which must not hold what cannot be shared, and returns
// it: for constants.
func Freeze(v Value) Value {
	if err := Publish(v); err != nil {
		panic(err)
	}
	return v
}
