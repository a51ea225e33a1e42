package unittest

import (
	"errors"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// hook is a hook under way and what it has done so far.
type hook struct {
	calls []value.Value
	echo  []string
}

// result is what run_hook and outcome return.
func (h *hook) result(exit *value.Exit, context value.Value, thrown error) value.Value {
	action, arguments, failure := value.None, value.FromArray(value.NewArray(0)), value.None
	if exit != nil {
		action = value.String(exit.Name)
		arguments, _ = exit.Outcome.(value.Value)
	}
	if thrown != nil {
		failure = value.String(thrown.Error())
	}
	return value.FromArray(value.Map(
		"action", action, "arguments", arguments, "calls", value.FromArray(value.List(h.calls...)),
		"echo", value.FromArray(value.Strings(h.echo)), "context", context, "error", failure,
	))
}

// within calls do as a hook, and returns what the hook did.
func (r *run) within(do func() error) (*hook, error) {
	h := &hook{}
	r.stack = append(r.stack, h)
	defer func() { r.stack = r.stack[:len(r.stack)-1] }()
	return h, do()
}

// outcome swallows the end of the script, unless it is that of the test.
func outcome(c *value.Call) (value.Value, error) {
	h, err := hostOf(c).within(func() error {
		_, err := c.Call(c.Args[0])
		return err
	})
	var exit *value.Exit
	var thrown *value.Throw
	switch {
	case errors.As(err, &exit) && verdictOf(exit) == nil:
		return h.result(exit, value.None, nil), nil
	case err != nil && value.Uncatchable(err):
		return value.None, err
	case errors.As(err, &thrown):
		return h.result(nil, value.None, thrown), nil
	case err != nil:
		return value.None, err
	}
	return h.result(nil, value.None, nil), nil
}

func runHook(c *value.Call) (value.Value, error) {
	r := hostOf(c)
	program, variables, err := r.hook(c)
	if err != nil {
		return value.None, err
	}
	defer r.file.covered(program)
	context := value.None
	var result hsl.Result
	h, err := r.within(func() (err error) {
		result, err = program.Run(c.Context(), hsl.Execution{
			Setup:     r.setup(c.Process),
			Variables: variables,
			Keep: func(get func(string) value.Value) {
				if v := get("context"); v.IsSet() {
					context = v
				}
			},
		})
		return err
	})
	var thrown *value.Throw
	switch {
	case errors.As(err, &thrown):
		return h.result(nil, context, err), nil
	case err != nil:
		return value.None, c.Interrupted(err)
	case result.Exit != nil && verdictOf(result.Exit) != nil:
		return value.None, result.Exit
	}
	return h.result(result.Exit, context, nil), nil
}

// hook compiles the script that run_hook is asked for, whose path is relative to
// the file that asks.
func (r *run) hook(c *value.Call) (*hsl.Program, map[string]value.Value, error) {
	phase, ok := r.file.phase(c.Str(0))
	if !ok || c.Str(0) == "" {
		return nil, nil, declare.Unwanted(c, 0, "the name of a phase")
	}
	if r.file.options.Loader == nil {
		return nil, nil, value.Errorf("run_hook: there are no files")
	}
	script, err := r.file.options.Loader.Load(c.Str(1), caller(c).File)
	if err != nil {
		return nil, nil, value.Errorf("run_hook: %q: %s", c.Str(1), err)
	}
	library := r.file.faked(phase, nil)
	variables := make(map[string]value.Value)
	if given := c.Array(2); given != nil {
		for name, v := range given.All() {
			if library.Variable(name.Text()) == nil {
				return nil, nil, value.Errorf("run_hook: phase %s has no variable $%s", c.Str(0), name.Text())
			}
			v.Retain()
			variables[name.Text()] = v
		}
	}
	program, err := r.file.compile(script.ID, script.Text, library)
	var mistakes hsl.Errors
	if errors.As(err, &mistakes) {
		return nil, nil, value.Errorf("run_hook: %s", mistakes.Detail())
	}
	return program, variables, err
}

// caller is where the script calls the builtin.
func caller(c *value.Call) value.Place {
	if where := c.Where(); len(where) > 0 {
		return where[0]
	}
	return value.Place{}
}
