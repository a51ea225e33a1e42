package socket

import (
	"context"
	"os"
	"time"

	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// wait calls try, again whenever the socket is ready, until it is done. It ends
// with an error when the time-out of the socket is over, and with an uncatchable
// one when the script ends. The caller holds the lock.
func (s *Socket) wait(t *value.Thread, try func(fd int) (done bool, err error), writing bool) error {
	file, err := s.polled()
	if err != nil {
		return err
	}
	ctx := t.Context()
	if err := file.SetDeadline(s.deadline()); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { interrupt(file) })
	defer stop()
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	ready := func(fd uintptr) (done bool) {
		done, err = try(int(fd))
		return done
	}
	var waited error
	if writing {
		waited = raw.Write(ready)
	} else {
		waited = raw.Read(ready)
	}
	if err == nil {
		err = waited
	}
	if err != nil && ctx.Err() != nil {
		return t.Interrupted(err)
	}
	return err
}

func (s *Socket) deadline() time.Time {
	if s.timeout == 0 {
		return time.Time{}
	}
	return time.Now().Add(s.timeout)
}

// interrupt ends whatever waits for the file.
func interrupt(file *os.File) {
	file.SetDeadline(time.Unix(1, 0)) //nolint:errcheck // it was closed meanwhile
}
