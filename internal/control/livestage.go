package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/stage"
)

// Livestage runs trials of configurations.
type Livestage interface {
	// Start puts a stage in force. The error says what is wrong with its options
	// or its configuration.
	Start(StageRequest) (*stage.Stage, error)
	// Stages are those that run.
	Stages() *stage.Set
	// Break replaces the break points of a stage.
	Break(id string, points []BreakPoint, hold time.Duration) error
}

// StageRequest is a stage that somebody wants.
type StageRequest struct {
	stage.Options
	Config string // text of the running configuration; empty: the one in force
	Points []BreakPoint
	Hold   time.Duration // at break points
}

// BreakPoint is a line of a script.
type BreakPoint struct {
	File string // as errors name it: "eod/default.hsl"
	Line int
}

func (p BreakPoint) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// NoStage is the error for a stage that does not run.
func NoStage(id string) error { return fmt.Errorf("%w %q runs", errNoStage, id) }

var errNoStage = errors.New("no stage")

// What holds unless a request says otherwise.
const (
	defaultErrorRate = 0.1
	defaultErrorRuns = 20
)

type livestageService struct{ live Livestage }

// Start implements pb.LivestageService.
func (s *livestageService) Start(ctx context.Context, r *connect.Request[pb.ConfigGreenDeployRequest], stream *connect.ServerStream[pb.HSLLogResponse]) error {
	st, err := s.start(ctx, r.Msg)
	if err != nil {
		return err
	}
	send := func(text string) bool {
		return stream.Send(&pb.HSLLogResponse{Id: st.ID, Text: utf8Text(text)}) == nil
	}
	if !send("stage " + st.ID + " has begun") {
		if r.Msg.Connectionbound {
			st.End(stage.ErrGone)
		}
		return nil
	}
	if r.Msg.Follow || r.Msg.Connectionbound {
		st.Listen(ctx, true, send)
	}
	if r.Msg.Connectionbound {
		st.End(stage.ErrGone)
	}
	return nil
}

// start puts a stage in force.
func (s *livestageService) start(ctx context.Context, r *pb.ConfigGreenDeployRequest) (*stage.Stage, error) {
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, r.Id })
	request := StageRequest{
		Config: r.Config, Points: breakPoints(r.Breakpoints), Hold: seconds(r.Hold),
		Options: stage.Options{ID: r.Id, Bound: r.Connectionbound, ErrorRate: defaultErrorRate, ErrorRuns: defaultErrorRuns},
	}
	if r.Errorrate != nil {
		request.ErrorRate = *r.Errorrate
	}
	if r.Errorruns > 0 {
		request.ErrorRuns = int(r.Errorruns)
	}
	var err error
	if request.Conditions, err = stageConditions(r.Conditions); err != nil {
		return nil, invalid("%w", err)
	}
	st, err := s.live.Start(request)
	if err != nil {
		return nil, answer(err, connect.CodeFailedPrecondition)
	}
	return st, nil
}

func stageConditions(c *pb.ConfigGreenConditions) (out stage.Conditions, err error) {
	out.Probability = 1
	if c == nil {
		return out, nil
	}
	if c.Probability != nil {
		out.Probability = *c.Probability
	}
	out.ServerIDs, out.Count, out.Time = c.Serverids, int(c.Count), time.Duration(c.Time)*time.Second
	for _, text := range c.Remoteips {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			ip, err := netip.ParseAddr(text)
			if err != nil {
				return out, fmt.Errorf("remoteips: %q is neither an address nor a network", text)
			}
			network = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen())
		}
		out.RemoteIPs = append(out.RemoteIPs, network.Masked())
	}
	return out, nil
}

func seconds(s float64) time.Duration {
	return time.Duration(min(max(s, 0), stage.MaxHold.Seconds()) * float64(time.Second))
}

func breakPoints(list []*pb.HSLBreakPoint) (points []BreakPoint) {
	for _, p := range list {
		points = append(points, BreakPoint{p.File, int(p.Line)})
	}
	return points
}

// Status implements pb.LivestageService.
func (s *livestageService) Status(context.Context, *connect.Request[pb.ConfigGreenStatusRequest]) (*connect.Response[pb.ConfigGreenStatusResponse], error) {
	return connect.NewResponse(s.status()), nil
}

func (s *livestageService) status() *pb.ConfigGreenStatusResponse {
	out := &pb.ConfigGreenStatusResponse{}
	for _, st := range append(s.live.Stages().Past(), s.live.Stages().Live()...) {
		out.Stages = append(out.Stages, stageMessage(st))
	}
	return out
}

func stageMessage(st *stage.Stage) *pb.ConfigGreenStage {
	status := st.Status()
	m := &pb.ConfigGreenStage{
		Id: st.ID, Connections: uint64(status.Connections), Open: uint64(max(status.Open, 0)), Runtime: uint64(status.Runtime.Seconds()),
		Runs: uint64(status.Runs), Errors: uint64(status.Errors), Errorrate: st.ErrorRate, Connectionbound: st.Bound,
		Ended: utf8Text(status.Ended), Held: uint64(st.Points.Held()),
		Conditions: &pb.ConfigGreenConditions{
			Serverids: st.ServerIDs, Probability: &st.Probability, Time: uint32(st.Time.Seconds()), Count: uint32(st.Count),
		},
	}
	for _, n := range st.RemoteIPs {
		m.Conditions.Remoteips = append(m.Conditions.Remoteips, n.String())
	}
	return m
}

// Cancel implements pb.LivestageService.
func (s *livestageService) Cancel(ctx context.Context, r *connect.Request[pb.ConfigGreenCancelRequest]) (*connect.Response[pb.ConfigGreenCancelResponse], error) {
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, r.Msg.Id })
	ids := s.live.Stages().Cancel(r.Msg.Id, stage.ErrCancelled)
	if len(ids) == 0 && r.Msg.Id != "" {
		return nil, connect.NewError(connect.CodeNotFound, NoStage(r.Msg.Id))
	}
	return connect.NewResponse(&pb.ConfigGreenCancelResponse{Ids: ids}), nil
}

// find returns the stage of that id; of an empty one, the only stage.
func (s *livestageService) find(id string) (*stage.Stage, error) {
	live := s.live.Stages().Live()
	if id == "" && len(live) == 1 {
		return live[0], nil
	}
	if st := s.live.Stages().Find(id); st != nil {
		return st, nil
	}
	if id == "" {
		return nil, invalid("%d stages run: say which", len(live))
	}
	return nil, connect.NewError(connect.CodeNotFound, NoStage(id))
}

// Log implements pb.LivestageService.
func (s *livestageService) Log(ctx context.Context, r *connect.Request[pb.ConfigGreenLogRequest], stream *connect.ServerStream[pb.HSLLogResponse]) error {
	st, err := s.find(r.Msg.Id)
	if err != nil {
		return err
	}
	st.Listen(ctx, true, func(text string) bool {
		return stream.Send(&pb.HSLLogResponse{Id: st.ID, Text: utf8Text(text)}) == nil
	})
	return nil
}

// Break implements pb.LivestageService.
func (s *livestageService) Break(ctx context.Context, r *connect.Request[pb.HSLBreakPointRequest]) (*connect.Response[pb.HSLBreakPointSetResponse], error) {
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, r.Msg.Id })
	st, err := s.find(r.Msg.Id)
	if err != nil {
		return nil, err
	}
	if err := s.live.Break(st.ID, breakPoints(r.Msg.Breakpoints), seconds(r.Msg.Hold)); err != nil {
		return nil, answer(err, connect.CodeFailedPrecondition)
	}
	return connect.NewResponse(&pb.HSLBreakPointSetResponse{}), nil
}

// Wait implements pb.LivestageService.
func (s *livestageService) Wait(ctx context.Context, r *connect.Request[pb.HSLBreakPointWaitRequest], stream *connect.ServerStream[pb.HSLBreakPointResponse]) error {
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, r.Msg.Id })
	st, err := s.find(r.Msg.Id)
	if err != nil {
		return err
	}
	for n := 0; ; {
		stop, next, ok := st.Next(ctx, n)
		if !ok || stream.Send(stopMessage(&stop)) != nil {
			return nil
		}
		n = next
	}
}

func stopMessage(s *stage.Stop) *pb.HSLBreakPointResponse {
	m := &pb.HSLBreakPointResponse{
		Id: utf8Text(s.Point), Debugid: utf8Text(s.Debugger), File: utf8Text(s.File), Line: uint32(s.Line), Column: uint32(s.Column),
		Phase: s.Phase, Transaction: s.Transaction, Time: unixMilli(s.Time), Held: s.Held, Values: map[string]*pb.HSLValue{},
	}
	for _, at := range s.Stack {
		m.Callstack = append(m.Callstack, utf8Text(at))
	}
	for name, v := range s.Values {
		format := "json"
		if v.Binary {
			format = "binary"
		}
		m.Values[utf8Text(name)] = &pb.HSLValue{Format: format, Value: v.Data}
	}
	return m
}

// Continue implements pb.LivestageService.
func (s *livestageService) Continue(ctx context.Context, r *connect.Request[pb.HSLBreakPointContinueRequest]) (*connect.Response[pb.HSLBreakPointContinueResponse], error) {
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, r.Msg.Id })
	st, err := s.find(r.Msg.Id)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.HSLBreakPointContinueResponse{Continued: uint64(st.Points.Continue())}), nil
}
