// Package shell runs scripts for people at a command line: a whole script, or an
// interactive session of one input after the other.
//
// Script compiles and runs a text and prints what it echoes. Files finds what it
// includes and imports: on disk beside the script, in the folder of file://
// paths, and among the files of a configuration.
//
// A Session evaluates inputs one by one. Each is a program of its own, made of
// three parts: the functions, classes and imports of earlier inputs, the input,
// and the variables, which are predeclared for the program, set before it runs and
// read when it has ended. So an input sees all that came before, and a mistake in
// it harms nothing. What a program holds open, such as a socket, is closed when
// its input has ended; static variables of classes and variables of modules begin
// anew with each input.
//
// A Console is a Session on a terminal, with line editing, history and completion
// of names.
package shell

import (
	"context"
	"io"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Options are what scripts run with.
type Options struct {
	Library *value.Library
	Loader  resolve.Loader // of files; nil: there are none
	Process *value.Process // shared memory and cache; nil: each run has its own
	Limits  value.Limits
	Output  io.Writer // of echo
	// Raw writes what is echoed as it is. Otherwise a line break follows each
	// echo, and bytes that are no UTF-8 are replaced.
	Raw bool
	// Debug is called at break points; nil passes over them.
	Debug func(context.Context, *value.Stop)
}

// argv is the variable that holds what a script was called with.
const argv = "argv"

// Library returns what scripts find that are run here: base, and $argv.
func Library(base *value.Library) *value.Library {
	return value.NewLibrary(base, value.Declarations{Variables: []*value.Variable{
		{Name: argv, Type: value.ArrayType, Doc: "name of the script, and the arguments behind it on the command line"},
	}})
}

// Script compiles and runs a script. It finds arguments in $argv, behind its own
// name. The error is an hsl.Errors for mistakes in the source, otherwise as of
// hsl.Program.Run.
func Script(ctx context.Context, name, text string, arguments []string, o Options) error {
	p, err := hsl.Compile(name, text, hsl.Options{Library: Library(o.Library), Loader: o.Loader})
	if err != nil {
		return err
	}
	_, err = p.Run(ctx, hsl.Execution{
		Setup:     o.setup(),
		Variables: map[string]value.Value{argv: value.FromArray(value.Strings(append([]string{name}, arguments...)))},
	})
	return err
}

func (o *Options) setup() value.Setup {
	return value.Setup{Limits: o.Limits, Process: o.Process, Echo: o.echo, Debug: o.Debug}
}

// echo writes at once: people look at it, and programs wait for it. What cannot
// be written is lost, like everything that is printed to a closed pipe.
func (o *Options) echo(text string) {
	if !o.Raw {
		text = strings.ToValidUTF8(text, "\uFFFD") + "\n"
	}
	_, _ = io.WriteString(o.Output, text)
}
