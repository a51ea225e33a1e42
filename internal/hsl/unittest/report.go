package unittest

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// Text writes one result for people. Those that passed are written only if
// verbose.
func Text(w io.Writer, r Result, verbose bool) error {
	if r.Status == Passed && !verbose {
		return nil
	}
	title := r.File
	if r.Name != "" {
		title += ": " + r.Name
	}
	text := fmt.Sprintf("%-4s  %s (%s)\n", r.Status, title, r.Duration.Round(100*time.Microsecond))
	if r.Detail != "" {
		text += indented(r.Detail)
	}
	if r.Status == Failed || verbose {
		for _, line := range r.Echo {
			text += indented("echo: " + line)
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

func indented(text string) string {
	const indent = "      "
	return indent + strings.ReplaceAll(text, "\n", "\n"+indent) + "\n"
}

// The elements of a JUnit report.
type (
	junitSuites struct {
		XMLName  xml.Name `xml:"testsuites"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Skipped  int      `xml:"skipped,attr"`
		Time     string   `xml:"time,attr"`
		Suites   []*junitSuite
	}
	junitSuite struct {
		XMLName  xml.Name `xml:"testsuite"`
		Name     string   `xml:"name,attr"`
		Tests    int      `xml:"tests,attr"`
		Failures int      `xml:"failures,attr"`
		Skipped  int      `xml:"skipped,attr"`
		Time     string   `xml:"time,attr"`
		Cases    []junitCase
		duration time.Duration
	}
	junitCase struct {
		XMLName   xml.Name      `xml:"testcase"`
		Name      string        `xml:"name,attr"`
		Class     string        `xml:"classname,attr"`
		Time      string        `xml:"time,attr"`
		Failure   *junitMessage `xml:"failure"`
		Skipped   *junitMessage `xml:"skipped"`
		SystemOut string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes results, which are in order of their files, in the XML that build
// servers read.
func JUnit(w io.Writer, results []Result) error {
	all := junitSuites{}
	var total time.Duration
	for _, r := range results {
		if n := len(all.Suites); n == 0 || all.Suites[n-1].Name != r.File {
			all.Suites = append(all.Suites, &junitSuite{Name: r.File})
		}
		suite := all.Suites[len(all.Suites)-1]
		suite.add(r)
		all.Tests++
		total += r.Duration
	}
	for _, s := range all.Suites {
		all.Failures += s.Failures
		all.Skipped += s.Skipped
		s.Time = seconds(s.duration)
	}
	all.Time = seconds(total)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(r Result) {
	c := junitCase{Name: r.Name, Class: r.File, Time: seconds(r.Duration), SystemOut: strings.Join(r.Echo, "\n")}
	if c.Name == "" {
		c.Name = "(file)"
	}
	first, _, _ := strings.Cut(r.Detail, "\n")
	switch r.Status {
	case Failed:
		c.Failure = &junitMessage{first, r.Detail}
		s.Failures++
	case Skipped:
		c.Skipped = &junitMessage{first, ""}
		s.Skipped++
	case Passed:
	}
	s.Cases = append(s.Cases, c)
	s.Tests++
	s.duration += r.Duration
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.4f", d.Seconds()) }
