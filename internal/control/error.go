package control

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"github.com/posthaste-mta/posthaste/internal/queue"
	"github.com/posthaste-mta/posthaste/internal/queue/archive"
)

func invalid(format string, args ...any) error {
	return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf(format, args...))
}

// codes are what the errors of the parts mean to a client.
var codes = []struct {
	err  error
	code connect.Code
}{
	{context.Canceled, connect.CodeCanceled},
	{context.DeadlineExceeded, connect.CodeDeadlineExceeded},
	{queue.ErrStopped, connect.CodeUnavailable},
	{queue.ErrGone, connect.CodeNotFound},
	{archive.ErrFormat, connect.CodeDataLoss},
	{archive.ErrVersion, connect.CodeDataLoss},
	{archive.ErrTruncated, connect.CodeDataLoss},
}

// answer gives err the code that fits, with fallback for what is not listed.
func answer(err error, fallback connect.Code) error {
	var known *connect.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	for _, c := range codes {
		if errors.Is(err, c.err) {
			return connect.NewError(c.code, err)
		}
	}
	return connect.NewError(fallback, err)
}
