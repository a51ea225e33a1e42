package control

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// maxGroups bounds the groups that are counted at once, at some 150 bytes each.
const maxGroups = 200_000

// Count implements pb.QueueService.
func (s *queueService) Count(ctx context.Context, r *connect.Request[pb.QueueCountRequest]) (*connect.Response[pb.QueueCountResponse], error) {
	f, err := filter(r.Msg.Conditions)
	if err != nil {
		return nil, err
	}
	note(ctx, func(c *Call) { c.Detail = describe(r.Msg.Conditions) })
	n, err := s.queue.Count(ctx, f)
	if err != nil {
		return nil, answer(err, connect.CodeInternal)
	}
	_, onDisk, err := s.queue.Sizes(ctx)
	if err != nil {
		return nil, answer(err, connect.CodeInternal)
	}
	return connect.NewResponse(&pb.QueueCountResponse{Count: uint64(n), Pending: uint64(onDisk)}), nil
}

// GroupBy implements pb.QueueService.
func (s *queueService) GroupBy(ctx context.Context, r *connect.Request[pb.QueueGroupByRequest], stream *connect.ServerStream[pb.QueueGroupByResponse]) error {
	groups, err := s.groupBy(ctx, r.Msg)
	if err != nil {
		return err
	}
	for page := range slices.Chunk(groups, maxPage) {
		if err := stream.Send(&pb.QueueGroupByResponse{Groups: page}); err != nil {
			return err
		}
	}
	return nil
}

func (s *queueService) groupBy(ctx context.Context, r *pb.QueueGroupByRequest) ([]*pb.QueueGroup, error) {
	if len(r.Fields) == 0 {
		return nil, invalid("a field to group by is wanted")
	}
	l, err := newListing(&pb.QueueListRequest{Conditions: r.Conditions, Fields: r.Fields})
	if err != nil {
		return nil, err
	}
	note(ctx, func(c *Call) { c.Detail = strings.Join(r.Fields, ",") + " of " + describe(r.Conditions) })
	groups, err := l.group(ctx, s.queue)
	if err != nil {
		return nil, answer(err, connect.CodeInternal)
	}
	if n := int(r.Limit); n > 0 && n < len(groups) {
		groups = groups[:n]
	}
	return groups, nil
}

// group counts entries by the values of the columns, largest group first.
func (l *listing) group(ctx context.Context, q Queue) ([]*pb.QueueGroup, error) {
	byKey := map[string]*pb.QueueGroup{}
	var e pb.QueueEntry
	var failed error
	values := make([]string, len(l.columns))
	err := q.Walk(ctx, l.filter, func(v *queue.View) bool {
		e.Reset()
		if !l.fill(q, &e, v) {
			return true
		}
		for i := range l.columns {
			values[i] = l.columns[i].bucket(&e, l.now)
		}
		key := strings.Join(values, "\x00")
		g := byKey[key]
		if g == nil {
			if len(byKey) == maxGroups {
				failed = tooManyGroups()
				return false
			}
			g = &pb.QueueGroup{Values: slices.Clone(values)}
			byKey[key] = g
		}
		g.Count++
		g.Bytes += v.Size
		return true
	})
	if err := cmp.Or(failed, err); err != nil {
		return nil, err
	}
	return largestFirst(byKey), nil
}

func largestFirst(byKey map[string]*pb.QueueGroup) []*pb.QueueGroup {
	groups := make([]*pb.QueueGroup, 0, len(byKey))
	for _, g := range byKey {
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b *pb.QueueGroup) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), slices.Compare(a.Values, b.Values))
	})
	return groups
}

func tooManyGroups() error {
	return connect.NewError(connect.CodeResourceExhausted,
		fmt.Errorf("more than %d groups: narrow the conditions, or choose other fields", maxGroups))
}

// Quota implements pb.QueueService.
func (s *queueService) Quota(_ context.Context, r *connect.Request[pb.QueueQuotaRequest]) (*connect.Response[pb.QueueQuotaResponse], error) {
	quotas := []queue.Quota{}
	if name := r.Msg.Name; name != "" {
		quotas = append(quotas, s.queue.Quota(name))
	} else {
		quotas = s.queue.Quotas()
	}
	slices.SortFunc(quotas, func(a, b queue.Quota) int { return strings.Compare(a.Name, b.Name) })
	out := &pb.QueueQuotaResponse{}
	for _, q := range quotas {
		out.Quotas = append(out.Quotas, &pb.QueueQuota{Name: utf8Text(q.Name), Count: q.Count, Bytes: q.Bytes})
	}
	return connect.NewResponse(out), nil
}

// every calls f no more often than once in interval.
func every(interval time.Duration, f func(int)) func(int) {
	var last time.Time
	return func(n int) {
		if now := time.Now(); now.Sub(last) >= interval {
			last = now
			f(n)
		}
	}
}
