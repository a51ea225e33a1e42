package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posthaste-mta/posthaste/internal/hsl/lint"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/shell"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/script/extra"
)

type lintFlags struct {
	scriptFlags
	phase  string
	format string
}

// newLintCommand makes hsh lint.
func newLintCommand() *cobra.Command {
	var f lintFlags
	c := &cobra.Command{
		Use:   "lint FILE...",
		Short: "Find mistakes in scripts without running them",
		Long: "Finds functions that do not exist or that the phase does not have, wrong numbers of\n" +
			"arguments, variables that nothing assigns, code that is never reached, and builtins hidden\n" +
			"by functions of their name. Exits with 0 if it finds nothing, 1 if it does, 2 if it cannot look.\n\n" +
			"The phase is that of --phase, or of the folder: hooks/PHASE/NAME.hsl. Other files may be\n" +
			"included anywhere and can use the functions of all phases.",
		Example: "  posthaste hsh lint --phase eod policy.hsl\n  posthaste hsh lint -A dist/smtpd-app.yaml src/hooks/*/*.hsl\n  posthaste hsh lint --format sarif src/hooks/*/*.hsl > lint.sarif",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(c *cobra.Command, files []string) error { return runLint(c, f, files) },
	}
	f.declare(c)
	c.Flags().StringVar(&f.phase, "phase", "", "the `phase` that runs the scripts: "+strings.Join(script.Phases(), ", "))
	c.Flags().StringVar(&f.format, "format", "text", "`format` of the output: text, json or sarif")
	_ = c.RegisterFlagCompletionFunc("phase", cobra.FixedCompletions(script.Phases(), cobra.ShellCompDirectiveNoFileComp)) // both are declared above
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json", "sarif"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func runLint(c *cobra.Command, f lintFlags, names []string) error {
	if f.phase != "" && !slices.Contains(script.Phases(), f.phase) {
		return withCode(exitUsage, fmt.Errorf("there is no phase %q; one of %s", f.phase, strings.Join(script.Phases(), ", ")))
	}
	if !slices.Contains([]string{"text", "json", "sarif"}, f.format) {
		return withCode(exitUsage, fmt.Errorf("there is no format %q; one of text, json, sarif", f.format))
	}
	files, err := f.files(c.InOrStdin())
	if err != nil {
		return withCode(exitUsage, err)
	}
	base := shell.Library(standardLibrary())
	findings := []lint.Finding{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return withCode(exitUsage, err)
		}
		phase := f.phase
		if phase == "" {
			phase = phaseOf(name)
		}
		o := lint.Options{Library: libraryOf(phase, base), Loader: files, Phase: phase, Elsewhere: phasesWith}
		findings = append(findings, lint.Check(name, string(text), o)...)
	}
	return report(c, f.format, distinct(findings))
}

// phaseOf returns the phase of a script in the layout of a project, or "".
func phaseOf(name string) string {
	if path, err := filepath.Abs(name); err == nil {
		name = path
	}
	folder := filepath.Base(filepath.Dir(name))
	id := strings.TrimSuffix(filepath.Base(name), ".hsl")
	switch {
	case filepath.Base(filepath.Dir(filepath.Dir(name))) != "hooks":
		return ""
	case folder == "queue":
		folder = id
	}
	if slices.Contains(script.Phases(), folder) {
		return folder
	}
	return ""
}

// libraryOf returns what the scripts of a phase find; "" stands for any.
func libraryOf(phase string, base *value.Library) *value.Library {
	if l, ok := script.Library(phase, base); ok {
		return l
	}
	return script.AnyPhase(base)
}

// phasesWith returns the phases that have a function of their own of that name.
func phasesWith(function string) []string {
	var phases []string
	for _, phase := range script.Phases() {
		if l, _ := script.Library(phase, nil); l.Function(function) != nil {
			phases = append(phases, phase)
		}
	}
	return phases
}

// distinct drops findings in a file that several scripts import.
func distinct(findings []lint.Finding) []lint.Finding {
	seen := map[string]bool{}
	return slices.DeleteFunc(findings, func(f lint.Finding) bool {
		text := f.Error.Error()
		defer func() { seen[text] = true }()
		return seen[text]
	})
}

// report writes the findings, and fails if there are some.
func report(c *cobra.Command, format string, findings []lint.Finding) (err error) {
	switch format {
	case "json":
		err = lint.JSON(c.OutOrStdout(), findings)
	case "sarif":
		err = lint.SARIF(c.OutOrStdout(), findings, version())
	default:
		err = lint.Text(c.OutOrStdout(), findings)
	}
	if err == nil && len(findings) > 0 {
		err = fmt.Errorf("%d findings", len(findings))
		if len(findings) == 1 {
			err = fmt.Errorf("1 finding")
		}
	}
	return err
}

// newHSLLintCommand makes the program that packers and editors ask about a hook
// (spec operations.md 8.2).
func newHSLLintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hsl-lint",
		Short: "Check a hook that comes with its files in a document on standard input",
		Long: "Reads a YAML document {phase, data, files: [{id, data, binary}]} and compiles data as a hook of\n" +
			"the phase. Exits with 0 if it is fine, with 1 and an object {file, line, column, message, path} in\n" +
			"JSON on standard error if it is not, and with 2 if it cannot tell.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return lintDocument(c) },
	}
}

func lintDocument(c *cobra.Command) error {
	d, err := lint.ReadDocument(c.InOrStdin())
	if err != nil {
		return withCode(exitUsage, err)
	}
	if d.Phase != "" && !slices.Contains(script.Phases(), d.Phase) {
		return withCode(exitUsage, fmt.Errorf("there is no phase %q", d.Phase))
	}
	contents, err := d.Contents()
	if err != nil {
		return withCode(exitUsage, err)
	}
	fine, err := d.Check(c.ErrOrStderr(), libraryOf(d.Phase, standardLibrary()), resolve.AddOns{Modules: extra.New(extra.Options{}), Files: script.Files(contents)})
	if err != nil {
		return withCode(exitUsage, err)
	}
	if !fine {
		return withCode(exitFailed, errSaid)
	}
	return nil
}
