package control

import (
	"context"
	"errors"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// frameCommand is a command letter and the method that it stands for.
type frameCommand struct {
	method string
	takes  bool // a message
	run    func(context.Context, *services, []byte) (proto.Message, error)
}

// most bounds a message of the command.
func (c frameCommand) most() int {
	if strings.HasPrefix(c.method, ".Livestage") {
		return maxConfig
	}
	return maxRequest
}

// frameCommands are the letters of spec operations.md 5 that have a meaning
// here.
var frameCommands = map[byte]frameCommand{
	'q': {".ProcessService/Stats", false, func(ctx context.Context, s *services, _ []byte) (proto.Message, error) {
		return unary(ctx, s.process.Stats, &pb.ProcessStatsRequest{})
	}},
	'r': {".ConfigService/Reload", false, func(ctx context.Context, s *services, _ []byte) (proto.Message, error) {
		if s.config == nil {
			return nil, errNoPart
		}
		return unary(ctx, s.config.Reload, &pb.ConfigReloadRequest{})
	}},
	'a': {".LivestageService/Start", true, frameStart},
	'b': {".LivestageService/Status", false, frameStatus},
	'c': {".LivestageService/Cancel", false, frameCancel},
	'd': {".LivestageService/Break", true, frameBreak},
	'e': {".LivestageService/Wait", false, frameWait},
	'f': {".LivestageService/Continue", false, frameContinue},
	'g': {".HSLService/CacheList", false, func(ctx context.Context, s *services, _ []byte) (proto.Message, error) {
		if s.hsl == nil {
			return nil, errNoPart
		}
		return unary(ctx, s.hsl.CacheList, &pb.HSLCacheListRequest{})
	}},
	'h': {".HSLService/CacheClear", true, func(ctx context.Context, s *services, body []byte) (proto.Message, error) {
		var r pb.HSLCacheClearRequest
		if s.hsl == nil {
			return nil, errNoPart
		}
		return decoded(ctx, s.hsl.CacheClear, body, &r)
	}},
	'y': {".HSLService/MemoryList", false, func(ctx context.Context, s *services, _ []byte) (proto.Message, error) {
		return frameMemory(ctx, s)
	}},
	'z': {".HSLService/MemoryStore", true, func(ctx context.Context, s *services, body []byte) (proto.Message, error) {
		var r pb.HSLMemoryStoreRequest
		if s.hsl == nil {
			return nil, errNoPart
		}
		return decoded(ctx, s.hsl.MemoryStore, body, &r)
	}},
	'A': {".HSLService/MemoryDelete", true, func(ctx context.Context, s *services, body []byte) (proto.Message, error) {
		var r pb.HSLMemoryDeleteRequest
		if s.hsl == nil {
			return nil, errNoPart
		}
		return decoded(ctx, s.hsl.MemoryDelete, body, &r)
	}},
	'C': {".ResolverService/Clear", true, func(ctx context.Context, s *services, body []byte) (proto.Message, error) {
		var r pb.ResolverClearRequest
		if s.resolver == nil {
			return nil, errNoPart
		}
		return decoded(ctx, s.resolver.Clear, body, &r)
	}},
	'o': {".SuspendService/Reload", false, func(ctx context.Context, s *services, _ []byte) (proto.Message, error) {
		if s.suspend == nil {
			return nil, errNoPart
		}
		return unary(ctx, s.suspend.Reload, &pb.SuspendReloadRequest{})
	}},
	'p': {".PolicyService/Reload", false, func(ctx context.Context, s *services, _ []byte) (proto.Message, error) {
		if s.policy == nil {
			return nil, errNoPart
		}
		return unary(ctx, s.policy.Reload, &pb.PolicyReloadRequest{})
	}},
	'H': {".DeliveryService/Reload", false, func(ctx context.Context, s *services, _ []byte) (proto.Message, error) {
		if s.delivery == nil {
			return nil, errNoPart
		}
		return unary(ctx, s.delivery.Reload, &pb.DeliveryReloadRequest{})
	}},
	's': {".SuspendService/List", true, suspendCommand((*suspendService).List)},
	't': {".SuspendService/Add", true, suspendCommand((*suspendService).Add)},
	'u': {".SuspendService/Delete", true, suspendCommand((*suspendService).Delete)},
	'v': {".PolicyService/List", true, framePolicies},
	'w': {".PolicyService/Add", true, policyCommand((*policyService).Add)},
	'x': {".PolicyService/Delete", true, policyCommand((*policyService).Delete)},
	'B': {".PolicyService/Refill", true, policyCommand((*policyService).Refill)},
	'F': {".QueueService/List", true, frameList},
	'D': {".QueueService/GroupBy", true, frameGroupBy},
	'G': {".QueueService/Update", true, frameUpdate},
	'E': {".QueueService/Import", true, frameImport},
	'I': {".QueueService/Quota", true, func(ctx context.Context, s *services, body []byte) (proto.Message, error) {
		var r pb.QueueQuotaRequest
		if s.queue == nil {
			return nil, errNoPart
		}
		return decoded(ctx, s.queue.Quota, body, &r)
	}},
}

var errNoPart = errors.New("this process has no such part")

// unary calls a method that answers with one message.
func unary[Q, A any](ctx context.Context, call func(context.Context, *connect.Request[Q]) (*connect.Response[A], error), r *Q) (proto.Message, error) {
	answer, err := call(ctx, connect.NewRequest(r))
	if err != nil {
		return nil, err
	}
	return any(answer.Msg).(proto.Message), nil
}

func decoded[Q, A any](ctx context.Context, call func(context.Context, *connect.Request[Q]) (*connect.Response[A], error), body []byte, r *Q) (proto.Message, error) {
	if err := decodeFrame(body, any(r).(proto.Message)); err != nil {
		return nil, err
	}
	return unary(ctx, call, r)
}

func decodeFrame(body []byte, into proto.Message) error {
	if err := proto.Unmarshal(body, into); err != nil {
		return invalid("malformed request: %w", err)
	}
	return nil
}

// frameList answers with all rows at once, so there is a bound.
func frameList(ctx context.Context, s *services, body []byte) (proto.Message, error) {
	var r pb.QueueListRequest
	if err := decodeFrame(body, &r); err != nil {
		return nil, err
	}
	if s.queue == nil {
		return nil, errNoPart
	}
	if r.Sort == "" && (r.Limit == 0 || r.Limit > maxSorted) {
		r.Limit = maxSorted + 1 // a sorted list has its own bound
	}
	answer := &pb.QueueListResponse{}
	err := s.queue.list(ctx, &r, func(rows []*pb.QueueEntry) error {
		for _, e := range rows { // rows are used again
			answer.Entries = append(answer.Entries, proto.CloneOf(e))
		}
		return nil
	})
	if err == nil && len(answer.Entries) > maxSorted {
		err = invalid("more than %d entries: give a limit", maxSorted)
	}
	return answer, err
}

func frameGroupBy(ctx context.Context, s *services, body []byte) (proto.Message, error) {
	var r pb.QueueGroupByRequest
	if err := decodeFrame(body, &r); err != nil {
		return nil, err
	}
	if s.queue == nil {
		return nil, errNoPart
	}
	groups, err := s.queue.groupBy(ctx, &r)
	return &pb.QueueGroupByResponse{Groups: groups}, err
}

func frameUpdate(ctx context.Context, s *services, body []byte) (proto.Message, error) {
	var r pb.QueueUpdateRequest
	if err := decodeFrame(body, &r); err != nil {
		return nil, err
	}
	if s.queue == nil {
		return nil, errNoPart
	}
	var last *pb.QueueUpdateResponse
	err := s.queue.update(ctx, &r, func(m *pb.QueueUpdateResponse) error { last = m; return nil })
	return last, err
}

func frameImport(ctx context.Context, s *services, body []byte) (proto.Message, error) {
	var r pb.QueueImportRequest
	if err := decodeFrame(body, &r); err != nil {
		return nil, err
	}
	if s.queue == nil {
		return nil, errNoPart
	}
	return s.queue.importPath(ctx, r.Path)
}

// plainText is an error without the name of its code.
func plainText(err error) string {
	var known *connect.Error
	if errors.As(err, &known) {
		return known.Message()
	}
	return err.Error()
}

// framePolicies answers with all rows at once, so there is a bound.
func framePolicies(ctx context.Context, s *services, body []byte) (proto.Message, error) {
	var r pb.PolicyListRequest
	if err := decodeFrame(body, &r); err != nil {
		return nil, err
	}
	if s.policy == nil {
		return nil, errNoPart
	}
	rows, err := s.policy.list(ctx, &r)
	if err == nil && len(rows) > maxSorted {
		err = invalid("more than %d rows: give values", maxSorted)
	}
	return &pb.PolicyListResponse{Rows: rows}, err
}

// command is a method of a service with one request and one answer.
type command[S, Q, A any] func(*S, context.Context, *connect.Request[Q]) (*connect.Response[A], error)

func policyCommand[Q, A any](method command[policyService, Q, A]) func(context.Context, *services, []byte) (proto.Message, error) {
	return func(ctx context.Context, s *services, body []byte) (proto.Message, error) {
		if s.policy == nil {
			return nil, errNoPart
		}
		return decoded(ctx, func(ctx context.Context, r *connect.Request[Q]) (*connect.Response[A], error) {
			return method(s.policy, ctx, r)
		}, body, new(Q))
	}
}

func suspendCommand[Q, A any](method command[suspendService, Q, A]) func(context.Context, *services, []byte) (proto.Message, error) {
	return func(ctx context.Context, s *services, body []byte) (proto.Message, error) {
		if s.suspend == nil {
			return nil, errNoPart
		}
		return decoded(ctx, func(ctx context.Context, r *connect.Request[Q]) (*connect.Response[A], error) {
			return method(s.suspend, ctx, r)
		}, body, new(Q))
	}
}
