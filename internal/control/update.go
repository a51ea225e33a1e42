package control

import (
	"context"
	"math"
	"strings"
	"time"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// progressEvery is how often a long call says how far it is.
const progressEvery = 200 * time.Millisecond

// maxDelay is the longest that an entry can be put off: a year.
const maxDelay = 365 * 24 * time.Hour

// Update implements pb.QueueService.
func (s *queueService) Update(ctx context.Context, r *connect.Request[pb.QueueUpdateRequest], stream *connect.ServerStream[pb.QueueUpdateResponse]) error {
	return s.update(ctx, r.Msg, stream.Send)
}

// update sends how far it is now and then, and at its end.
func (s *queueService) update(ctx context.Context, r *pb.QueueUpdateRequest, send func(*pb.QueueUpdateResponse) error) error {
	note(ctx, func(c *Call) {
		c.Sensitive = true
		c.Detail = describeAction(r.Action) + " " + describe(r.Conditions)
	})
	f, err := filter(r.Conditions)
	if err != nil {
		return err
	}
	if f.MatchesAll() && !r.All {
		return invalid("no condition given; to change every entry, say so (all)")
	}
	action, err := actionOf(r.Action)
	if err != nil {
		return err
	}
	total := 0
	if r.Total && !f.NeedsLoad() {
		if total, err = s.queue.Count(ctx, f); err != nil {
			return answer(err, connect.CodeInternal)
		}
	}
	progress := every(progressEvery, func(n int) {
		// A client that is gone ends ctx, and with it the update.
		_ = send(&pb.QueueUpdateResponse{Affected: uint64(n), Total: uint64(total)})
	})
	n, err := s.queue.Update(ctx, f, action, progress)
	note(ctx, func(c *Call) { c.Affected = n })
	if err != nil {
		return answer(err, connect.CodeFailedPrecondition)
	}
	return send(&pb.QueueUpdateResponse{Affected: uint64(n), Total: uint64(n), Done: true})
}

var verbs = map[pb.QueueAction_Verb]queue.Verb{
	pb.QueueAction_VERB_CHANGE:  queue.Change,
	pb.QueueAction_VERB_ACTIVE:  queue.Activate,
	pb.QueueAction_VERB_HOLD:    queue.Hold,
	pb.QueueAction_VERB_RELEASE: queue.Release,
	pb.QueueAction_VERB_DEFER:   queue.Postpone,
	pb.QueueAction_VERB_DELETE:  queue.Remove,
	pb.QueueAction_VERB_BOUNCE:  queue.Return,
}

func actionOf(a *pb.QueueAction) (queue.Action, error) {
	verb, ok := verbs[a.GetVerb()]
	if !ok {
		return queue.Action{}, invalid("unknown action %d", a.GetVerb())
	}
	if verb == queue.Change && a.GetTransportid() == "" && len(a.GetMetadata()) == 0 {
		return queue.Action{}, invalid("no action given")
	}
	delay := time.Duration(math.Min(a.DelaySeconds, maxDelay.Seconds()) * float64(time.Second))
	if verb == queue.Postpone && delay <= 0 || verb != queue.Postpone && delay != 0 {
		return queue.Action{}, invalid("a delay is wanted with defer and only there")
	}
	return queue.Action{
		Verb: verb, Delay: delay, Reason: oneLine(a.Reason),
		Transport: a.Transportid, Metadata: a.Metadata,
	}, nil
}

// oneLine keeps a reason from adding lines to reports and logs.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func describeAction(a *pb.QueueAction) string {
	return strings.ToLower(strings.TrimPrefix(a.GetVerb().String(), "VERB_"))
}
