package control

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
)

// Scripts is what scripts share.
type Scripts interface {
	// Memory calls yield for each entry of shared memory whose key begins with
	// prefix, in the order of the keys, until it returns false. Values are cut.
	Memory(prefix string, yield func(MemoryEntry) bool)
	// Fetch returns one entry.
	Fetch(key string) (MemoryEntry, bool)
	// Store makes a value, in JSON, that of the key, and reports whether the key
	// was there.
	Store(key, json string) (replaced bool, err error)
	// Delete removes a key and reports whether it was there.
	Delete(key string) bool
	// Caches returns the tables of cached calls.
	Caches() []ScriptCache
	// ClearCaches forgets calls, of one namespace and function only unless these
	// are nil, and returns how many there were.
	ClearCaches(namespace, function *string) int
}

// MemoryEntry is a key of shared memory and its value.
type MemoryEntry struct {
	Key  string
	Type string
	JSON string
	Size int64 // bytes that it is charged
}

// ScriptCache is the table of cached calls of one function in one namespace.
type ScriptCache struct {
	Namespace, Function         string
	MaxSize, Size               int
	Hits, Misses, Evicts, Waits int64
}

type hslService struct{ scripts Scripts }

func (e MemoryEntry) message() *pb.HSLMemoryEntry {
	return &pb.HSLMemoryEntry{Key: utf8Text(e.Key), Type: e.Type, Value: utf8Text(e.JSON), Size: uint64(e.Size)}
}

// MemoryList implements pb.HSLService.
func (s *hslService) MemoryList(_ context.Context, r *connect.Request[pb.HSLMemoryListRequest], stream *connect.ServerStream[pb.HSLMemoryListResponse]) error {
	return s.memory(r.Msg, stream.Send)
}

func (s *hslService) memory(r *pb.HSLMemoryListRequest, send func(*pb.HSLMemoryListResponse) error) error {
	page := &pb.HSLMemoryListResponse{}
	var failed error
	flush := func() bool {
		failed = send(page)
		page = &pb.HSLMemoryListResponse{}
		return failed == nil
	}
	s.scripts.Memory(r.Prefix, func(e MemoryEntry) bool {
		page.Entries = append(page.Entries, e.message())
		return len(page.Entries) < maxPage || flush()
	})
	if failed == nil && len(page.Entries) > 0 {
		flush()
	}
	return failed
}

// MemoryFetch implements pb.HSLService.
func (s *hslService) MemoryFetch(ctx context.Context, r *connect.Request[pb.HSLMemoryFetchRequest]) (*connect.Response[pb.HSLMemoryEntry], error) {
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, r.Msg.Key })
	e, ok := s.scripts.Fetch(r.Msg.Key)
	if !ok {
		return nil, connect.NewError(connect.CodeNotFound, fmt.Errorf("nothing is stored under %q", r.Msg.Key))
	}
	return connect.NewResponse(e.message()), nil
}

// MemoryStore implements pb.HSLService.
func (s *hslService) MemoryStore(ctx context.Context, r *connect.Request[pb.HSLMemoryStoreRequest]) (*connect.Response[pb.HSLMemoryStoreResponse], error) {
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, r.Msg.Key })
	if r.Msg.Key == "" {
		return nil, invalid("a key is wanted")
	}
	replaced, err := s.scripts.Store(r.Msg.Key, r.Msg.Value)
	if err != nil {
		return nil, answer(err, connect.CodeInvalidArgument)
	}
	return connect.NewResponse(&pb.HSLMemoryStoreResponse{Replaced: replaced}), nil
}

// MemoryDelete implements pb.HSLService.
func (s *hslService) MemoryDelete(ctx context.Context, r *connect.Request[pb.HSLMemoryDeleteRequest]) (*connect.Response[pb.HSLMemoryDeleteResponse], error) {
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, r.Msg.Key })
	return connect.NewResponse(&pb.HSLMemoryDeleteResponse{Deleted: s.scripts.Delete(r.Msg.Key)}), nil
}

// CacheList implements pb.HSLService.
func (s *hslService) CacheList(context.Context, *connect.Request[pb.HSLCacheListRequest]) (*connect.Response[pb.HSLCacheListResponse], error) {
	out := &pb.HSLCacheListResponse{}
	for _, c := range s.scripts.Caches() {
		out.Caches = append(out.Caches, &pb.HSLCache{
			Namespace: utf8Text(c.Namespace), Function: utf8Text(c.Function), MaxSize: uint64(c.MaxSize), Size: uint64(c.Size),
			Hits: uint64(c.Hits), Misses: uint64(c.Misses), Evicts: uint64(c.Evicts), Waits: uint64(c.Waits),
		})
	}
	return connect.NewResponse(out), nil
}

// CacheClear implements pb.HSLService.
func (s *hslService) CacheClear(ctx context.Context, r *connect.Request[pb.HSLCacheClearRequest]) (*connect.Response[pb.HSLCacheClearResponse], error) {
	n := s.scripts.ClearCaches(r.Msg.Namespace, r.Msg.Function)
	note(ctx, func(c *Call) { c.Sensitive, c.Affected = true, n })
	return connect.NewResponse(&pb.HSLCacheClearResponse{Cleared: uint64(n)}), nil
}

// frameMemory answers with all of shared memory at once, so there is a bound.
func frameMemory(_ context.Context, s *services) (*pb.HSLMemoryListResponse, error) {
	if s.hsl == nil {
		return nil, errNoPart
	}
	all := &pb.HSLMemoryListResponse{}
	size := 0
	errFull := errors.New("shared memory does not fit into one answer: ask for single keys")
	err := s.hsl.memory(&pb.HSLMemoryListRequest{}, func(page *pb.HSLMemoryListResponse) error {
		for _, e := range page.Entries {
			if size += len(e.Key) + len(e.Value) + 32; size > maxFrameAnswer/2 {
				return errFull
			}
		}
		all.Entries = append(all.Entries, page.Entries...)
		return nil
	})
	return all, err
}
