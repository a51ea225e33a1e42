// Package coverage tells which lines of scripts were run, and reports it as text,
// as a page of HTML and in the format of lcov.
//
// A program that was compiled with hsl.Options.Coverage counts how often its
// statements are reached. A Profile adds up what programs counted: a module that
// several programs import was run as often as all of them say.
//
//	profile := &coverage.Profile{}
//	profile.Add(program) // once, after its last run
//	err := profile.Text(w)
//
// A line counts when a statement, a function or an arm of a match begins on it.
package coverage

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl"
)

// Profile is what is known of the scripts that ran. The zero Profile is empty.
// It is for one goroutine at a time.
type Profile struct {
	// Name returns the name that reports show for a file, "" for files that they
	// leave out; nil shows all as they are.
	Name  func(file string) string
	files map[string]*counts
}

// counts are the visits of one file.
type counts struct {
	text   string
	visits map[place]int64
}

// place is where something begins that is counted.
type place struct {
	line, column int
	function     string
}

// Add adds what a program counted.
func (p *Profile) Add(program *hsl.Program) {
	for v := range program.Visits() {
		c := p.of(program, v.File)
		if c != nil {
			c.visits[place{v.Line, v.Column, v.Function}] += v.Count
		}
	}
}

// of returns the counts of a file, nil if it is left out.
func (p *Profile) of(program *hsl.Program, file string) *counts {
	name := file
	if p.Name != nil {
		name = p.Name(file)
	}
	if name == "" {
		return nil
	}
	c := p.files[name]
	if c == nil {
		c = &counts{text: program.Source(file), visits: make(map[place]int64)}
		if p.files == nil {
			p.files = make(map[string]*counts)
		}
		p.files[name] = c
	}
	return c
}

// File is what is known of one file.
type File struct {
	Name      string
	Text      string
	Lines     []Line // those that count, in order
	Functions []Function
}

// Line is a line on which something begins.
type Line struct {
	Number int
	Count  int64 // visits of what was visited most on the line
	// Partly says that something on the line was run and something was not.
	Partly bool
}

// Function is a function and how often it was called.
type Function struct {
	Name         string
	Line, Column int
	Count        int64
}

// Files returns the files, by name.
func (p *Profile) Files() []File {
	var files []File
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		files = append(files, p.files[name].file(name))
	}
	return files
}

func (c *counts) file(name string) File {
	f := File{Name: name, Text: c.text}
	places := slices.SortedFunc(maps.Keys(c.visits), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column), strings.Compare(a.function, b.function))
	})
	for _, at := range places {
		if at.function != "" {
			f.Functions = append(f.Functions, Function{at.function, at.line, at.column, c.visits[at]})
			continue
		}
		f.add(at.line, c.visits[at])
	}
	return f
}

// add counts a statement, which stands behind all that were added before.
func (f *File) add(line int, count int64) {
	if n := len(f.Lines); n == 0 || f.Lines[n-1].Number != line {
		f.Lines = append(f.Lines, Line{Number: line, Count: count})
		return
	}
	l := &f.Lines[len(f.Lines)-1]
	l.Partly = l.Partly || (l.Count == 0) != (count == 0)
	l.Count = max(l.Count, count)
}

// Covered returns how many lines were run, of how many.
func (f *File) Covered() (covered, total int) {
	for _, l := range f.Lines {
		if l.Count > 0 {
			covered++
		}
	}
	return covered, len(f.Lines)
}

// Percent returns how much of all lines was run, 100 if there are none.
func (p *Profile) Percent() float64 {
	covered, total := 0, 0
	for _, f := range p.Files() {
		c, t := f.Covered()
		covered, total = covered+c, total+t
	}
	return percent(covered, total)
}

func percent(covered, total int) float64 {
	if total == 0 {
		return 100
	}
	return 100 * float64(covered) / float64(total)
}
