package vm

import (
	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// operate is R[a] = R[b] o R[c].
func (m *Machine) operate(f *frame, w uint32, o value.Operator) error {
	if err := m.defined(f, w>>24); err != nil {
		return err
	}
	return m.operateOn(f, w, o, f.regs[w>>24])
}

// operateOn is R[a] = R[b] o y.
func (m *Machine) operateOn(f *frame, w uint32, o value.Operator, y value.Value) error {
	if err := m.defined(f, w>>16); err != nil {
		return err
	}
	x := f.regs[uint8(w>>16)]
	v, err := value.Operate(&m.Thread, o, x, y)
	if err != nil {
		return err
	}
	if v.IsArray() && o == value.Add && (x.IsNone() || y.IsNone()) {
		v.Retain() // none is neutral: it is the other side itself
	}
	f.regs[uint8(w>>8)] = v
	return nil
}

// concat is R[a] = R[b] . … . R[b+c-1].
func (m *Machine) concat(f *frame, w uint32) error {
	first := int(uint8(w >> 16))
	v, err := m.Join(f.regs[first : first+int(w>>24)])
	f.regs[uint8(w>>8)] = v
	return err
}

// prefix is R[a] = the prefix operator, R[b].
func (m *Machine) prefix(f *frame, w uint32) error {
	if err := m.defined(f, w>>16); err != nil {
		return err
	}
	x := f.regs[uint8(w>>16)]
	to := &f.regs[uint8(w>>8)]
	switch compile.Op(w) {
	case compile.Neg:
		to.SetFloat(-x.ToNumber())
	case compile.Plus:
		to.SetFloat(x.ToNumber())
	case compile.Not:
		to.SetBool(!x.Truth())
	default:
		*to = value.BitNot(x)
	}
	return nil
}

// count adds d to R[a], whatever that is.
func (f *frame) count(w uint32, d float64) {
	r := &f.regs[uint8(w>>8)]
	r.SetFloat(r.ToNumber() + d)
}

// jumpTruth is JBool.
func (m *Machine) jumpTruth(f *frame, w, x uint32) error {
	if err := m.defined(f, w>>8); err != nil {
		return err
	}
	return m.jump(f, x, f.regs[uint8(w>>8)].Truth() == (w>>24 != 0))
}

// compare jumps if the truth of R[a] o R[b] is c.
func (m *Machine) compare(f *frame, w, x uint32, o value.Operator) error {
	if err := m.defined(f, w>>16); err != nil {
		return err
	}
	return m.compareWith(f, w, x, o, f.regs[uint8(w>>16)])
}

// compareWith jumps if the truth of R[a] o y is c.
func (m *Machine) compareWith(f *frame, w, x uint32, o value.Operator, y value.Value) error {
	if err := m.defined(f, w>>8); err != nil {
		return err
	}
	v, err := value.Operate(&m.Thread, o, f.regs[uint8(w>>8)], y)
	if err != nil {
		return err
	}
	return m.jump(f, x, v.Bool() == (w>>24 != 0))
}

// matches is R[a] = R[b] =~ R[c].
func (m *Machine) matches(f *frame, w uint32) error {
	if err := m.defined(f, w>>16); err != nil {
		return err
	}
	if err := m.defined(f, w>>24); err != nil {
		return err
	}
	p, err := m.Pattern(f.regs[w>>24])
	if err != nil {
		return err
	}
	found := false
	if x := f.regs[uint8(w>>16)]; !x.IsNone() {
		subject, err := m.name(x)
		if err != nil {
			return err
		}
		if found, err = p.Match(&m.Thread, subject); err != nil {
			return err
		}
	}
	m.frame.regs[uint8(w>>8)] = value.Boolean(found)
	return nil
}
