// Package hsl compiles and runs scripts in HSL, the scripting language of the
// mail transfer agent, and knows nothing of mail.
//
// A script goes through passes: package syntax makes a tree of the text, resolve
// says what its names mean and reads what it includes and imports, compile makes
// code for the machine of package vm. Values and what builtins are made of are in
// package value, the builtins that need no mail in stdlib.
//
//	prog, err := hsl.Compile("hook:eod", text, hsl.Options{Library: lib, Loader: files})
//	result, err := prog.Run(ctx, hsl.Execution{Variables: …})
//
// A Program is immutable and may be run by any number of goroutines at once.
// What they share, cached calls and shared memory, is the value.Process that the
// executions are given.
//
// A script can be stopped by its context at any time, and by limits
// (value.Limits); it cannot stop the process.
package hsl

import (
	"context"

	"github.com/posthaste-mta/posthaste/internal/hsl/compile"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/syntax"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/hsl/vm"
)

// Options are what a script is compiled against.
type Options struct {
	// Library holds the functions, classes and variables that the script finds.
	Library *value.Library
	// Loader finds files that the script includes and imports; nil finds none.
	Loader resolve.Loader
	// Coverage has the program count how often its statements and functions are
	// reached (Program.Visits), which makes it slower.
	Coverage bool
}

// Errors are the mistakes in a script, in order of their places. Each has its
// source line; Detail shows all of that.
type Errors = syntax.Errors

// Program is a compiled script with all that it imports.
type Program struct {
	compiled *compile.Program
	warnings syntax.Errors
}

// Compile compiles the script text, which messages call name. An error is of
// type Errors and names all mistakes that were found.
func Compile(name, text string, opts Options) (*Program, error) {
	resolved, errs := resolve.Resolve(name, text, resolve.Options{Library: opts.Library, Loader: opts.Loader})
	if len(errs) > 0 {
		return nil, errs
	}
	compiled, errs := compile.Compile(resolved, compile.Options{Marks: opts.Coverage})
	if len(errs) > 0 {
		return nil, errs
	}
	return &Program{compiled: compiled, warnings: resolved.Warnings}, nil
}

// Check reports the mistakes of syntax alone; nil if there are none. Names need
// not mean anything, and files need not exist.
func Check(name, text string) error {
	sources := &syntax.Sources{}
	file, err := sources.Add(name, text, nil)
	if err != nil {
		return err
	}
	if _, errs := syntax.Parse(sources, file); len(errs) > 0 {
		return errs
	}
	return nil
}

// Warnings returns what is probably wrong in the script, though it compiles.
func (p *Program) Warnings() Errors { return p.warnings }

// Files returns the names of all files that the program was made of, the script
// itself first.
func (p *Program) Files() []string { return p.compiled.Sources.Names() }

// Disassemble returns the code of the program as text, for those who look into
// what the compiler does.
func (p *Program) Disassemble() string { return compile.Disassemble(p.compiled) }

// Execution is what a run of a program begins with.
type Execution = vm.Options

// Result is how a run ended, if not with an error.
type Result = vm.Result

// Run runs the program. The error is an *Error for an exception that nobody
// caught or for a limit, and a *value.Cancelled when ctx ended the script.
func (p *Program) Run(ctx context.Context, exec Execution) (Result, error) {
	result, err := vm.Run(ctx, p.compiled, exec)
	if err != nil {
		err = p.describe(err)
	}
	return result, err
}
