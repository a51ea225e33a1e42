package ctl

import (
	"bufio"
	"fmt"
	"io"
	"os"
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
	page     table.Writer
	rows     int // on the page
	since    time.Time
	total    int
}

func newPrinter(w io.Writer, headings ...heading) *printer {
	p := &printer{w: bufio.NewWriter(w), headings: headings}
	p.width, p.colour = terminal(w)
	p.colour = p.colour && os.Getenv("NO_COLOR") == ""
	p.turn()
	return p
}

// turn begins a new page.
func (p *printer) turn() {
	p.page, p.rows = table.NewWriter(), 0
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	style.Size.WidthMax = p.width
	p.page.SetStyle(style)
	header := make(table.Row, len(p.headings))
	configs := make([]table.ColumnConfig, len(p.headings))
	for i, h := range p.headings {
		header[i] = h.name
		configs[i] = table.ColumnConfig{Number: i + 1}
		if h.numeric {
			configs[i].Align, configs[i].AlignHeader = text.AlignRight, text.AlignRight
		}
	}
	p.page.AppendHeader(header)
	p.page.SetColumnConfigs(configs)
}

// row adds a row of printable cells.
func (p *printer) row(cells ...string) error {
	row := make(table.Row, len(cells))
	for i, c := range cells {
		if p.colour {
			c = coloured(c)
		}
		row[i] = c
	}
	if p.rows == 0 {
		p.since = time.Now()
	}
	p.page.AppendRow(row)
	p.total++
	if p.rows++; p.rows >= pageRows {
		return p.draw()
	}
	return nil
}

// settle draws what has waited for long enough. It is called between messages.
func (p *printer) settle() error {
	if p.rows > 0 && time.Since(p.since) >= pageWait {
		return p.draw()
	}
	return nil
}

func (p *printer) draw() error {
	if p.rows == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(p.w, p.page.Render()); err != nil {
		return err
	}
	p.turn()
	return p.w.Flush()
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
