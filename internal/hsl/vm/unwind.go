package vm

import (
	"errors"

	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// run runs the topmost frame until it returns and stop frames are left.
func (m *Machine) run(stop int) (value.Value, error) {
	for {
		v, err := m.loop(stop)
		if err == nil {
			return v, nil
		}
		if err = m.catch(err, stop); err != nil {
			return value.None, err
		}
	}
}

// catch finds the handler of an error in the frames above stop, and makes the
// loop go on there. Without a handler it takes these frames away and returns the
// error.
func (m *Machine) catch(err error, stop int) error {
	catchable := !value.Uncatchable(err)
	var thrown *value.Throw
	if catchable {
		thrown = m.thrown(err)
		err = thrown
	} else {
		err = m.stopped(err)
	}
	for len(m.frames) > stop {
		f := &m.frames[len(m.frames)-1]
		if h := f.handler(); h != nil && catchable {
			m.releaseWithin(len(m.frames)-1, h.Barriers)
			f.regs[h.Register] = thrown.Value
			f.pc = h.Target
			return nil
		}
		m.releaseBarriers(len(m.frames) - 1)
		if f.gen != nil {
			f.gen.state = finished
		}
		m.pop()
	}
	return err
}

// pushFrame puts a frame on top, of which the caller fills in what is special.
func (m *Machine) pushFrame(code *compile.Code, base int) *frame {
	m.grow(base)
	m.frames = append(m.frames, frame{code: code, base: base, regs: m.window(base)})
	m.frame = &m.frames[len(m.frames)-1]
	return m.frame
}

// pop takes the topmost frame away.
func (m *Machine) pop() {
	n := len(m.frames) - 1
	m.frames[n] = frame{}
	m.frames = m.frames[:n]
	m.frame = nil
	if n > 0 {
		m.frame = &m.frames[n-1]
	}
}

// leave takes away a frame that returns v, and gives v to the frame below; it
// returns what the call resulted in.
func (m *Machine) leave(f *frame, v value.Value) value.Value {
	if f.makes {
		v = f.regs[0]
	}
	if f.gen != nil {
		f.gen.state = finished
	}
	dst := f.dst
	m.pop()
	if m.frame != nil {
		m.frame.regs[dst] = v
	}
	return v
}

// thrown makes an exception of an error, with the place where it happened.
func (m *Machine) thrown(err error) *value.Throw {
	var t *value.Throw
	if errors.As(err, &t) {
		if t.Trace == nil {
			t.Trace = m.Where()
		}
		return t
	}
	trace := m.Where()
	at := value.Place{}
	if len(trace) > 0 {
		at = trace[0]
	}
	return &value.Throw{Value: value.NewException(err.Error(), at), Trace: trace}
}

// stopped notes where a limit was exceeded.
func (m *Machine) stopped(err error) error {
	var limit *value.LimitError
	var stopped *value.Stopped
	if !errors.As(err, &limit) || errors.As(err, &stopped) {
		return err
	}
	return &value.Stopped{Err: err, Trace: m.Where()}
}

// handler returns the innermost handler around the instruction under way.
func (f *frame) handler() *compile.Handler {
	at := f.pc - 1
	for i := range f.code.Handlers {
		if h := &f.code.Handlers[i]; h.From <= at && at < h.To {
			return h
		}
	}
	return nil
}

// entered is a barrier that the script is in.
type entered struct {
	key     string
	frame   int // index of the frame that entered it
	barrier compile.Barrier
}

// barrier enters the barrier named R[a], and gives its variable the shared
// value.
func (m *Machine) barrier(f *frame, w uint32, b compile.Barrier) error {
	if err := m.defined(f, w>>8); err != nil {
		return err
	}
	key, err := m.name(f.regs[uint8(w>>8)])
	if err != nil {
		return err
	}
	for i := range m.barriers {
		if m.barriers[i].key == key {
			return value.Errorf("barrier %q is entered already", key)
		}
	}
	memory := m.Shared().Memory
	if err := memory.Enter(&m.Thread, key); err != nil {
		return err
	}
	m.barriers = append(m.barriers, entered{key, len(m.frames) - 1, b})
	if !b.Shared {
		return nil
	}
	v, ok := memory.Load(key)
	if !ok {
		v = value.Undefined
	}
	m.storeRoot(f, b, v)
	return nil
}

// leaveBarrier writes the variable of the innermost barrier back and leaves it.
func (m *Machine) leaveBarrier() error {
	last := len(m.barriers) - 1
	b := m.barriers[last]
	m.barriers = m.barriers[:last]
	memory := m.Shared().Memory
	defer memory.Leave(&m.Thread, b.key)
	if !b.barrier.Shared {
		return nil
	}
	f := &m.frames[b.frame]
	v := m.loadRoot(f, b.barrier)
	if v.IsUndefined() {
		memory.Delete(b.key)
		return nil
	}
	// Nobody pays: the script may be at its end, and what it shares must not be lost.
	return memory.Store(nil, b.key, v)
}

// releaseWithin leaves the barriers that a frame entered beyond the first n.
func (m *Machine) releaseWithin(frame, n int) {
	first := len(m.barriers)
	for first > 0 && m.barriers[first-1].frame == frame {
		first--
	}
	for len(m.barriers) > first+n {
		_ = m.leaveBarrier() // the exception under way matters more than what this says
	}
}

// releaseBarriers leaves all barriers that were entered at or above a frame.
func (m *Machine) releaseBarriers(frame int) {
	for len(m.barriers) > 0 && m.barriers[len(m.barriers)-1].frame >= frame {
		_ = m.leaveBarrier() // as above
	}
}
