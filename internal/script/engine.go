// Package script is mail as scripts see it: it runs HSL in the phases of a
// session and of the queue.
//
// An Engine compiles the hooks of one configuration and hands out a Session per
// virtual server and a Queue, which implement the hooks that packages session
// and queue declare. Each phase has a file-sized table of the functions that it
// offers and one function that makes its variables; a deciding function ends
// the script with the verdict that the engine wants, so the language knows
// nothing of verdicts and the engine nothing of HSL.
//
// Variables are made only when the script mentions them. $context is carried
// from hook to hook by a cell that the connection, or the attempt, keeps.
//
// A script runs on the goroutine of its session or worker while it has a place
// in a Pool, of which servers, pre-delivery and post-delivery have different
// ones, and gives the place up while it waits for anything. So a slow script
// stalls nobody else: waiting costs no place, and computing is cut into turns.
// An error ends as spec hsl-phases.md 1.3 says for its phase and is reported as
// an event.
package script

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// Source is the scripts of a configuration.
type Source struct {
	// Hooks are the texts by phase and id: Hooks["eod"]["default"].
	Hooks map[string]map[string]string
	// PreDelivery and PostDelivery are texts; empty: there is none.
	PreDelivery, PostDelivery string
	// Files are what scripts include and import.
	Files Files
	// Root is the folder of the system below which file:// paths lie; empty:
	// there are none.
	Root string
}

// Options are what an Engine is built from.
type Options struct {
	Source  Source
	Library *value.Library // what scripts find in every phase
	Mail    *mail.Kit      // the classes of messages; nil: those that need nothing
	// Contents opens queued messages for $message["file"]; nil: it is absent.
	Contents Contents
	Modules  resolve.Modules // what extras:// names; nil: there are none
	Process  *value.Process  // shared memory and cache; survives reloads
	Limits   value.Limits
	Queue    QueueRuns
	// Debug is called at break points, and with the point ExceptionPoint when an
	// exception has ended a script. Nil: break points are passed over.
	Debug  func(ctx context.Context, phase, transaction string, s *value.Stop)
	Events Events
}

// Events are facts that leave the engine. Nil fields are not called.
type Events struct {
	// Failed is called when a script has ended with an error; detail is a line
	// with its message, place and stack.
	Failed func(phase, id, transaction, detail string)
	// Cancelled is called when a script was ended because nobody wants its
	// result any more.
	Cancelled func(phase, id, transaction string, cause error)
	// Logged is called for each message that a script writes to the system log,
	// with its severity of syslog, 0 emergency to 7 debug.
	Logged func(severity int, message string)
	// Ran is called for each script that has ended, unless it was cancelled.
	Ran func(failed bool)
	// Echoed is called for each text that a script echoes.
	Echoed func(phase, id, transaction, text string)
}

// Engine holds the compiled scripts of one configuration. It is immutable and
// safe for concurrent use.
type Engine struct {
	options  Options
	programs map[string]map[string]*Program // by phase and id
}

// Program is a compiled hook.
type Program struct {
	Phase string
	ID    string
	*hsl.Program
}

// New compiles all scripts. The error names every mistake of every script.
func New(o Options) (*Engine, error) {
	if o.Mail == nil {
		o.Mail = mail.New(mail.Options{})
	}
	o.Library = o.Mail.Library(o.Library)
	e := &Engine{options: o, programs: map[string]map[string]*Program{}}
	var errs []error
	add := func(phase, id, text string) {
		p, err := e.compile(phase, id, text)
		if err != nil {
			errs = append(errs, err)
			return
		}
		if e.programs[phase] == nil {
			e.programs[phase] = map[string]*Program{}
		}
		e.programs[phase][id] = p
	}
	for _, phase := range slices.Sorted(maps.Keys(o.Source.Hooks)) {
		for _, id := range slices.Sorted(maps.Keys(o.Source.Hooks[phase])) {
			add(phase, id, o.Source.Hooks[phase][id])
		}
	}
	for phase, text := range map[string]string{predelivery: o.Source.PreDelivery, postdelivery: o.Source.PostDelivery} {
		if text != "" {
			add(phase, phase, text)
		}
	}
	return e, errors.Join(errs...)
}

const (
	predelivery  = "predelivery"
	postdelivery = "postdelivery"
)

func (e *Engine) compile(phase, id, text string) (*Program, error) {
	lib, ok := e.library(phase)
	if !ok {
		return nil, fmt.Errorf("script: there is no phase %q", phase)
	}
	name := phase + "/" + id + ".hsl"
	p, err := hsl.Compile(name, text, hsl.Options{Library: lib, Loader: resolve.AddOns{Modules: e.options.Modules, Files: e.options.Source}})
	if err != nil {
		return nil, err
	}
	return &Program{Phase: phase, ID: id, Program: p}, nil
}

// Program returns the script of that phase and id, or nil.
func (e *Engine) Program(phase, id string) *Program { return e.programs[phase][id] }

// library is what a script of the phase sees.
func (e *Engine) library(phase string) (*value.Library, bool) {
	d, ok := declarations[phase]
	if !ok {
		return nil, false
	}
	return value.NewLibrary(e.options.Library, d), true
}

// execution is one run of a hook.
type execution struct {
	runs        *runs
	priority    uint8
	check       checker // nil: the script is always wanted
	host        any
	transaction string
	context     *cell // $context; nil where it is not set
	variables   func(name string) value.Value
}

// predeclared are the variables that some phase has besides $context.
var predeclared = [...]string{"arguments", "connection", "transaction", "message"}

// run runs a script as soon as its pool has room. The error is a *value.Exit
// when a function ended it.
func (e *Engine) run(ctx context.Context, p *Program, x *execution) error {
	counters := x.runs.metrics
	defer counters.Finished.Inc()
	var turn value.Turn
	if x.runs.pool != nil {
		s, err := x.runs.pool.enter(ctx, x.priority, counters, x.check)
		if err != nil {
			return &value.Cancelled{Cause: err}
		}
		defer s.leave()
		turn = s
	} else {
		counters.Running.Inc()
		defer counters.Running.Dec()
	}
	result, err := p.Run(ctx, e.execution(p, x, turn))
	if err == nil && result.Exit != nil {
		err = result.Exit
	}
	e.ran(err)
	return err
}

// ran reports the end of a script.
func (e *Engine) ran(err error) {
	if e.options.Events.Ran == nil {
		return
	}
	var exit *value.Exit
	var cancelled *value.Cancelled
	if !errors.As(err, &cancelled) {
		e.options.Events.Ran(err != nil && !errors.As(err, &exit))
	}
}

// execution makes what the program begins with. Variables that the script does
// not mention are not made.
func (e *Engine) execution(p *Program, x *execution, turn value.Turn) hsl.Execution {
	exec := hsl.Execution{Setup: value.Setup{
		Limits: e.options.Limits, Process: e.options.Process, Host: x.host, Transaction: x.transaction, Turn: turn,
		Echo: func(text string) { e.echoed(p, x.transaction, text) },
	}}
	exec.Limits.Time = x.runs.time
	if debug := e.options.Debug; debug != nil {
		exec.Debug = func(ctx context.Context, s *value.Stop) { debug(ctx, p.Phase, x.transaction, s) }
	}
	for _, name := range predeclared {
		if !p.Uses(name) {
			continue
		}
		if exec.Variables == nil {
			exec.Variables = map[string]value.Value{}
		}
		exec.Variables[name] = x.variables(name)
	}
	if x.context != nil && p.Uses("context") {
		if exec.Variables == nil {
			exec.Variables = map[string]value.Value{}
		}
		exec.Variables["context"] = x.context.v
		exec.Keep = func(get func(string) value.Value) { x.context.v = get("context") }
	}
	return exec
}

func (e *Engine) echoed(p *Program, transaction, text string) {
	if e.options.Events.Echoed != nil {
		e.options.Events.Echoed(p.Phase, p.ID, transaction, text)
	}
}

// failed reports a script that ended with an error, and counts it. The end of
// the client, or of the process, is no mistake of the script.
func (e *Engine) failed(p *Program, r *runs, transaction string, err error) {
	var cancelled *value.Cancelled
	if errors.As(err, &cancelled) {
		if e.options.Events.Cancelled != nil {
			e.options.Events.Cancelled(p.Phase, p.ID, transaction, cancelled.Cause)
		}
		return
	}
	r.metrics.Errors.Inc()
	if e.options.Debug != nil {
		e.options.Debug(context.Background(), p.Phase, transaction, thrownStop(err))
	}
	if e.options.Events.Failed != nil {
		e.options.Events.Failed(p.Phase, p.ID, transaction, describe(err))
	}
}

// ExceptionPoint is the name of the break point, and of the variable there, that
// stands for the end of a script by an exception (spec hsl-language.md 12).
const ExceptionPoint = "__throw"

// thrownStop is what a debugger is told of the end of a script.
func thrownStop(err error) *value.Stop {
	s := &value.Stop{Point: ExceptionPoint}
	var failure *hsl.Error
	message := err.Error()
	if errors.As(err, &failure) {
		s.Stack, message = failure.Stack, failure.Message
	}
	s.Variables = []value.Named{{Name: ExceptionPoint, Value: record("uncaught", value.True, "message", value.String(message))}}
	return s
}

// describe says on one line what went wrong, and where the script was.
func describe(err error) string {
	var failure *hsl.Error
	text := err.Error()
	if !errors.As(err, &failure) || len(failure.Stack) < 2 {
		return text
	}
	var b strings.Builder
	b.WriteString(text)
	for i, at := range failure.Stack {
		name := at.Function
		if name == "" {
			name = "top level"
		}
		fmt.Fprintf(&b, "%s %s at %s", [...]string{" (in", ","}[min(i, 1)], name, at)
	}
	return b.String() + ")"
}

// declarations are what each phase adds to the library.
var declarations = map[string]value.Declarations{
	session.PhaseConnect.String():    {Builtins: connectBuiltins, Variables: sessionVariables},
	session.PhaseProxy.String():      {Builtins: proxyBuiltins, Variables: sessionVariables},
	session.PhaseHelo.String():       {Builtins: heloBuiltins, Variables: sessionVariables},
	session.PhaseAuth.String():       {Builtins: authBuiltins, Variables: sessionVariables},
	session.PhaseMailFrom.String():   {Builtins: mailBuiltins, Variables: sessionVariables},
	session.PhaseRcptTo.String():     {Builtins: rcptBuiltins, Variables: sessionVariables},
	session.PhaseEndOfData.String():  {Builtins: eodBuiltins, Variables: sessionVariables, Classes: []*value.Class{mail.EODClass}},
	session.PhaseDisconnect.String(): {Builtins: disconnectBuiltins, Variables: sessionVariables},
	predelivery:                      {Builtins: predeliveryBuiltins, Variables: queueVariables(false)},
	postdelivery:                     {Builtins: postdeliveryBuiltins, Variables: queueVariables(true)},
}

var sessionVariables = []*value.Variable{
	{Name: "arguments", ReadOnly: true, Type: value.ArrayType, Doc: "what the phase is about"},
	{Name: "connection", ReadOnly: true, Type: value.ArrayType, Doc: "the client"},
	{Name: "transaction", ReadOnly: true, Type: value.ArrayType, Doc: "the message under way"},
	{Name: "context", Type: value.AnyType, Doc: "kept from hook to hook of a connection"},
}

func queueVariables(readOnlyContext bool) []*value.Variable {
	return []*value.Variable{
		{Name: "arguments", ReadOnly: true, Type: value.ArrayType, Doc: "what the phase is about"},
		{Name: "message", ReadOnly: true, Type: value.ArrayType, Doc: "the queue entry"},
		{Name: "context", ReadOnly: readOnlyContext, Type: value.AnyType, Doc: "handed from predelivery to postdelivery"},
	}
}
