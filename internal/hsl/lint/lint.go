// Package lint finds what is wrong, or probably wrong, in scripts without
// running them.
//
// Check compiles a script against the library of the phase that will run it.
// The mistakes that the compiler reports become findings, each with the rule that
// it breaks, and so do its warnings. To them come findings about what is allowed
// and rarely meant, such as a function that hides a builtin. A script that does
// not compile has no warnings yet.
//
// Findings are written as text for people, as JSON, and as SARIF 2.1.0 for the
// programs that show them beside the source. Document is the form in which the
// packer of configurations and editors ask and are answered.
package lint

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Severity says how bad a finding is.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"   // the script is refused
	SeverityWarning Severity = "warning" // the script runs, and may not do what is meant
)

// Rule is a kind of finding.
type Rule struct {
	ID       string
	Severity Severity
	Doc      string
}

// Rules are all rules.
var Rules = []Rule{
	{"syntax", SeverityError, "The source cannot be read or compiled."},
	{"unknown-function", SeverityError, "A function or class is called that does not exist."},
	{"phase-function", SeverityError, "A function is called that another phase has and this one has not."},
	{"argument-count", SeverityError, "A function is called with too few or too many arguments."},
	{"missing-file", SeverityError, "A file that is included or imported cannot be read."},
	{"undeclared-variable", SeverityWarning, "A variable is read that nothing assigns in its function."},
	{"unreachable-code", SeverityWarning, "A statement is never reached."},
	{"shadowed-builtin", SeverityWarning, "A function, class or import hides a builtin of that name."},
	{"warning", SeverityWarning, "The compiler warns."},
}

// RuleOf returns the rule of that ID.
func RuleOf(id string) Rule {
	i := slices.IndexFunc(Rules, func(r Rule) bool { return r.ID == id })
	return Rules[i]
}

// Finding is one thing found.
type Finding struct {
	Rule Rule
	*syntax.Error
}

// Options are what scripts are checked against.
type Options struct {
	// Library is what the script will find.
	Library *value.Library
	Loader  resolve.Loader
	// Phase names the phase of Library in messages; "" if there is none.
	Phase string
	// Elsewhere returns the phases that have a function which Library lacks; nil
	// when nobody knows.
	Elsewhere func(function string) []string
}

// Check returns what is wrong in a script and the files that it includes and
// imports, in order of their places.
func Check(name, text string, o Options) []Finding {
	var findings []Finding
	program, err := hsl.Compile(name, text, hsl.Options{Library: o.Library, Loader: o.Loader})
	var mistakes hsl.Errors
	if errors.As(err, &mistakes) {
		for _, e := range mistakes {
			findings = append(findings, o.mistake(e))
		}
		return findings
	}
	for _, e := range program.Warnings() {
		findings = append(findings, Finding{RuleOf(classify(e.Message, warningRules, "warning")), e})
	}
	findings = append(findings, shadowing(name, text, o.Library)...)
	slices.SortStableFunc(findings, func(a, b Finding) int { return compare(a.Position, b.Position) })
	return findings
}

func compare(a, b syntax.Position) int {
	if c := strings.Compare(a.File, b.File); c != 0 {
		return c
	}
	if a.Line != b.Line {
		return a.Line - b.Line
	}
	return a.Column - b.Column
}

// sign is how the message of a rule is recognised.
type sign struct {
	rule    string
	message *regexp.Regexp
}

var (
	mistakeRules = []sign{
		{"unknown-function", regexp.MustCompile(`^unknown (function|class)|has no function or class`)},
		{"argument-count", regexp.MustCompile(`: \d+ too few: want |: too many arguments: want `)},
		{"missing-file", regexp.MustCompile(`^"[^"]*": `)},
	}
	warningRules = []sign{
		{"undeclared-variable", regexp.MustCompile(`is never assigned here$`)},
		{"unreachable-code", regexp.MustCompile(`^this is never reached$`)},
	}
	unknownFunction = regexp.MustCompile(`^unknown function (\w+)$`)
)

func classify(message string, signs []sign, otherwise string) string {
	for _, s := range signs {
		if s.message.MatchString(message) {
			return s.rule
		}
	}
	return otherwise
}

// mistake makes a finding of an error of the compiler, and says of an unknown
// function where it is known.
func (o *Options) mistake(e *syntax.Error) Finding {
	m := unknownFunction.FindStringSubmatch(e.Message)
	if m == nil || o.Elsewhere == nil {
		return Finding{RuleOf(classify(e.Message, mistakeRules, "syntax")), e}
	}
	phases := o.Elsewhere(m[1])
	if len(phases) == 0 {
		return Finding{RuleOf("unknown-function"), e}
	}
	told := *e
	where := "here"
	if o.Phase != "" {
		where = "in phase " + o.Phase
	}
	told.Message = "function " + m[1] + " does not exist " + where + ", but in " + strings.Join(phases, ", ")
	return Finding{RuleOf("phase-function"), &told}
}

// shadowing returns the declarations of a script that hide a builtin. Files that
// it includes are scripts of their own.
func shadowing(name, text string, l *value.Library) []Finding {
	sources := &syntax.Sources{}
	file, err := sources.Add(name, text, nil)
	if err != nil {
		return nil
	}
	script, _ := syntax.Parse(sources, file)
	var findings []Finding
	hides := func(at syntax.Pos, what, name string) {
		if l.Function(name) == nil {
			return
		}
		e := sources.Errorf(at, "%s %s hides the builtin of that name", what, name)
		e.Warning = true
		findings = append(findings, Finding{RuleOf("shadowed-builtin"), e})
	}
	for _, s := range script.Statements {
		switch s := s.(type) {
		case *syntax.FunctionDecl:
			hides(s.Function.Pos, "function", s.Function.Name)
		case *syntax.ClassDecl:
			hides(s.Pos, "class", s.Name)
		case *syntax.ImportStmt:
			for _, sym := range s.Symbols {
				if !sym.Variable {
					hides(sym.Pos, "import", sym.Alias)
				}
			}
		}
	}
	return findings
}
