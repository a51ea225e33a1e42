package control

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/policy"
)

// Policies are the limits and suspensions in force. *queue.Queue has them.
type Policies interface {
	Policies(context.Context) ([]policy.DynamicView, []policy.CounterView, error)
	AddPolicy(ctx context.Context, d *policy.Dynamic, update bool) (id string, err error)
	DeletePolicy(ctx context.Context, id string) (bool, error)
	Refill(ctx context.Context, where map[policy.Field]string) (int, error)
	Suspensions(context.Context) ([]policy.SuspensionView, error)
	Suspend(ctx context.Context, s *policy.Suspension, update bool) (id string, err error)
	Resume(ctx context.Context, id string) (bool, error)
}

// Files are those that are read again apart from the configuration. On an error
// the old ones stay.
type Files interface {
	ReloadPolicy(context.Context) (warnings []string, err error)
	ReloadSuspend(context.Context) (warnings []string, err error)
	ReloadDelivery(context.Context) (warnings []string, err error)
}

func (s *services) mountPolicies(mux *http.ServeMux, options ...connect.HandlerOption) {
	if s.policy != nil {
		mux.Handle(pb.NewPolicyServiceHandler(s.policy, options...))
		mux.Handle(pb.NewSuspendServiceHandler(s.suspend, options...))
	}
	if s.delivery != nil {
		mux.Handle(pb.NewDeliveryServiceHandler(s.delivery, options...))
	}
}

type policyService struct {
	policies Policies
	files    Files
}

type suspendService struct {
	policies Policies
	files    Files
}

type deliveryService struct{ files Files }

// List implements pb.PolicyService.
func (s *policyService) List(ctx context.Context, r *connect.Request[pb.PolicyListRequest], stream *connect.ServerStream[pb.PolicyListResponse]) error {
	rows, err := s.list(ctx, r.Msg)
	if err != nil {
		return err
	}
	for page := range slices.Chunk(rows, maxPage) {
		if err := stream.Send(&pb.PolicyListResponse{Rows: page}); err != nil {
			return err
		}
	}
	return nil
}

func (s *policyService) list(ctx context.Context, r *pb.PolicyListRequest) ([]*pb.PolicyRow, error) {
	want, err := condition(r.Match)
	if err != nil {
		return nil, err
	}
	dynamic, counters, err := s.policies.Policies(ctx)
	if err != nil {
		return nil, answer(err, connect.CodeInternal)
	}
	var rows []*pb.PolicyRow
	for i := range dynamic {
		d := &dynamic[i]
		if len(r.Match) > 0 && !mentions(&d.If, r.Match) {
			continue
		}
		rows = append(rows, &pb.PolicyRow{
			Policy: uint32(d.Policy), Fields: d.Fields.Names(), Values: matchList(&d.If), Limits: limitsMessage(&d.Limits),
			Ids: []string{utf8Text(d.ID)}, Dynamic: true, Type: strings.ToLower(d.Kind.String()), Ttl: d.Left.Seconds(),
		})
	}
	for i := range counters {
		c := &counters[i]
		t := policy.TupleOf(&c.Values)
		if want.Fields != 0 && !want.Holds(&t) {
			continue
		}
		row := &pb.PolicyRow{
			Policy: uint32(c.Policy), Fields: c.Fields.Names(), Values: valueList(c.Fields, &c.Values), Limits: limitsMessage(&c.Limits),
			Used: uint32(c.Used), Tokens: uint64(c.Tokens), Next: c.NextStart.Milliseconds(), Waiting: uint32(c.Waiting),
		}
		for _, d := range c.Dynamics {
			row.Ids = append(row.Ids, utf8Text(d.ID))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// mentions reports whether a condition was written with one of the values of
// each match.
func mentions(m *policy.Match, match []*pb.FieldMatch) bool {
	for _, one := range match {
		f, err := policy.ParseField(one.Field)
		if err != nil || !slices.ContainsFunc(m.Texts[f], func(s string) bool { return slices.Contains(one.Values, s) }) {
			return false
		}
	}
	return true
}

// Add implements pb.PolicyService.
func (s *policyService) Add(ctx context.Context, r *connect.Request[pb.PolicyAddRequest]) (*connect.Response[pb.PolicyAddResponse], error) {
	d, err := dynamicOf(r.Msg)
	if err != nil {
		return nil, err
	}
	note(ctx, func(c *Call) {
		c.Sensitive, c.Detail = true, strings.Join(r.Msg.Fields, ",")+" "+d.If.String()+" "+d.Then.String()
	})
	id, err := s.policies.AddPolicy(ctx, d, !r.Msg.Keep)
	if err != nil {
		return nil, answer(err, connect.CodeInvalidArgument)
	}
	return connect.NewResponse(&pb.PolicyAddResponse{Id: utf8Text(id)}), nil
}

func dynamicOf(m *pb.PolicyAddRequest) (d *policy.Dynamic, err error) {
	d = &policy.Dynamic{ID: m.Id}
	if d.Kind, err = policy.ParseKind(m.Type); err != nil {
		return nil, invalid("%w", err)
	}
	for _, name := range m.Fields {
		f, err := policy.ParseField(name)
		if err != nil {
			return nil, invalid("%w", err)
		}
		d.Fields |= policy.Of(f)
	}
	if d.If, err = condition(m.Match); err != nil {
		return nil, err
	}
	if d.TTL, err = span(m.Ttl, "ttl"); err != nil {
		return nil, err
	}
	d.Then, err = limitsOf(m.Limits)
	return d, err
}

// longest is the longest time to live.
const longest = 100 * 366 * 24 * time.Hour

func span(seconds float64, name string) (time.Duration, error) {
	if math.IsNaN(seconds) || seconds < 0 || seconds > longest.Seconds() {
		return 0, invalid("%s: want seconds, 0 or more, got %v", name, seconds)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

func limitsOf(m *pb.PolicyLimits) (l policy.Limits, err error) {
	if m == nil {
		return l, invalid("limits are wanted")
	}
	l = policy.Limits{Concurrency: int(m.Concurrency), Tag: m.Tag, Stop: m.Stop, Cluster: m.Cluster, Properties: propertyMap(m.Properties)}
	l.Rate.Count = int64(min(m.RateCount, math.MaxInt64))
	if l.Rate.Interval, err = span(m.RateInterval, "rate"); err != nil {
		return l, err
	}
	switch m.RateAlgorithm {
	case "":
	case "tokenbucket":
		l.Rate.Algorithm = policy.TokenBucket
	case "fixedwindow":
		l.Rate.Algorithm = policy.FixedWindow
	default:
		return l, invalid("rate: no algorithm %q", m.RateAlgorithm)
	}
	l.ConnectInterval, err = span(m.Connectinterval, "connectinterval")
	return l, err
}

func limitsMessage(l *policy.Limits) *pb.PolicyLimits {
	m := &pb.PolicyLimits{
		Concurrency: uint32(l.Concurrency), RateCount: uint64(l.Rate.Count), RateInterval: l.Rate.Interval.Seconds(),
		Connectinterval: l.ConnectInterval.Seconds(), Tag: utf8Text(l.Tag), Properties: propertyTexts(l.Properties), Stop: l.Stop, Cluster: l.Cluster,
	}
	switch l.Rate.Algorithm {
	case policy.TokenBucket:
		m.RateAlgorithm = "tokenbucket"
	case policy.FixedWindow:
		m.RateAlgorithm = "fixedwindow"
	}
	return m
}

// propertyMap reads properties: what looks like a number or a truth is one.
func propertyMap(texts map[string]string) map[string]any {
	if len(texts) == 0 {
		return nil
	}
	out := map[string]any{}
	for k, text := range texts {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			out[k] = n
		} else if f, err := strconv.ParseFloat(text, 64); err == nil {
			out[k] = f
		} else if text == "true" || text == "false" {
			out[k] = text == "true"
		} else {
			out[k] = text
		}
	}
	return out
}

func propertyTexts(properties map[string]any) map[string]string {
	out := map[string]string{}
	for k, v := range properties {
		out[utf8Text(k)] = utf8Text(fmt.Sprint(v))
	}
	return out
}

func condition(list []*pb.FieldMatch) (policy.Match, error) {
	texts := map[policy.Field][]string{}
	for _, m := range list {
		f, err := policy.ParseField(m.Field)
		if err != nil {
			return policy.Match{}, invalid("%w", err)
		}
		texts[f] = append(texts[f], m.Values...)
	}
	m, err := policy.NewMatch(texts, nil)
	if err != nil {
		return m, invalid("%w", err)
	}
	return m, nil
}

func matchList(m *policy.Match) (out []*pb.FieldMatch) {
	for f := range m.Fields.All() {
		out = append(out, &pb.FieldMatch{Field: f.String(), Values: utf8List(m.Texts[f])})
	}
	return out
}

func valueList(fields policy.Fields, v *policy.Values) (out []*pb.FieldMatch) {
	for f := range fields.All() {
		out = append(out, &pb.FieldMatch{Field: f.String(), Values: []string{utf8Text(v[f])}})
	}
	return out
}

// Delete implements pb.PolicyService.
func (s *policyService) Delete(ctx context.Context, r *connect.Request[pb.PolicyDeleteRequest]) (*connect.Response[pb.PolicyDeleteResponse], error) {
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, r.Msg.Id })
	found, err := s.policies.DeletePolicy(ctx, r.Msg.Id)
	if err := missing(found, err, "dynamic policy", r.Msg.Id); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.PolicyDeleteResponse{}), nil
}

func missing(found bool, err error, what, id string) error {
	switch {
	case err != nil:
		return answer(err, connect.CodeInternal)
	case !found:
		return connect.NewError(connect.CodeNotFound, fmt.Errorf("there is no %s %q", what, id))
	}
	return nil
}

// Refill implements pb.PolicyService.
func (s *policyService) Refill(ctx context.Context, r *connect.Request[pb.PolicyRefillRequest]) (*connect.Response[pb.PolicyRefillResponse], error) {
	where := map[policy.Field]string{}
	for _, m := range r.Msg.Match {
		f, err := policy.ParseField(m.Field)
		if err != nil {
			return nil, invalid("%w", err)
		}
		if len(m.Values) != 1 {
			return nil, invalid("%s: one value is wanted", m.Field)
		}
		where[f] = m.Values[0]
	}
	n, err := s.policies.Refill(ctx, where)
	note(ctx, func(c *Call) { c.Sensitive, c.Affected = true, n })
	if err != nil {
		return nil, answer(err, connect.CodeInternal)
	}
	return connect.NewResponse(&pb.PolicyRefillResponse{Refilled: uint64(n)}), nil
}

// reloaded runs a reload and returns its warnings. One that has begun is not
// left half-way by a client that goes away.
func reloaded(ctx context.Context, reload func(context.Context) ([]string, error)) ([]string, error) {
	note(ctx, func(c *Call) { c.Sensitive = true })
	warnings, err := reload(context.WithoutCancel(ctx))
	if err != nil {
		return nil, answer(err, connect.CodeFailedPrecondition)
	}
	return utf8List(warnings), nil
}

// Reload implements pb.PolicyService.
func (s *policyService) Reload(ctx context.Context, _ *connect.Request[pb.PolicyReloadRequest]) (*connect.Response[pb.PolicyReloadResponse], error) {
	warnings, err := reloaded(ctx, s.files.ReloadPolicy)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.PolicyReloadResponse{Warnings: warnings}), nil
}

// List implements pb.SuspendService.
func (s *suspendService) List(ctx context.Context, _ *connect.Request[pb.SuspendListRequest]) (*connect.Response[pb.SuspendListResponse], error) {
	list, err := s.policies.Suspensions(ctx)
	if err != nil {
		return nil, answer(err, connect.CodeInternal)
	}
	out := &pb.SuspendListResponse{}
	for i := range list {
		v := &list[i]
		row := &pb.SuspendRow{
			Id: utf8Text(v.ID), Match: matchList(&v.If), Tag: utf8Text(v.Tag), Properties: propertyTexts(v.Properties),
			Dynamic: v.Dynamic, Ttl: v.Left.Seconds(), Waiting: uint32(v.Holds), Created: unixMilli(v.Created),
		}
		if v.Dynamic {
			row.Type = strings.ToLower(v.Kind.String())
		}
		out.Rows = append(out.Rows, row)
	}
	return connect.NewResponse(out), nil
}

// Add implements pb.SuspendService.
func (s *suspendService) Add(ctx context.Context, r *connect.Request[pb.SuspendAddRequest]) (*connect.Response[pb.SuspendAddResponse], error) {
	m, err := condition(r.Msg.Match)
	if err != nil {
		return nil, err
	}
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, m.String() })
	one := &policy.Suspension{ID: r.Msg.Id, If: m, Tag: r.Msg.Tag, Properties: propertyMap(r.Msg.Properties)}
	if one.TTL, err = span(r.Msg.Ttl, "ttl"); err != nil {
		return nil, err
	}
	id, err := s.policies.Suspend(ctx, one, !r.Msg.Keep)
	if err != nil {
		return nil, answer(err, connect.CodeInvalidArgument)
	}
	return connect.NewResponse(&pb.SuspendAddResponse{Id: utf8Text(id)}), nil
}

// Delete implements pb.SuspendService.
func (s *suspendService) Delete(ctx context.Context, r *connect.Request[pb.SuspendDeleteRequest]) (*connect.Response[pb.SuspendDeleteResponse], error) {
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, r.Msg.Id })
	found, err := s.policies.Resume(ctx, r.Msg.Id)
	if err := missing(found, err, "dynamic suspension", r.Msg.Id); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.SuspendDeleteResponse{}), nil
}

// Reload implements pb.SuspendService.
func (s *suspendService) Reload(ctx context.Context, _ *connect.Request[pb.SuspendReloadRequest]) (*connect.Response[pb.SuspendReloadResponse], error) {
	warnings, err := reloaded(ctx, s.files.ReloadSuspend)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.SuspendReloadResponse{Warnings: warnings}), nil
}

// Reload implements pb.DeliveryService.
func (s *deliveryService) Reload(ctx context.Context, _ *connect.Request[pb.DeliveryReloadRequest]) (*connect.Response[pb.DeliveryReloadResponse], error) {
	warnings, err := reloaded(ctx, s.files.ReloadDelivery)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.DeliveryReloadResponse{Warnings: warnings}), nil
}
