// Package unittest runs the tests that users write for their scripts, in HSL.
//
// A test file is a script whose name ends in _test.hsl. It calls test with a name
// and a function for each test, and imports what it tests:
//
//	import { domain } from "./lib.hsl";
//
//	test("the domain is lower case", function () {
//		assert_equal(domain("Joe@EXAMPLE.com"), "example.com");
//	});
//
// The file is compiled once. A first run finds the names; then each test is a run
// of the whole file of its own in which only its function is called, with
// variables, fakes and shared memory of its own, so tests cannot disturb each
// other.
//
// Besides the standard library a file has the functions of Declarations: test,
// assertions, and fakes. A fake stands in for a builtin in everything that a test
// calls. Functions that ask the network fail unless they are faked.
//
// run_hook runs a script as the hook of a phase. The functions of the phase are
// replaced by ones that note their arguments, and end the script where the real
// ones do; the test looks at what was noted.
package unittest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/coverage"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Options are what tests run with.
type Options struct {
	Library *value.Library // the standard library
	Loader  resolve.Loader
	// Phase returns what a phase adds to the library, and for "" what any phase
	// adds; ok is false if there is no such phase. Nil: there are no phases.
	Phase func(name string) (l *value.Library, ok bool)
	// Only limits the tests to those whose names match; nil runs all.
	Only *regexp.Regexp
	// Timeout bounds one test; 0 does not.
	Timeout time.Duration
	// Coverage collects what the tests ran; nil: nothing is counted.
	Coverage *coverage.Profile
}

// Status is how a test ended.
type Status string

// How tests end.
const (
	Passed  Status = "ok"
	Failed  Status = "FAIL"
	Skipped Status = "skip"
)

// Result is one test that ran.
type Result struct {
	File     string
	Name     string
	Status   Status
	Detail   string   // of a failure: where and why; of a skipped test: the reason
	Echo     []string // what it echoed
	Duration time.Duration
}

// memoryLimit bounds what a test may hold.
const memoryLimit = 256 << 20

// File runs the tests of one file and calls report with each result. A file that
// does not compile, or that fails outside its tests, is one failed result without
// a name.
func File(ctx context.Context, name, text string, o Options, report func(Result)) {
	f := &file{options: o, name: name}
	program, err := f.compile(name, text, f.library())
	if err != nil {
		report(f.result("", err, nil, 0))
		return
	}
	defer f.covered(program)
	first, err := f.run(ctx, program, -1)
	if err != nil {
		report(f.result("", err, first.echo, 0))
		return
	}
	for i, name := range first.names {
		if o.Only != nil && !o.Only.MatchString(name) {
			continue
		}
		began := time.Now()
		r, err := f.run(ctx, program, i)
		report(f.result(name, err, r.echo, time.Since(began)))
	}
}

// file is the file under test.
type file struct {
	options Options
	name    string
}

func (f *file) compile(name, text string, l *value.Library) (*hsl.Program, error) {
	return hsl.Compile(name, text, hsl.Options{Library: l, Loader: f.options.Loader, Coverage: f.options.Coverage != nil})
}

// covered collects what a program counted, after its last run.
func (f *file) covered(program *hsl.Program) {
	if f.options.Coverage != nil {
		f.options.Coverage.Add(program)
	}
}

// run is one run of a file: the Host of its thread.
type run struct {
	file  *file
	want  int // the test to be called; -1 for none
	names []string
	fakes map[string]value.Value
	echo  []string
	stack []*hook // hooks under way
}

func (f *file) run(ctx context.Context, program *hsl.Program, want int) (*run, error) {
	r := &run{file: f, want: want, fakes: make(map[string]value.Value)}
	result, err := program.Run(ctx, hsl.Execution{Setup: r.setup(value.NewProcess(0))})
	switch {
	case err != nil || result.Exit == nil:
		return r, err
	case verdictOf(result.Exit) != nil:
		return r, verdictOf(result.Exit)
	}
	return r, fmt.Errorf("%s() ended the test: call it within outcome(function () {…})", result.Exit.Name)
}

func (r *run) setup(p *value.Process) value.Setup {
	return value.Setup{
		Limits:  value.Limits{Time: r.file.options.Timeout, Memory: memoryLimit},
		Process: p,
		Host:    r,
		Echo:    r.echoed,
		Method:  r.method,
	}
}

func (r *run) echoed(text string) {
	if n := len(r.stack); n > 0 {
		r.stack[n-1].echo = append(r.stack[n-1].echo, text)
		return
	}
	r.echo = append(r.echo, text)
}

// verdict ends a test: a failed assertion, or a reason to skip. It travels as
// the outcome of a value.Exit, so that the script under test cannot catch it.
type verdict struct {
	skip    bool
	message string
	at      value.Place
}

func (v *verdict) Error() string {
	if v.skip {
		return v.message
	}
	return v.at.String() + ": " + v.message
}

// verdictOf returns the verdict that ended a script, or nil.
func verdictOf(e *value.Exit) error {
	if v, ok := e.Outcome.(*verdict); ok {
		return v
	}
	return nil
}

func (f *file) result(name string, err error, echo []string, d time.Duration) Result {
	r := Result{File: f.name, Name: name, Status: Passed, Echo: echo, Duration: d}
	var v *verdict
	var mistakes hsl.Errors
	var failure *hsl.Error
	switch {
	case err == nil:
		return r
	case errors.As(err, &v) && v.skip:
		r.Status, r.Detail = Skipped, v.message
		return r
	case errors.As(err, &mistakes):
		r.Detail = mistakes.Detail()
	case errors.As(err, &failure):
		r.Detail = failure.Detail()
	default:
		r.Detail = err.Error()
	}
	r.Status = Failed
	return r
}
