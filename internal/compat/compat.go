// Package compat keeps account of what of Halon's surface this tree offers: each
// configuration key, command, option, metric, phase variable and function with
// works, differs or not yet, as printed in docs/compatibility.md.
//
// The facts stand in data/*.yaml, one to a line. A fact that names a test works;
// one with a reason under "differs" is there and behaves otherwise on purpose;
// any other is not yet there:
//
//   - {name: "spool.fsync", test: "internal/spool.TestSync"}
//   - {name: "cluster.port", differs: "clusters need no clusterd"}
//   - {name: "cluster.id"}
//
// Settings come from the schemas, and the data holds only what there is to say
// about them: one that nothing obeys, by the status beside its schema, cannot be
// said to work. The tests of this package keep the rest honest. A test that is
// named must exist; metrics are compared with the counters declared in the tree,
// commands and options with the programs. To change a line edit the data and run
// `make docs`.
package compat

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

//go:embed data/*.yaml
var data embed.FS

// State says how far a fact has come.
type State int

const (
	NotYet State = iota
	Works
	Differs
)

// Fact is one name of the surface.
type Fact struct {
	Name string `yaml:"name"`
	// Test names what shows it, separated by spaces: PACKAGE.TestName,
	// PACKAGE.TestName/subtest, or a file below a testdata folder.
	Test string `yaml:"test"`
	// Differs says in what and why we behave otherwise.
	Differs string `yaml:"differs"`
	// Note is for the reader.
	Note string `yaml:"note"`
}

// State of the fact.
func (f Fact) State() State {
	switch {
	case f.Differs != "":
		return Differs
	case f.Test != "":
		return Works
	}
	return NotYet
}

// Section is one file of facts.
type Section struct {
	Title string `yaml:"title"`
	About string `yaml:"about"`
	// Source says what the names are compared with: "config KIND", "metrics",
	// "ctl", or nothing.
	Source string `yaml:"source"`
	// Prose: the names are phrases with a markup of their own, not code.
	Prose bool   `yaml:"prose"`
	Facts []Fact `yaml:"facts"`
	file  string
}

// chapters order the files of the account.
var chapters = []struct {
	title string
	files []string
}{
	{"Programs", []string{"programs", "ctl-commands", "ctl-options", "control-protocol"}},
	{"Mail", []string{"smtp", "queue"}},
	{"Configuration", []string{
		"config-format", "config-smtpd", "config-smtpd-app", "config-smtpd-policy", "config-smtpd-suspend", "config-smtpd-delivery",
		"config-halonctl", "config-rated", "config-rated-app", "config-ratectl", "config-dlpd", "config-dlpd-app", "config-dlpctl",
		"config-api", "config-web", "config-web-history", "config-submission", "config-submission-tracking",
		"config-clusterd", "config-policyd", "config-policyd-app", "config-plugins",
	}},
	{"Monitoring", []string{"metrics", "monitor"}},
	{"Scripts", []string{"hsl-keywords", "hsl-variables", "hsl-phases", "hsl-functions", "hsl-classes", "hsl-modules"}},
	{"Certificates and TLS", []string{"certificates"}},
	{"Regression list", []string{"regressions"}},
}

// Sections reads the account, in the order of the page.
func Sections() ([]Section, error) {
	var all []Section
	for _, chapter := range chapters {
		for _, file := range chapter.files {
			s, err := read(file)
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// read parses one file strictly: a mistyped word must not hide a fact.
func read(file string) (Section, error) {
	s := Section{file: file}
	text, err := data.ReadFile("data/" + file + ".yaml")
	if err != nil {
		return s, fmt.Errorf("compat: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return s, fmt.Errorf("compat: data/%s.yaml: %w", file, err)
	}
	if err := s.check(); err != nil {
		return s, err
	}
	if kind, ok := strings.CutPrefix(s.Source, "config "); ok {
		return s, s.overlay(kind)
	}
	return s, nil
}

func (s Section) check() error {
	seen := map[string]bool{}
	for _, f := range s.Facts {
		if f.Name == "" || seen[f.Name] {
			return fmt.Errorf("compat: data/%s.yaml: %q is empty or twice there", s.file, f.Name)
		}
		if strings.ContainsAny(f.Name+f.Differs+f.Note, "\n") {
			return fmt.Errorf("compat: data/%s.yaml: %s takes more than one line", s.file, f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// count returns how many facts are in the state.
func (s Section) count(state State) (n int) {
	for _, f := range s.Facts {
		if f.State() == state {
			n++
		}
	}
	return n
}
