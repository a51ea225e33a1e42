package vm

import (
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// stopAt tells whoever debugs the script where it is and what it has.
func (m *Machine) stopAt(f *frame, p compile.Point) error {
	if m.Debug == nil {
		return nil
	}
	return m.Break(&value.Stop{Debugger: p.Debugger, Point: p.Name, Stack: m.Where(), Variables: f.visible()})
}

// visible returns the variables that are set and can be seen in a frame: its
// own, and at top level those of its module.
func (f *frame) visible() (all []value.Named) {
	add := func(name string, v value.Value) {
		if name != "" && !strings.Contains(name, "::") && !v.IsUndefined() {
			all = append(all, value.Named{Name: name, Value: v})
		}
	}
	for i, name := range f.code.Names {
		add(name, f.regs[uint8(i)])
	}
	for i, name := range f.code.Cells {
		if i < len(f.cells) && f.cells[i] != nil {
			add(name, f.cells[i].Load())
		}
	}
	if f.code == f.code.Module.Body {
		for i, g := range f.code.Module.Globals {
			if i < len(f.globals) && f.globals[i] != nil {
				add(g.Name, f.globals[i].Load())
			}
		}
	}
	return all
}
