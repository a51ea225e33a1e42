package main

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/posthaste-mta/posthaste/internal/control"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script"
	"github.com/posthaste-mta/posthaste/internal/stage"
)

// debugged is a script of hsh as a debugger sees it: the only stage, which nobody
// else starts and whose break points stand in the source.
type debugged struct{ set stage.Set }

var errOnlyScript = errors.New("a script of hsh is debugged, not an MTA")

func (*debugged) Start(control.StageRequest) (*stage.Stage, error) { return nil, errOnlyScript }

func (*debugged) Break(string, []control.BreakPoint, time.Duration) error { return errOnlyScript }

func (d *debugged) Stages() *stage.Set { return &d.set }

// debug connects to the debugger that listens at path. The script stops at each
// break point until the debugger lets it go on, is gone, or says nothing for
// stage.MaxHold. done hangs up.
func debug(ctx context.Context, path string) (reached func(context.Context, *value.Stop), done func(), err error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, nil, err
	}
	d := &debugged{}
	st, err := d.set.Start(stage.Options{ID: "hsh"}, func(*stage.Stage) {})
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	st.Points.SetHold(stage.MaxHold)
	ctx, cancel := context.WithCancel(ctx)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		control.AnswerDebugger(ctx, c, d)
		st.End(stage.ErrGone) // whoever is held goes on
	}()
	reached = func(ctx context.Context, s *value.Stop) { st.Points.Reached(ctx, script.Copy("hsh", "", s)) }
	return reached, func() { cancel(); <-gone }, nil
}
