package compile

import (
	"fmt"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Disassemble returns the code of all functions of a program as text.
func Disassemble(p *Program) string {
	var b strings.Builder
	seen := make(map[*Code]bool)
	for _, m := range p.Modules {
		fmt.Fprintf(&b, "module %s\n", m.ID)
		m.Body.list(&b, seen)
	}
	return b.String()
}

// list writes one function, and those that it refers to.
func (c *Code) list(b *strings.Builder, seen map[*Code]bool) {
	if seen[c] {
		return
	}
	seen[c] = true
	fmt.Fprintf(b, "function %q: %d parameters, %d registers of variables, %d in all\n", c.Name, c.Params, c.Registers, c.Window)
	for pc := 0; pc < len(c.Words); pc++ {
		w := c.Words[pc]
		at := c.Sources().Position(c.Places[pc])
		fmt.Fprintf(b, "%5d  %3d:%-3d %-12s %3d %3d %3d", pc, at.Line, at.Column, Op(w), uint8(w>>8), uint8(w>>16), w>>24)
		if wide[Op(w)] {
			pc++
			c.listWide(b, Op(w), pc)
		} else if Op(w) == LoadK {
			c.listConst(b, int(w>>16))
		}
		b.WriteByte('\n')
	}
	for i, h := range c.Handlers {
		fmt.Fprintf(b, "handler %d: %d to %d at %d\n", i, h.From, h.To, h.Target)
	}
	for _, callee := range c.Scripts {
		callee.list(b, seen)
	}
	for _, v := range c.Consts {
		if f := v.Function(); f != nil && f.Code != nil {
			f.Code.(*Code).list(b, seen)
		}
	}
	for _, class := range c.Classes {
		if class.Init != nil {
			class.Init.Code.(*Code).list(b, seen)
		}
	}
}

// listWide writes the word behind an instruction.
func (c *Code) listWide(b *strings.Builder, op Op, pc int) {
	w := int(int32(c.Words[pc]))
	switch {
	case op >= Jump && op <= IncJLtK, op == ForNext:
		fmt.Fprintf(b, "  → %d", pc+1+w)
	case op == CallScript || op == Closure:
		fmt.Fprintf(b, "  %s", c.Scripts[w].Name)
	case op == CallGo:
		fmt.Fprintf(b, "  %s", c.Builtins[w].Name)
	case op == CallMethod:
		fmt.Fprintf(b, "  %s", c.Sites[w].Name)
	case op == New:
		fmt.Fprintf(b, "  %s", c.Classes[w].Name)
	case op == Prop || op == PropThis || op == StoreThis || op == LoadKX || op == Fail || op == Cached:
		c.listConst(b, w)
	default:
		fmt.Fprintf(b, "  %d", w)
	}
}

func (c *Code) listConst(b *strings.Builder, i int) {
	v := c.Consts[i]
	text := v.Text()
	if v.IsString() {
		text = string(value.AppendQuoted(nil, text))
	}
	if len(text) > 60 {
		text = text[:60] + "…"
	}
	fmt.Fprintf(b, "  %s", strings.ReplaceAll(text, "\n", "⏎"))
}
