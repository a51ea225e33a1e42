package top

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

var (
	bright  = lipgloss.NewStyle().Bold(true)
	dim     = lipgloss.NewStyle().Faint(true)
	changed = lipgloss.NewStyle().Foreground(lipgloss.Blue)
	alarm   = lipgloss.NewStyle().Foreground(lipgloss.Red)
)

// Widths: of a box, of its labels, of a number and its change, between boxes.
const (
	boxWidth    = 40
	labelWidth  = 16
	numberWidth = 9
	changeWidth = 7
	gap         = 2
)

// screen is the whole text of the moment.
func (m *model) screen() string {
	head := m.heading() + "\n" + m.tabs() + "\n\n"
	if m.now.Values == nil || m.width == 0 {
		return head
	}
	return head + m.arrange(m.boxes())
}

// heading has pid, time since the start and the time of day; and why there is
// nothing new.
func (m *model) heading() string {
	v := m.now.Values
	if v == nil && m.err == nil {
		return "waiting for the first reading"
	}
	var parts []string
	if v != nil {
		up := time.Duration(v["process.runtime"]) * time.Second
		parts = append(parts, fmt.Sprintf("pid %.0f   up %s   %s", v["process.pid"], up, m.now.At.Format(time.DateTime)))
	}
	if m.paused {
		parts = append(parts, bright.Render("paused"))
	}
	if m.err != nil {
		text, _, _ := strings.Cut(m.err.Error(), "\n")
		parts = append(parts, alarm.Render(text))
	}
	return strings.Join(parts, "   ")
}

func (m *model) tabs() string {
	var b strings.Builder
	for i, p := range panes {
		text := fmt.Sprintf(" %d %s ", i+1, p.title)
		if i == m.pane {
			text = bright.Reverse(true).Render(text)
		}
		b.WriteString(text)
	}
	return b.String() + dim.Render("  ← → pane   space pause   q quit")
}

// boxes are the sections of the pane that the process has numbers for.
func (m *model) boxes() (all []string) {
	for i := range panes[m.pane].sections {
		if lines := m.lines(&panes[m.pane].sections[i]); len(lines) > 0 {
			title := pad(panes[m.pane].sections[i].title, boxWidth)
			all = append(all, bright.Render(title)+"\n"+strings.Join(lines, "\n"))
		}
	}
	return all
}

func (m *model) lines(s *section) (lines []string) {
	if s.pattern == "" {
		for _, r := range s.rows {
			if _, ok := m.now.Values[r.stat]; ok {
				lines = append(lines, pad(r.label, labelWidth)+m.number(r.stat, r.limit)+m.change(r.stat))
			}
		}
		return lines
	}
	names := s.matches(m.now)
	if len(names) == 0 {
		return nil
	}
	head := pad("", labelWidth)
	for _, c := range s.columns {
		head += left(c.head, numberWidth) + fill("", changeWidth)
	}
	lines = append(lines, dim.Render(head))
	for _, name := range names {
		line := pad(name, labelWidth)
		for _, c := range s.columns {
			line += m.number(s.stat(name, c), "") + fill(m.change(s.stat(name, c)), changeWidth)
		}
		lines = append(lines, line)
	}
	return lines
}

// number is a number, right-aligned, with its limit behind it.
func (m *model) number(stat, limit string) string {
	text := left(amount(m.now.Values[stat]), numberWidth)
	if max := m.now.Values[limit]; max > 0 {
		text += dim.Render(" / " + amount(max))
	}
	return text
}

// change is by how much a number differs from the last reading, if it does.
func (m *model) change(stat string) string {
	before, ok := m.was.Values[stat]
	by := m.now.Values[stat] - before
	if !ok || by == 0 {
		return ""
	}
	sign := "+"
	if by < 0 {
		sign = "-"
	}
	return changed.Render(" " + sign + amount(math.Abs(by)))
}

// amount writes a number in at most eight places.
func amount(v float64) string {
	if v != math.Trunc(v) {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	for _, unit := range []struct {
		size float64
		name string
	}{{1e15, "P"}, {1e12, "T"}, {1e9, "G"}, {1e6, "M"}} {
		if v >= 10*unit.size {
			return strconv.FormatFloat(v/unit.size, 'f', 1, 64) + unit.name
		}
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// arrange puts the boxes into as many columns as the screen is wide, of about the
// same height, and cuts what does not fit.
func (m *model) arrange(boxes []string) string {
	width, height := m.width, m.height-3 // less heading, tabs and the line below
	total := 0
	for _, box := range boxes {
		total += rows(box)
	}
	for fit := max(1, width/(boxWidth+gap)); ; fit-- {
		out := spread(boxes, fit, min((total+fit-1)/fit, max(height, 1)))
		if fit == 1 || lipgloss.Width(out) <= width {
			return lipgloss.NewStyle().MaxWidth(width).MaxHeight(height).Render(out)
		}
	}
}

// spread fills columns with boxes up to a height, the last with all that is left.
func spread(boxes []string, fit, each int) string {
	var columns, column []string
	used := 0
	for _, box := range boxes {
		if used > 0 && used+rows(box) > each+1 && len(columns) < fit-1 {
			columns, column, used = append(columns, join(column)), nil, 0
		}
		column, used = append(column, box), used+rows(box)
	}
	columns = append(columns, join(column))
	return lipgloss.JoinHorizontal(lipgloss.Top, columns...)
}

// rows is the height of a box with the empty line below it.
func rows(box string) int { return strings.Count(box, "\n") + 2 }

// join is a column of boxes with an empty line between them.
func join(boxes []string) string {
	return lipgloss.NewStyle().MarginRight(gap).Render(strings.Join(boxes, "\n\n"))
}

// pad fills s up to width, or cuts it, with a space at its end.
func pad(s string, width int) string {
	if lipgloss.Width(s) < width {
		return fill(s, width)
	}
	return lipgloss.NewStyle().MaxWidth(width-1).Render(s) + " "
}

// fill adds spaces up to width.
func fill(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-lipgloss.Width(s)))
}

// left adds them before s.
func left(s string, width int) string {
	return strings.Repeat(" ", max(0, width-lipgloss.Width(s))) + s
}

// Text is a reading with all panes one below the other and nothing of a
// terminal in it.
func Text(r Reading) string {
	m := &model{now: r}
	var b strings.Builder
	b.WriteString(m.heading() + "\n")
	for m.pane = range panes {
		for _, box := range m.boxes() {
			b.WriteString("\n" + stripped(box) + "\n")
		}
	}
	return b.String()
}

// stripped is a box without colours and without spaces at the ends of lines.
func stripped(box string) string {
	lines := strings.Split(ansi.Strip(box), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
