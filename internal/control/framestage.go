package control

import (
	"bufio"
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/stage"
)

// frameConn is a connection that speaks in frames, and the stages that it has
// started: their logs come on it at any time, and those that are bound to it end
// with it.
type frameConn struct {
	*conn
	in     *bufio.Reader
	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	logs   sync.WaitGroup

	mu     sync.Mutex // of writes
	stages []*stage.Stage
	next   int // number of the copy that wait has not had yet; guarded by the reading goroutine
}

type frameConnKey struct{}

// write writes one frame.
func (c *frameConn) write(kind byte, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return writeFrame(c, kind, body)
}

// patience is when a client that says nothing is hung up on. One that has a
// stage listens.
func (c *frameConn) patience() time.Time {
	for _, st := range c.stages {
		if st.Alive() {
			return time.Time{}
		}
	}
	return time.Now().Add(idleTimeout)
}

// attended calls f with a context that ends when the client goes away, which
// nobody would notice otherwise: nothing is read meanwhile.
func (c *frameConn) attended(ctx context.Context, f func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var answered atomic.Bool
	watched := make(chan struct{})
	_ = c.SetReadDeadline(time.Time{})
	go func() {
		defer close(watched)
		if _, err := c.in.Peek(1); err != nil && !answered.Load() {
			cancel()
		}
	}()
	f(ctx)
	answered.Store(true)
	_ = c.SetReadDeadline(time.Unix(1, 0))
	<-watched
}

// end ends what lives no longer than the connection.
func (c *frameConn) end() {
	c.cancel()
	for _, st := range c.stages {
		if st.Bound {
			st.End(stage.ErrGone)
		}
	}
	c.logs.Wait()
}

// follow sends the log of a stage in frames of its own.
func (c *frameConn) follow(st *stage.Stage) {
	c.stages = append(c.stages, st)
	c.logs.Go(func() {
		st.Listen(c.ctx, true, func(text string) bool {
			body, err := proto.Marshal(&pb.HSLLogResponse{Id: st.ID, Text: utf8Text(text)})
			return err == nil && c.write('=', body) == nil
		})
	})
}

// own returns the newest stage that the connection has started and that runs, or
// the only stage there is.
func (c *frameConn) own(s *livestageService) (*stage.Stage, error) {
	for i := len(c.stages) - 1; i >= 0; i-- {
		if c.stages[i].Alive() {
			return c.stages[i], nil
		}
	}
	return s.find("")
}

func frameStart(ctx context.Context, s *services, body []byte) (proto.Message, error) {
	var r pb.ConfigGreenDeployRequest
	if s.live == nil {
		return nil, errNoPart
	}
	if err := decodeFrame(body, &r); err != nil {
		return nil, err
	}
	st, err := s.live.start(ctx, &r)
	if err != nil {
		return nil, err
	}
	ctx.Value(frameConnKey{}).(*frameConn).follow(st)
	return nil, nil
}

func frameStatus(_ context.Context, s *services, _ []byte) (proto.Message, error) {
	if s.live == nil {
		return nil, errNoPart
	}
	return s.live.status(), nil
}

// frameCancel has no message to say which stage: those that the connection has
// started, or else all.
func frameCancel(ctx context.Context, s *services, _ []byte) (proto.Message, error) {
	if s.live == nil {
		return nil, errNoPart
	}
	ended := 0
	for _, st := range ctx.Value(frameConnKey{}).(*frameConn).stages {
		if st.Alive() {
			st.End(stage.ErrCancelled)
			ended++
		}
	}
	if ended == 0 {
		s.live.live.Stages().Cancel("", stage.ErrCancelled)
	}
	return nil, nil
}

func frameBreak(ctx context.Context, s *services, body []byte) (proto.Message, error) {
	var r pb.HSLBreakPointRequest
	if s.live == nil {
		return nil, errNoPart
	}
	return decoded(ctx, s.live.Break, body, &r)
}

// frameWait answers with the next copy that this connection has not had.
func frameWait(ctx context.Context, s *services, _ []byte) (proto.Message, error) {
	if s.live == nil {
		return nil, errNoPart
	}
	c := ctx.Value(frameConnKey{}).(*frameConn)
	st, err := c.own(s.live)
	if err != nil {
		return nil, err
	}
	var stop stage.Stop
	next, ok := 0, false
	c.attended(ctx, func(ctx context.Context) { stop, next, ok = st.Next(ctx, c.next) })
	if !ok {
		return nil, NoStage(st.ID)
	}
	c.next = next
	return stopMessage(&stop), nil
}

func frameContinue(ctx context.Context, s *services, _ []byte) (proto.Message, error) {
	if s.live == nil {
		return nil, errNoPart
	}
	st, err := ctx.Value(frameConnKey{}).(*frameConn).own(s.live)
	if err != nil {
		return nil, err
	}
	return &pb.HSLBreakPointContinueResponse{Continued: uint64(st.Points.Continue())}, nil
}
