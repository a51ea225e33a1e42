package ctl

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/term"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/control"
	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// printable replaces what could play with a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return '\uFFFD'
		}
		return r
	}, s)
}

// printableLines is printable for text of several lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// terminal returns the width of w, or false when it is none.
func terminal(w io.Writer) (width int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	return width, err == nil && width > 0
}

// cell is the value of a column as people read it.
func cell(c *control.Column, e *pb.QueueEntry, now time.Time) string {
	if !c.Numeric() {
		return printable(c.Text(e))
	}
	n := c.Number(e, now)
	switch c.Kind {
	case control.TimeColumn:
		if n == 0 {
			return ""
		}
		return moment(n)
	case control.SpanColumn:
		return span(time.Duration(n) * time.Millisecond)
	case control.SizeColumn:
		return size(n)
	case control.FlagColumn:
		return map[int64]string{0: "no", 1: "yes"}[n]
	}
	return strconv.FormatInt(n, 10)
}

func moment(milli int64) string {
	return time.UnixMilli(milli).Format("2006-01-02 15:04:05")
}

// span writes a duration with its two largest units, as conditions take them.
func span(d time.Duration) string {
	d = d.Truncate(time.Second)
	switch {
	case d >= 24*time.Hour:
		d = d.Truncate(time.Hour)
	case d >= time.Hour:
		d = d.Truncate(time.Minute)
	}
	if d <= 0 {
		return "0s"
	}
	if d < time.Minute {
		return d.String()
	}
	return config.FormatDuration(d)
}

// size writes bytes with three digits.
func size(n int64) string {
	const units = "KMGT"
	if n < 1000 {
		return strconv.FormatInt(n, 10) + "B"
	}
	f, unit := float64(n), byte('B')
	for i := 0; f >= 999.5 && i < len(units); i++ {
		f, unit = f/1024, units[i]
	}
	if f < 9.95 {
		return fmt.Sprintf("%.1f%ciB", f, unit)
	}
	return fmt.Sprintf("%.0f%ciB", f, unit)
}

func plural[N int | uint64](n N, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		return fmt.Sprintf("%d %sies", n, strings.TrimSuffix(noun, "y"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
