package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/hsl/coverage"
)

// coverageFlags are the reports of hsh test on the lines that tests run.
type coverageFlags struct {
	text  bool
	html  string
	lcov  string
	least float64
}

func (f *coverageFlags) declare(c *cobra.Command) {
	flags := c.Flags()
	flags.BoolVar(&f.text, "coverage", false, "count the lines of scripts that the tests run, and list those that they do not")
	flags.StringVar(&f.html, "coverage-html", "", "write the counted lines as a page to the `file`")
	flags.StringVar(&f.lcov, "coverage-lcov", "", "write the counted lines in the format of lcov to the `file`")
	flags.Float64Var(&f.least, "coverage-min", 0, "fail when less than `percent` of the lines were run")
}

// profile returns what collects the lines, or nil when nobody wants to know. Test
// files are no scripts under test. Files of a configuration that is a folder on
// disk are shown by their paths, so that other programs find them.
func (f *coverageFlags) profile(tree string) *coverage.Profile {
	if !f.text && f.html == "" && f.lcov == "" && f.least == 0 {
		return nil
	}
	return &coverage.Profile{Name: func(file string) string {
		if strings.HasSuffix(file, testSuffix) {
			return ""
		}
		if id, ok := strings.CutPrefix(file, "file:"); ok && !strings.HasPrefix(id, "//") {
			return filepath.Join(tree, id)
		}
		return file
	}}
}

// report writes the reports that were asked for.
func (f *coverageFlags) report(out io.Writer, p *coverage.Profile) error {
	if p == nil {
		return nil
	}
	var failed []error
	if f.text {
		failed = append(failed, p.Text(out))
	}
	if f.html != "" {
		failed = append(failed, writeReport(f.html, p.HTML))
	}
	if f.lcov != "" {
		failed = append(failed, writeReport(f.lcov, p.LCOV))
	}
	if err := errors.Join(failed...); err != nil {
		return withCode(exitUsage, err)
	}
	if got := p.Percent(); got < f.least {
		return fmt.Errorf("%.1f%% of the lines were run, and %.1f%% are wanted", got, f.least)
	}
	return nil
}
