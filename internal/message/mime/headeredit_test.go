package mime

import (
	"errors"
	"slices"
	"testing"

	"github.com/posthaste-mta/posthaste/internal/message/field"
)

const small = "A: 1\nB: 2\nA: 3\n\nbody\n"

func TestHeaderEdits(t *testing.T) {
	tests := []struct {
		name, in string
		edit     func(t *testing.T, p *Part)
		want     string
	}{
		{"nothing", small, func(*testing.T, *Part) {}, small},
		{"add", small, func(t *testing.T, p *Part) { ok(t, p.AddHeader("X", "y", field.Verbatim)) },
			"X: y\nA: 1\nB: 2\nA: 3\n\nbody\n"},
		{"add on top of what was added", small, func(t *testing.T, p *Part) {
			ok(t, p.AddHeader("X", "y", field.Verbatim))
			ok(t, p.AddHeader("Y", "a\r\n\tb", field.Verbatim))
		}, "Y: a\n\tb\nX: y\nA: 1\nB: 2\nA: 3\n\nbody\n"},
		{"add encoded", small, func(t *testing.T, p *Part) {
			ok(t, p.AddHeader("X", "ü", field.Q))
			ok(t, p.AddHeader("Y", "ü", field.B))
		}, "Y: =?utf-8?b?w7w=?=\nX: =?utf-8?q?=C3=BC?=\nA: 1\nB: 2\nA: 3\n\nbody\n"},
		{"add cannot end the header", small, func(t *testing.T, p *Part) {
			ok(t, p.AddHeader("X", "y\n\nbody", field.Verbatim))
		}, "X: y\n body\nA: 1\nB: 2\nA: 3\n\nbody\n"},
		{"add behind a line that would join", " odd\nA: 1\n\n", func(t *testing.T, p *Part) {
			ok(t, p.AddHeader("X", "y", field.Q))
		}, " odd\nX: y\nA: 1\n\n"},
		{"set", small, func(t *testing.T, p *Part) {
			if n := must[int](t)(p.SetHeader("b", "ü", All, field.Q)); n != 1 {
				t.Errorf("%d set", n)
			}
		}, "A: 1\nb: =?utf-8?q?=C3=BC?=\nA: 3\n\nbody\n"},
		{"set all", small, func(t *testing.T, p *Part) {
			if n := must[int](t)(p.SetHeader("A", "x", All, field.Q)); n != 2 {
				t.Errorf("%d set", n)
			}
		}, "A: x\nB: 2\n\nbody\n"},
		{"set one", small, func(t *testing.T, p *Part) {
			if n := must[int](t)(p.SetHeader("A", "x", 1, field.Q)); n != 1 {
				t.Errorf("%d set", n)
			}
			if n := must[int](t)(p.SetHeader("A", "x", 2, field.Q)); n != 0 {
				t.Errorf("%d set", n)
			}
		}, "A: 1\nB: 2\nA: x\n\nbody\n"},
		{"set verbatim", small, func(t *testing.T, p *Part) {
			must[int](t)(p.SetHeader("B", "x\r\n y\xff", All, field.Verbatim))
		}, "A: 1\nB: x\n y\xff\nA: 3\n\nbody\n"},
		{"set new", small, func(t *testing.T, p *Part) {
			if n := must[int](t)(p.SetHeader("C", "x", All, field.Q)); n != 1 {
				t.Errorf("%d set", n)
			}
			must[int](t)(p.SetHeader("D", "x", 0, field.Q))
			must[int](t)(p.SetHeader("C", "y", All, field.Q))
		}, "A: 1\nB: 2\nA: 3\nC: y\nD: x\n\nbody\n"},
		{"set what was deleted", small, func(t *testing.T, p *Part) {
			p.DelHeader("B", All)
			if n := must[int](t)(p.SetHeader("B", "x", All, field.Q)); n != 1 {
				t.Errorf("%d set", n)
			}
		}, "A: 1\nB: x\nA: 3\n\nbody\n"},
		{"set without empty line", "A: 1", func(t *testing.T, p *Part) {
			must[int](t)(p.SetHeader("B", "2", All, field.Q))
			must[int](t)(p.SetHeader("C", "3", All, field.Q))
		}, "A: 1\nB: 2\nC: 3"},
		{"set the last without a line end", "A: 1\nB: 2", func(t *testing.T, p *Part) {
			must[int](t)(p.SetHeader("B", "3", All, field.Q))
			must[int](t)(p.SetHeader("C", "4", All, field.Q))
		}, "A: 1\nB: 3\nC: 4"},
		{"delete the last without a line end", "A: 1\nB: 2", func(t *testing.T, p *Part) {
			p.DelHeader("B", All)
			must[int](t)(p.SetHeader("C", "4", All, field.Q))
		}, "A: 1\nC: 4\n"},
		{"add to nothing", "", func(t *testing.T, p *Part) { ok(t, p.AddHeader("X", "y", field.Q)) }, "X: y\n"},
		{"add to a body", "\nbody\n", func(t *testing.T, p *Part) { ok(t, p.AddHeader("X", "y", field.Q)) }, "X: y\n\nbody\n"},
		{"delete", small, func(t *testing.T, p *Part) {
			if n := p.DelHeader("a", All); n != 2 {
				t.Errorf("%d deleted", n)
			}
			if n := p.DelHeader("a", All); n != 0 {
				t.Errorf("%d deleted", n)
			}
		}, "B: 2\n\nbody\n"},
		{"delete each by its index", small, func(t *testing.T, p *Part) {
			for i := range p.Headers("A", Text) {
				if n := p.DelHeader("A", i); n != 1 {
					t.Errorf("%d: %d deleted", i, n)
				}
			}
			if n := p.DelHeader("A", 2); n != 0 {
				t.Errorf("%d deleted", n)
			}
		}, "B: 2\n\nbody\n"},
		{"delete what was added", small, func(t *testing.T, p *Part) {
			ok(t, p.AddHeader("A", "0", field.Q))
			if n := p.DelHeader("A", 0); n != 1 { // that of the original
				t.Errorf("%d deleted", n)
			}
			if n := p.DelHeader("A", All); n != 2 {
				t.Errorf("%d deleted", n)
			}
		}, "B: 2\n\nbody\n"},
		{"delete a line that is no field", "rubbish\nA: 1\n\n", func(t *testing.T, p *Part) {
			if n := p.DelHeader("", All); n != 0 {
				t.Errorf("%d deleted", n)
			}
		}, "rubbish\nA: 1\n\n"},
		{"rename", "A : 1\n 2\nB: x\na:y\n\n", func(t *testing.T, p *Part) {
			if n := must[int](t)(p.RenameHeader("a", "X-A")); n != 2 {
				t.Errorf("%d renamed", n)
			}
			if n := must[int](t)(p.RenameHeader("a", "X-A")); n != 0 {
				t.Errorf("%d renamed", n)
			}
		}, "X-A: 1\n 2\nB: x\nX-A:y\n\n"},
		{"rename and edit", small, func(t *testing.T, p *Part) {
			must[int](t)(p.SetHeader("A", "x", 0, field.Q))
			must[int](t)(p.RenameHeader("A", "C"))
			if n := p.DelHeader("A", 1); n != 0 {
				t.Errorf("%d deleted", n)
			}
			must[int](t)(p.SetHeader("C", "y", All, field.Q))
		}, "C: y\nB: 2\n\nbody\n"},
		{"date later", "Date: then\nA: 1\n\n", func(t *testing.T, p *Part) {
			if n := must[int](t)(p.SetDateLater()); n != 1 {
				t.Errorf("%d set", n)
			}
		}, "Date: Mon, 02 Jan 2006 15:04:05 -0700\nA: 1\n\n"},
		{"date later, none before", small, func(t *testing.T, p *Part) {
			must[int](t)(p.SetDateLater())
			must[int](t)(p.RenameHeader("Date", "X-Date"))
		}, "A: 1\nB: 2\nA: 3\nX-Date: Mon, 02 Jan 2006 15:04:05 -0700\n\nbody\n"},
		{"date settled", small, func(t *testing.T, p *Part) {
			must[int](t)(p.SetDateLater())
			p.Message().SettleDate(fixed.AddDate(1, 0, 0))
		}, "A: 1\nB: 2\nA: 3\nDate: Tue, 02 Jan 2007 15:04:05 -0700\n\nbody\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := NewBytes([]byte(crlfs(tt.in)))
			names := m.Root().HeaderNames()
			tt.edit(t, m.Root())
			if got := edited(t, m); got != tt.want {
				t.Errorf("%q\nwant %q", got, tt.want)
			}
			if !slices.Equal(m.Root().HeaderNames(), names) {
				t.Error("getters tell of edits")
			}
		})
	}
}

func TestBadNames(t *testing.T) {
	p := NewBytes([]byte(small)).Root()
	_, setErr := p.SetHeader("a b", "x", All, field.Q)
	_, renameErr := p.RenameHeader("A", "x\r\ny")
	for _, err := range []error{p.AddHeader("", "x", field.Q), setErr, renameErr} {
		if !errors.Is(err, field.ErrName) {
			t.Error(err)
		}
	}
	if n := p.Message().Edits(); n != 0 {
		t.Errorf("%d edits", n)
	}
}
