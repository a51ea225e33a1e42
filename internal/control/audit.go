package control

import (
	"context"
	"strings"
	"time"

	"connectrpc.com/connect"
)

// audit counts each call and reports it. It is an interceptor of connect.
type audit struct {
	events  *Events
	metrics *Metrics
}

func (a *audit) begin(ctx context.Context, procedure string) (context.Context, *Call, time.Time) {
	method := procedure[strings.LastIndexByte(procedure, '.')+1:]
	c := &Call{Peer: peerOf(ctx), Method: method}
	return context.WithValue(ctx, callKey{}, c), c, time.Now()
}

func (a *audit) end(c *Call, began time.Time, err error) {
	c.Took, c.Err = time.Since(began), err
	a.metrics.Calls.Inc()
	if err != nil {
		a.metrics.Errors.Inc()
	}
	a.events.called(c)
}

// WrapUnary implements connect.Interceptor.
func (a *audit) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, c, began := a.begin(ctx, r.Spec().Procedure)
		answer, err := next(ctx, r)
		a.end(c, began, err)
		return answer, err
	}
}

// WrapStreamingHandler implements connect.Interceptor.
func (a *audit) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		ctx, c, began := a.begin(ctx, conn.Spec().Procedure)
		err := next(ctx, conn)
		a.end(c, began, err)
		return err
	}
}

// WrapStreamingClient implements connect.Interceptor; we are no client.
func (a *audit) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}
