package control

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/queue/archive"
)

// Export implements pb.QueueService.
func (s *queueService) Export(ctx context.Context, r *connect.Request[pb.QueueExportRequest], stream *connect.ServerStream[pb.QueueExportResponse]) error {
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, describe(r.Msg.Conditions) })
	f, err := filter(r.Msg.Conditions)
	if err != nil {
		return err
	}
	out := &sender{send: func(b []byte) error { return stream.Send(&pb.QueueExportResponse{Data: b}) }}
	done, err := s.queue.Export(ctx, f, archive.NewWriter(out))
	if err == nil {
		err = out.flush()
	}
	note(ctx, func(c *Call) { c.Affected = done.Entries })
	return answer(err, connect.CodeInternal)
}

// Import implements pb.QueueService.
func (s *queueService) Import(ctx context.Context, stream *connect.ClientStream[pb.QueueImportRequest]) (*connect.Response[pb.QueueImportResponse], error) {
	note(ctx, func(c *Call) { c.Sensitive = true })
	in := &received{stream: stream}
	if !in.more() {
		return nil, answer(in.end(), connect.CodeInternal)
	}
	var done *pb.QueueImportResponse
	var err error
	if path := stream.Msg().Path; path != "" {
		done, err = s.importPath(ctx, path)
	} else {
		done, err = s.importFrom(ctx, in)
	}
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(done), nil
}

// importPath imports a file that we can read ourselves.
func (s *queueService) importPath(ctx context.Context, path string) (*pb.QueueImportResponse, error) {
	note(ctx, func(c *Call) { c.Sensitive, c.Detail = true, path })
	if !filepath.IsAbs(path) {
		return nil, invalid("path %q: must be absolute", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, connect.NewError(connect.CodeNotFound, err)
	}
	defer file.Close()
	return s.importFrom(ctx, file)
}

// importFrom imports one archive after another: two of them with the same
// messages must not both find that these are not there.
func (s *queueService) importFrom(ctx context.Context, r io.Reader) (*pb.QueueImportResponse, error) {
	select {
	case s.importing <- struct{}{}:
		defer func() { <-s.importing }()
	case <-ctx.Done():
		return nil, answer(context.Cause(ctx), connect.CodeCanceled)
	}
	done, err := s.queue.Import(ctx, archive.NewReader(r))
	note(ctx, func(c *Call) { c.Affected = done.Entries })
	if err != nil {
		return nil, answer(withCount(err, done), connect.CodeInternal)
	}
	return &pb.QueueImportResponse{
		Messages: uint64(done.Messages), Entries: uint64(done.Entries),
		Skipped: uint64(done.Skipped), Damaged: uint64(done.Damaged),
	}, nil
}

// withCount says what stands although the rest failed.
func withCount(err error, done queue.Imported) error {
	return &partialImport{err, done}
}

type partialImport struct {
	err  error
	done queue.Imported
}

func (p *partialImport) Error() string {
	return p.err.Error() + " (before that, " + plural(p.done.Messages, "message") + " imported)"
}

func (p *partialImport) Unwrap() error { return p.err }

// received reads the pieces that a client sends as one stream.
type received struct {
	stream *connect.ClientStream[pb.QueueImportRequest]
	rest   []byte
}

// more waits for the next piece.
func (r *received) more() bool {
	if !r.stream.Receive() {
		return false
	}
	r.rest = r.stream.Msg().Data
	return true
}

// end is why there is no further piece.
func (r *received) end() error {
	if err := r.stream.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return archive.ErrTruncated
}

func (r *received) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if !r.more() {
			if err := r.stream.Err(); err != nil {
				return 0, err
			}
			return 0, io.EOF
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
