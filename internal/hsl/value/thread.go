package value

import (
	"context"
	"io"
	"math"
	"slices"
	"strconv"
	"time"
)

// Caller is the way back from a builtin into the machine that runs the script.
type Caller interface {
	// Call calls a function value and returns its result. Arguments are counted
	// and checked like those of any call. Errors must be handed on as they are,
	// except where the builtin means to swallow exceptions; those for which
	// Uncatchable holds must be handed on always.
	Call(fn Value, args ...Value) (Value, error)
	// Where returns the position of the script, innermost frame first.
	Where() []Place
	// Roots calls f for each value that the script can reach at the moment.
	Roots(f func(Value))
}

// Limits bound what one execution may use. Zero means no limit, except for
// Depth.
type Limits struct {
	Instructions int64         // steps of the machine
	Time         time.Duration // of the wall clock, waiting included
	Memory       int64         // bytes that the script can reach, estimated
	Depth        int           // calls within calls; 0 is DefaultDepth
	Output       int64         // bytes echoed
}

// DefaultDepth is how deep calls nest unless Limits say otherwise.
const DefaultDepth = 256

// Setup is what whoever starts a script gives its thread.
type Setup struct {
	Limits Limits
	// Process is what the script shares with others; nil gives it its own.
	Process *Process
	// Host is for the builtins of the program that embeds the language.
	Host any
	// Echo receives what the script echoes; nil drops it.
	Echo func(text string)
	// Transaction names the private cache of this message or transaction, for
	// the cache option per_message.
	Transaction string
	// Turn is the right to run; nil: nobody counts.
	Turn Turn
	// Method, if given, is asked before a method of an object of Go is called,
	// and may answer in its place. It is for tests of scripts.
	Method func(c *Call) (v Value, answered bool, err error)
	// Debug is called at break points; nil passes over them.
	Debug func(ctx context.Context, s *Stop)
}

// Break calls Debug, while another thread may run.
func (t *Thread) Break(s *Stop) error {
	t.Debug(t.Context(), s)
	return t.Resume()
}

// Thread is one execution of one script. It is not safe for concurrent use; a
// script is cancelled by its context.
type Thread struct {
	Caller
	Setup
	// Library is what the script was compiled against; whoever begins the thread
	// sets it.
	Library *Library

	ctx      context.Context
	done     <-chan struct{}
	blocking context.Context // ctx with the deadline, once somebody asked for it
	cancel   context.CancelFunc
	resting  bool // it has given up its Turn
	looks    int  // at limits since the turn began

	started  time.Time
	deadline time.Time

	// Fuel is how many steps remain until the thread looks at its limits. The
	// machine counts it down by itself.
	Fuel     int64
	tank     int64 // Fuel after the last look
	steps    int64 // taken before the last look
	memory   int64 // bytes allocated since, plus found by, the last count
	recount  int64 // memory at which reachable values are counted
	output   int64
	closers  []io.Closer
	held     []Value
	waiting  *lock // held by another thread
	appended [4]tail
	turn     uint8 // of appended, to be replaced next
	scratch  []byte
}

// tank is how many steps go by between two looks at limits and cancellation:
// some fifty microseconds.
const fuelTank = 8192

// Begin prepares the thread for an execution under ctx.
func (t *Thread) Begin(ctx context.Context, caller Caller, setup Setup) {
	*t = Thread{Caller: caller, Setup: setup, ctx: ctx, done: ctx.Done(), closers: t.closers[:0], scratch: t.scratch, started: time.Now()}
	if t.Limits.Time > 0 {
		t.deadline = t.started.Add(t.Limits.Time)
	}
	if t.Limits.Depth <= 0 {
		t.Limits.Depth = DefaultDepth
	}
	t.recount = math.MaxInt64
	if t.Limits.Memory > 0 {
		t.recount = t.Limits.Memory
	}
	t.refuel()
}

// End closes what the thread owns and lets go of everything.
func (t *Thread) End() {
	for i := len(t.closers) - 1; i >= 0; i-- {
		t.closers[i].Close()
	}
	if t.cancel != nil {
		t.cancel()
	}
	clear(t.closers)
	*t = Thread{closers: t.closers[:0], scratch: t.scratch}
}

// Context returns the context for whatever blocks: it ends when the script is
// cancelled or out of time. To ask for it says that the builtin is about to
// wait, so that another thread may run until it returns or calls back.
func (t *Thread) Context() context.Context {
	t.rest()
	return t.context()
}

func (t *Thread) context() context.Context {
	if t.blocking == nil {
		t.blocking = t.ctx
		if !t.deadline.IsZero() {
			t.blocking, t.cancel = context.WithDeadlineCause(t.ctx, t.deadline, t.outOfTime())
		}
	}
	return t.blocking
}

// Started returns when the execution began.
func (t *Thread) Started() time.Time { return t.started }

// Own makes the thread close c when the script ends, unless Disown comes first.
func (t *Thread) Own(c io.Closer) { t.closers = append(t.closers, c) }

// Disown takes back Own.
func (t *Thread) Disown(c io.Closer) {
	if i := slices.Index(t.closers, c); i >= 0 {
		t.closers = slices.Delete(t.closers, i, i+1)
	}
}

// Step counts n steps of work, and returns an uncatchable error when the script
// has to end. Builtins call it in loops over data. t may be nil.
func (t *Thread) Step(n int) error {
	if t == nil {
		return nil
	}
	if t.Fuel -= int64(n); t.Fuel < 0 {
		return t.Poll()
	}
	return nil
}

// Poll looks at limits and cancellation, and fills Fuel again.
func (t *Thread) Poll() error {
	t.steps += t.tank - t.Fuel
	t.looks++
	if most := t.Limits.Instructions; most > 0 && t.steps >= most {
		t.tank, t.Fuel = 0, 0
		return &LimitError{Limit: "instructions", Value: strconv.FormatInt(most, 10)}
	}
	t.refuel()
	select {
	case <-t.done:
		return &Cancelled{Cause: context.Cause(t.ctx)}
	default:
	}
	if !t.deadline.IsZero() && time.Now().After(t.deadline) {
		return t.outOfTime()
	}
	return nil
}

func (t *Thread) refuel() {
	t.tank = fuelTank
	if most := t.Limits.Instructions; most > 0 {
		t.tank = min(t.tank, most-t.steps)
	}
	t.Fuel = t.tank
}

// Steps returns how many steps the script has taken.
func (t *Thread) Steps() int64 { return t.steps + t.tank - t.Fuel }

func (t *Thread) outOfTime() error {
	return &LimitError{Limit: "time", Value: t.Limits.Time.String()}
}

// Interrupted converts the error of something that blocked on Context into the
// error that ends the script, if it was the script's end that interrupted it.
func (t *Thread) Interrupted(err error) error {
	ctx := t.context()
	if ctx.Err() == nil {
		return err
	}
	cause := context.Cause(ctx)
	if Uncatchable(cause) {
		return cause
	}
	return &Cancelled{Cause: cause}
}

// Alloc accounts for n bytes before they are allocated. It returns an
// uncatchable error when the script would hold more than it may. t may be nil,
// for constants: they have a fixed small bound.
//
// Now and then what the script can reach is counted anew, and all else is
// forgotten. A builtin that builds something large in pieces should therefore
// Hold it, or charge for all of it with a Growth.
func (t *Thread) Alloc(n int) error {
	if t == nil {
		if n > foldable {
			return errTooLarge
		}
		return nil
	}
	if t.memory += int64(n); t.memory > t.recount {
		return t.count(int64(n))
	}
	return nil
}

// Hold makes v count as reachable until the builtin under way returns.
func (t *Thread) Hold(v Value) { t.held = append(t.held, v) }

// Held returns how many values are held, and Unhold lets go of those beyond n;
// the machine calls them around a builtin.
func (t *Thread) Held() int { return len(t.held) }

// Unhold lets go of all but the first n values that are held.
func (t *Thread) Unhold(n int) {
	clear(t.held[n:])
	t.held = t.held[:n]
}

// foldable bounds values that are computed at compile time.
const foldable = 1 << 16

var errTooLarge = Errorf("constant is too large")

// AllocFloat is Alloc for sizes that were computed from a script's numbers.
func (t *Thread) AllocFloat(n float64) error {
	if n < 1<<40 {
		return t.Alloc(int(n))
	}
	if t == nil {
		return errTooLarge
	}
	most := t.Limits.Memory
	if most <= 0 {
		most = 1 << 40
	}
	return &LimitError{Limit: "memory", Value: bytesText(most)}
}

// count measures what the script can reach, which forgets what it has dropped.
// It happens again only after as much has been allocated as was free, at least
// an eighth of the limit, so that counting costs little per byte allocated.
func (t *Thread) count(pending int64) error {
	t.memory = pending + reach(func(f func(Value)) {
		t.Roots(f)
		for _, v := range t.held {
			f(v)
		}
	})
	if t.memory > t.Limits.Memory {
		return &LimitError{Limit: "memory", Value: bytesText(t.Limits.Memory)}
	}
	t.recount = max(t.Limits.Memory, t.memory+t.Limits.Memory/8)
	return nil
}

func bytesText(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return strconv.FormatInt(n>>20, 10) + " MiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}

// Print echoes a text.
func (t *Thread) Print(text string) error {
	t.output += int64(len(text))
	if most := t.Limits.Output; most > 0 && t.output > most {
		return &LimitError{Limit: "output", Value: bytesText(most)}
	}
	if t.Echo != nil {
		t.Echo(text)
	}
	return nil
}

// AppendText appends the text of v, within the limits of the thread, which may
// be nil.
func (t *Thread) AppendText(b []byte, v Value) ([]byte, error) { return appendText(b, v, t) }

// Identical is ===, charged to the thread.
func (t *Thread) Identical(a, b Value) (bool, error) {
	c := comparison{thread: t}
	return c.identical(a, b, 0), c.err
}

// Equal is ==, charged to the thread.
func (t *Thread) Equal(a, b Value) (bool, error) {
	c := comparison{thread: t}
	return c.equal(a, b), c.err
}
