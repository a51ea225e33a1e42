package shell

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Session evaluates inputs one after the other. It is not safe for concurrent
// use.
type Session struct {
	options   Options
	variables map[string]value.Value
	declared  []declaration
	inputs    int
}

// programName is the file that puts an input and the declarations together.
const programName = "hsh"

// NewSession returns a session in which nothing has been said.
func NewSession(o Options) *Session {
	if o.Process == nil {
		o.Process = value.NewProcess(0)
	}
	return &Session{options: o, variables: make(map[string]value.Value)}
}

// Eval compiles and runs an input. It returns the value of the expression that
// the input ends with; none if it ends otherwise or is an assignment. Errors are
// those of Script.
func (s *Session) Eval(ctx context.Context, input string) (value.Value, error) {
	s.inputs++
	name := fmt.Sprintf("input %d", s.inputs)
	r := &reader{loader: s.options.Loader, mentions: make(map[string]bool)}
	tree := r.read(name, input)
	run := s.compose(name, tree, r)
	p, err := hsl.Compile(programName, run.main, hsl.Options{Library: run.library, Loader: run.files})
	if err != nil {
		return value.None, run.restore(err)
	}
	s.declared = append(run.earlier, r.found...)
	result, err := p.Run(ctx, hsl.Execution{
		Setup:     s.options.setup(),
		Variables: s.variables,
		Keep: func(get func(string) value.Value) {
			for _, v := range run.variables {
				if p.Uses(v) {
					s.keep(v, get(v))
				}
			}
		},
	})
	if err != nil {
		return value.None, run.restore(err)
	}
	if run.returns == 0 {
		return value.None, nil
	}
	return result.Value, nil
}

func (s *Session) keep(name string, v value.Value) {
	if v.IsUndefined() {
		delete(s.variables, name)
		return
	}
	s.variables[name] = v
}

// Variables returns the names of the variables that are set, without dollar
// signs, in order.
func (s *Session) Variables() []string { return slices.Sorted(maps.Keys(s.variables)) }

// Declared returns the names of functions, classes and namespaces that inputs
// have declared.
func (s *Session) Declared() []string {
	var names []string
	for _, d := range s.declared {
		for _, n := range d.names {
			if !strings.HasPrefix(n, "$") {
				names = append(names, n)
			}
		}
	}
	return names
}

// program is what an input is compiled as.
type program struct {
	name      string // of the input
	main      string
	files     *fragments
	library   *value.Library
	variables []string // predeclared
	earlier   []declaration
	returns   int // line of the input where a return was put in, or 0
	column    int // and column
}

// returning turns the expression at the end of an input into its result.
const returning = "return "

func (s *Session) compose(name string, tree *parsed, r *reader) *program {
	p := &program{name: name, files: &fragments{loader: s.options.Loader, texts: map[string]string{}, from: map[string]string{}}}
	var names []string
	for _, d := range r.found {
		names = append(names, d.names...)
	}
	p.earlier = without(s.declared, names)
	for i, d := range p.earlier {
		id := fragmentName(i)
		p.files.texts[id], p.files.from[id] = d.text, d.from
		names = append(names, d.names...)
		r.mention(d.text) // functions have globals
		p.main += "include \"" + id + "\";"
	}
	p.main += "include \"" + name + "\";"
	p.files.texts[name] = p.returnLast(tree)
	p.predeclare(s, r.mentions, names)
	return p
}

// returnLast returns the input with a return before its last expression.
func (p *program) returnLast(tree *parsed) string {
	n := len(tree.statements) - 1
	if n < 0 || len(tree.errors) > 0 || !shown(tree.statements[n]) {
		return tree.text
	}
	at := tree.offset(n)
	position := tree.sources.Position(tree.statements[n].Position())
	p.returns, p.column = position.Line, position.Column
	return tree.text[:at] + returning + tree.text[at:]
}

// shown reports whether a statement is an expression whose value people want to
// see.
func shown(s syntax.Stmt) bool {
	x, ok := s.(*syntax.ExprStmt)
	if !ok {
		return false
	}
	switch x.X.(type) {
	case *syntax.AssignExpr, *syntax.Destructure, *syntax.IncDec, *syntax.UnsetExpr:
		return false
	}
	return true
}

// predeclare makes variables of the program of those that are set or mentioned,
// unless an import declares them.
func (p *program) predeclare(s *Session, mentions map[string]bool, declared []string) {
	names := maps.Clone(mentions)
	for name := range s.variables {
		names[name] = true
	}
	delete(names, "this")
	var variables []*value.Variable
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !slices.Contains(declared, "$"+name) {
			p.variables = append(p.variables, name)
			variables = append(variables, &value.Variable{Name: name, Type: value.AnyType})
		}
	}
	p.library = value.NewLibrary(s.options.Library, value.Declarations{Variables: variables})
}

// restore makes the places in an error those of the input as it was typed.
func (p *program) restore(err error) error {
	var mistakes hsl.Errors
	if errors.As(err, &mistakes) {
		for _, e := range mistakes {
			if e.Within != nil && e.Within[len(e.Within)-1].File == programName {
				e.Within = e.Within[:len(e.Within)-1]
			}
			if p.moved(e.File, e.Line, &e.Column) {
				e.Source, e.Caret = unreturned(e.Source, e.Caret)
			}
		}
	}
	var failure *hsl.Error
	if errors.As(err, &failure) {
		for i := range failure.Stack {
			at := &failure.Stack[i]
			if p.moved(at.File, at.Line, &at.Column) && i == 0 {
				failure.Source, failure.Caret = unreturned(failure.Source, failure.Caret)
			}
		}
	}
	return err
}

// moved takes the return that was put in out of a column, and reports whether it
// stands on that line.
func (p *program) moved(file string, line int, column *int) bool {
	if file != p.name || line != p.returns {
		return false
	}
	if *column >= p.column+len(returning) {
		*column -= len(returning)
	}
	return true
}

func unreturned(source string, caret int) (string, int) {
	at := strings.LastIndex(source[:caret], returning)
	if at < 0 {
		return strings.Replace(source, returning, "", 1), caret
	}
	return source[:at] + source[at+len(returning):], caret - len(returning)
}

// State says what an input is.
type State int

// States of inputs.
const (
	Complete   State = iota // can be evaluated, or has a mistake in it
	Incomplete              // goes on in the next line
	Unended                 // lacks the semicolon at its end
)

// Judge looks whether an input is complete.
func Judge(input string) State {
	p, err := parse(programName, input)
	if err == nil {
		return Complete
	}
	if _, err := parse(programName, input+"\n;"); err == nil && strings.HasPrefix(p.errors[0].Message, `want ";"`) {
		return Unended
	}
	end := len(strings.TrimRight(input, " \t\r\n"))
	for _, e := range p.errors {
		if strings.HasSuffix(e.Message, "got end of file") || strings.Contains(e.Message, "is not closed") && e.Message != "regular expression is not closed" {
			return Incomplete
		}
		if offsetOf(input, e.Position) >= end {
			return Incomplete
		}
	}
	return Complete
}

// Show returns a value as an input could spell it.
func Show(v value.Value) string {
	if v.IsString() {
		return string(value.AppendQuoted(nil, v.Str()))
	}
	return v.Text()
}
