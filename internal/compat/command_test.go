package compat

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/control"
	"github.com/posthaste-mta/posthaste/internal/control/ctl"
)

// TestCommands: a control command that is claimed is there, and one that is there
// stands in the account.
func TestCommands(t *testing.T) {
	program := controlProgram(t)
	section := mustSection(t, "ctl-commands")
	for _, f := range section.Facts {
		if f.State() != NotYet && !understands(program, strings.Fields(f.Name)) {
			t.Errorf("%s: the control program does not know it", f.Name)
		}
	}
	for _, name := range leaves(program, "") {
		if !slices.ContainsFunc(section.Facts, func(f Fact) bool { return f.Name == name }) {
			t.Errorf("ctl %s is there and not in data/ctl-commands.yaml", name)
		}
	}
}

// TestOptions does the same for conditions and columns, and for the flags of the
// commands that list and update.
func TestOptions(t *testing.T) {
	program := controlProgram(t)
	known := map[string]bool{}
	for _, c := range control.Conditions() {
		known["condition --"+c.Field] = true
	}
	for _, c := range control.Columns() {
		known["column "+c.Name] = true
	}
	section := mustSection(t, "ctl-options")
	for _, f := range section.Facts {
		kind, option, _ := strings.Cut(f.Name, " ")
		switch {
		case kind == "condition" && strings.HasPrefix(option, "--"), kind == "column":
			if f.State() != NotYet && !known[f.Name] {
				t.Errorf("%s: the control program does not know it", f.Name)
			}
			delete(known, f.Name)
		case kind == "update" || kind == "list":
			if f.State() != NotYet && !understands(program, []string{"queue", kind, option}) {
				t.Errorf("%s: the control program does not know it", f.Name)
			}
		}
	}
	for name := range known {
		t.Errorf("%s is there and not in data/ctl-options.yaml", name)
	}
}

// understands says whether the words lead to a command that has the flags among
// them.
func understands(root *cobra.Command, words []string) bool {
	var flags []string
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		if strings.HasPrefix(w, "-") {
			flags = append(flags, strings.TrimLeft(w, "-"))
			return true
		}
		return false
	})
	c, rest, err := root.Find(words)
	if err != nil || len(rest) > 0 {
		return false
	}
	for _, f := range flags {
		if len(f) == 1 && c.Flags().ShorthandLookup(f) != nil {
			continue
		}
		if c.Flags().Lookup(f) == nil {
			return false
		}
	}
	return true
}

// leaves lists the commands that do something, without those that cobra adds.
func leaves(c *cobra.Command, path string) (names []string) {
	for _, child := range c.Commands() {
		name := strings.TrimSpace(path + " " + child.Name())
		if child.HasSubCommands() {
			names = append(names, leaves(child, name)...)
		} else if name != "version" {
			names = append(names, name)
		}
	}
	return names
}

// flagWord is an option in the name of a fact.
var flagWord = regexp.MustCompile(`^--?[a-zA-Z]`)

// TestPrograms asks the binary itself for each program and option that is said to
// work.
func TestPrograms(t *testing.T) {
	binary := mustBuild(t)
	for _, f := range mustSection(t, "programs").Facts {
		words := strings.Fields(f.Name)
		if f.State() == NotYet || words[0] != "posthaste" {
			continue
		}
		flag := ""
		if i := slices.IndexFunc(words, flagWord.MatchString); i > 0 {
			words, flag = words[:i], words[i]
		}
		out, err := exec.Command(binary, append(words[1:], "--help")...).Output()
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		if flag != "" && !regexp.MustCompile(`(?m)(^|[ ,])`+flag+`\b`).Match(out) {
			t.Errorf("%s: not among the options that the program lists", f.Name)
		}
	}
}

func controlProgram(t *testing.T) *cobra.Command {
	t.Helper()
	return ctl.New(ctl.Options{Code: func(_ int, err error) error { return err }})
}

func mustSection(t *testing.T, file string) Section {
	t.Helper()
	s, err := read(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
