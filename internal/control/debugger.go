package control

import (
	"context"
	"net"
)

// AnswerDebugger answers a debugger that asks over c, in Halon's framing, what happens at
// the break points of the only stage of live: with the letter e it waits for the
// next copy, with f it lets the script go on (spec operations.md 5). Nothing else
// is answered. It returns when the debugger has hung up or ctx ends, and closes c.
func AnswerDebugger(ctx context.Context, c net.Conn, live Livestage) {
	s := &frameServer{
		services: newServices(&Parts{Livestage: live}), audit: &audit{events: new(Events), metrics: new(Metrics)},
		draining: ctx, only: "ef",
	}
	s.serve(ctx, newConn(c, func() {}))
}
