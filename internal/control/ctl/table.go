package ctl

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Tables are drawn a page at a time: a page is drawn when it is full, or when
// its first row has waited for long enough, so that nobody waits for the end of
// a long list and its rows are not held.
const (
	pageRows = 500
	pageWait = time.Second
)

// heading is the top of a column.
type heading struct {
	name    string
	numeric bool
}

// printer draws tables to w.
type printer struct {
	w        *bufio.Writer
	headings []heading
	width    int  // of the terminal; 0: none
	colour   bool // on terminals, unless NO_COLOR is set
	page     [][]string
	since    time.Time // of the first row of the page
	total    int
}

func newPrinter(w io.Writer, headings ...heading) *printer {
	p := &printer{w: bufio.NewWriter(w), headings: headings}
	p.width, p.colour = terminal(w)
	p.colour = p.colour && os.Getenv("NO_COLOR") == ""
	return p
}

// row adds a row of printable cells.
func (p *printer) row(cells ...string) error {
	if len(p.page) == 0 {
		p.since = time.Now()
	}
	p.page = append(p.page, slices.Clone(cells))
	p.total++
	if len(p.page) >= pageRows {
		return p.draw()
	}
	return nil
}

// settle draws what has waited for long enough. It is called between messages.
func (p *printer) settle() error {
	if len(p.page) > 0 && time.Since(p.since) >= pageWait {
		return p.draw()
	}
	return nil
}

// draw draws the page and begins a new one.
func (p *printer) draw() error {
	if len(p.page) == 0 {
		return nil
	}
	t := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	style.Size.WidthMax = p.width
	t.SetStyle(style)
	t.SetColumnConfigs(p.columns())
	header := make(table.Row, len(p.headings))
	for i, h := range p.headings {
		header[i] = h.name
	}
	t.AppendHeader(header)
	for _, cells := range p.page {
		row := make(table.Row, len(cells))
		for i, c := range cells {
			if p.colour {
				c = coloured(c)
			}
			row[i] = c
		}
		t.AppendRow(row)
	}
	p.page = p.page[:0]
	if _, err := fmt.Fprintln(p.w, t.Render()); err != nil {
		return err
	}
	return p.w.Flush()
}

// columns says how the columns are set, with text cut so that rows fit on a
// terminal.
func (p *printer) columns() []table.ColumnConfig {
	configs := make([]table.ColumnConfig, len(p.headings))
	widths := p.fit()
	for i, h := range p.headings {
		configs[i] = table.ColumnConfig{Number: i + 1, WidthMax: widths[i], WidthMaxEnforcer: snip}
		if h.numeric {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	return configs
}

func snip(s string, width int) string { return text.Snip(s, width, "…") }

// narrowest is how far a column is cut. Ids and numbers are never cut.
const narrowest = 12

// fit returns the widths of the columns, the widest made narrower until a row
// fits on the terminal.
func (p *printer) fit() []int {
	widths := make([]int, len(p.headings))
	sum := 1
	for i, h := range p.headings {
		widths[i] = text.StringWidth(h.name)
		for _, row := range p.page {
			widths[i] = max(widths[i], text.StringWidth(row[i]))
		}
		sum += widths[i] + 3 // a line and two spaces
	}
	for p.width > 0 && sum > p.width {
		widest := -1
		for i, h := range p.headings {
			if !h.numeric && h.name != "id" && widths[i] > narrowest && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break // the table cuts the row
		}
		widths[widest]--
		sum--
	}
	return widths
}

// stateColours tell states apart at a glance.
var stateColours = map[string]text.Color{
	"ACTIVE": text.FgGreen, "SENDING": text.FgHiGreen, "DEFER": text.FgYellow, "HOLD": text.FgCyan, "UNKNOWN": text.FgHiBlack,
}

func coloured(s string) string {
	if colour, ok := stateColours[s]; ok {
		return colour.EscapeSeq() + s + text.Reset.EscapeSeq()
	}
	return s
}
