package coverage

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Text writes a line for each file, with the numbers of the lines that were not
// run, and one for all of them.
func (p *Profile) Text(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	covered, total := 0, 0
	for _, f := range p.Files() {
		c, t := f.Covered()
		covered, total = covered+c, total+t
		row(table, f.Name, c, t, f.missed())
	}
	row(table, "all", covered, total, "")
	return table.Flush()
}

func row(w io.Writer, name string, covered, total int, missed string) {
	text := fmt.Sprintf("%.1f%%\t%d of %d\t%s", percent(covered, total), covered, total, name)
	if missed != "" {
		text += "\tnot run: " + missed
	}
	fmt.Fprintln(w, text) // tabwriter keeps it until Flush
}

// missed lists the lines that were not run, and with a question mark those that
// were run in part: "3-5, 9?".
func (f *File) missed() string {
	var out []string
	for i := 0; i < len(f.Lines); i++ {
		l := f.Lines[i]
		switch {
		case l.Partly:
			out = append(out, fmt.Sprintf("%d?", l.Number))
		case l.Count == 0:
			last := i
			for last+1 < len(f.Lines) && f.Lines[last+1].Count == 0 {
				last++
			}
			if text := fmt.Sprint(l.Number); last == i {
				out = append(out, text)
			} else {
				out = append(out, fmt.Sprintf("%s-%d", text, f.Lines[last].Number))
			}
			i = last
		}
	}
	return strings.Join(out, ", ")
}

// LCOV writes the format that lcov, genhtml, editors and build servers read
// (geninfo(1)).
func (p *Profile) LCOV(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, f := range p.Files() {
		f.lcov(out)
	}
	return out.Flush()
}

// lcov writes one record; the writer keeps an error until Flush.
func (f *File) lcov(w io.Writer) {
	fmt.Fprintf(w, "TN:\nSF:%s\n", f.Name)
	called := 0
	for _, fn := range f.Functions {
		fmt.Fprintf(w, "FN:%d,%s\n", fn.Line, fn.unique())
	}
	for _, fn := range f.Functions {
		fmt.Fprintf(w, "FNDA:%d,%s\n", fn.Count, fn.unique())
		called += int(min(fn.Count, 1))
	}
	fmt.Fprintf(w, "FNF:%d\nFNH:%d\n", len(f.Functions), called)
	for _, l := range f.Lines {
		fmt.Fprintf(w, "DA:%d,%d\n", l.Number, l.Count)
	}
	covered, total := f.Covered()
	fmt.Fprintf(w, "LF:%d\nLH:%d\nend_of_record\n", total, covered)
}

// unique is a name that no other function of the file has, as lcov wants it.
func (f *Function) unique() string { return fmt.Sprintf("%s:%d:%d", f.Name, f.Line, f.Column) }
