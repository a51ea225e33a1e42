package control

import (
	"context"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/policy"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// Explain implements pb.QueueService.
func (s *queueService) Explain(ctx context.Context, r *connect.Request[pb.QueueExplainRequest]) (*connect.Response[pb.QueueExplainResponse], error) {
	list, err := s.explain(ctx, r.Msg)
	if err != nil {
		return nil, answer(err, connect.CodeInternal)
	}
	out := &pb.QueueExplainResponse{}
	for i := range list {
		out.Explanations = append(out.Explanations, explanationMessage(&list[i]))
	}
	return connect.NewResponse(out), nil
}

func (s *queueService) explain(ctx context.Context, r *pb.QueueExplainRequest) ([]queue.Explanation, error) {
	if (r.Id == "") == (r.Group == "") {
		return nil, invalid("want an id or a group")
	}
	if r.Group != "" {
		return s.queue.ExplainGroup(ctx, r.Group)
	}
	id, err := envelope.ParseID(r.Id)
	if err != nil {
		return nil, invalid("id: %w", err)
	}
	return s.queue.Explain(ctx, id, r.Queueid)
}

func explanationMessage(x *queue.Explanation) *pb.QueueExplanation {
	m := &pb.QueueExplanation{
		Waiting: uint64(x.Waiting), Sending: uint64(x.Sending), Next: unixMilli(x.Next), Summary: utf8Text(x.Summary),
	}
	if x.View != nil {
		m.Entry = wholeEntry(x.View)
	} else {
		m.Values = presentValues(&x.Tuple.Values)
	}
	for _, s := range x.Steps {
		m.Steps = append(m.Steps, &pb.QueueStep{At: unixMilli(s.At), Kind: s.Kind, Text: utf8Text(s.Text)})
	}
	for i := range x.Ways {
		m.Ways = append(m.Ways, wayMessage(&x.Ways[i]))
	}
	return m
}

// presentValues lists the values that are not empty.
func presentValues(v *policy.Values) (out []*pb.FieldMatch) {
	for f := policy.TenantID; f <= policy.RecipientDomain; f++ {
		if v[f] != "" {
			out = append(out, &pb.FieldMatch{Field: f.String(), Values: []string{utf8Text(v[f])}})
		}
	}
	return out
}

func wayMessage(w *queue.Way) *pb.QueueWay {
	m := &pb.QueueWay{
		Localip: w.Local, Reason: w.Why.String(), Since: unixMilli(w.Since), Until: unixMilli(w.Until),
		Holders: w.Holders, Text: utf8Text(w.Text),
	}
	if c := w.Counter; c != nil {
		m.Fields, m.Values = c.Fields.Names(), valueList(c.Fields, &c.Values)
		m.Limits, m.Used = limitsMessage(&c.Limits), uint32(c.Used)
		for _, d := range c.Dynamics {
			m.Policies = append(m.Policies, utf8Text(d.ID))
		}
	}
	if s := w.Suspension; s != nil {
		m.Suspension, m.Tag, m.Match = utf8Text(s.ID), utf8Text(s.Tag), matchList(&s.If)
	}
	return m
}

// wholeEntry has all columns that cost nothing.
func wholeEntry(v *queue.View) *pb.QueueEntry {
	e := &pb.QueueEntry{}
	entryName(e, v)
	for i := range columns {
		if !columns[i].Costly {
			columns[i].fill(e, v)
		}
	}
	clean(e)
	return e
}
