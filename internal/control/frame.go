package control

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"
)

// Halon's framed protocol (spec operations.md 5):
//
//	first request  version, 2 bytes · command, 1 byte · length, 8 bytes LE · body
//	later ones     command · length · body
//	answer         '+' or 'E' · length, 8 bytes LE · body
//
// Bodies are the messages of package controlpb, error texts are plain. Commands
// that take no message have neither length nor body.

// isFrame reports whether a connection that begins with b speaks in frames: the
// version is two small numbers or their digits, where HTTP has a letter.
func isFrame(b byte) bool { return b == 5 || b == '5' }

// maxFrameAnswer bounds an answer, which is not streamed.
const maxFrameAnswer = 64 << 20

// frameServer answers connections that speak in frames.
type frameServer struct {
	services *services
	audit    *audit
	draining context.Context // ended when no further request is wanted
	only     string          // the letters that are answered; "": all

	busy atomic.Int32 // requests being answered
	mu   sync.Mutex
	idle chan struct{} // closed when busy falls to 0; nil: nobody waits
}

// serve answers requests until the client goes away, and closes c.
func (s *frameServer) serve(ctx context.Context, c *conn) {
	f := &frameConn{conn: c, in: bufio.NewReader(c)}
	f.ctx, f.cancel = context.WithCancel(ctx)
	defer f.end()
	defer c.Close()
	ctx = context.WithValue(context.WithValue(f.ctx, peerKey{}, c.peer), frameConnKey{}, f)
	stop := context.AfterFunc(s.draining, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var version [2]byte
	if _, err := io.ReadFull(f.in, version[:]); err != nil {
		return
	}
	for s.draining.Err() == nil && s.one(ctx, f) == nil {
	}
}

// one answers one request. An error ends the connection.
func (s *frameServer) one(ctx context.Context, c *frameConn) error {
	if err := c.SetReadDeadline(c.patience()); err != nil {
		return err
	}
	var letter [1]byte
	if _, err := io.ReadFull(c.in, letter[:]); err != nil {
		return err
	}
	command, known := frameCommands[letter[0]]
	if !known || s.only != "" && strings.IndexByte(s.only, letter[0]) < 0 {
		// Whether a length follows is not known, so the connection ends.
		err := fmt.Errorf("unknown command %q", letter[0])
		return errors.Join(c.write('E', []byte(err.Error())), err)
	}
	var body []byte
	if command.takes {
		var err error
		if body, err = readFrameBody(c.in, command.most()); err != nil {
			return err
		}
	}
	s.busy.Add(1)
	defer s.ready()
	answer, err := s.call(ctx, command, body)
	if err != nil {
		return c.write('E', []byte(plainText(err)))
	}
	return c.write('+', answer)
}

func (s *frameServer) call(ctx context.Context, command frameCommand, body []byte) ([]byte, error) {
	ctx, call, began := s.audit.begin(ctx, command.method)
	m, err := command.run(ctx, s.services, body)
	var out []byte
	if err == nil && m != nil {
		out, err = proto.Marshal(m)
	}
	if err == nil && len(out) > maxFrameAnswer {
		err = fmt.Errorf("the answer has %d bytes, more than %d: give a limit", len(out), maxFrameAnswer)
	}
	s.audit.end(call, began, err)
	return out, err
}

// ready ends a request.
func (s *frameServer) ready() {
	if s.busy.Add(-1) > 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle != nil {
		close(s.idle)
		s.idle = nil
	}
}

// wait returns when no request is being answered.
func (s *frameServer) wait(ctx context.Context) error {
	s.mu.Lock()
	if s.busy.Load() == 0 {
		s.mu.Unlock()
		return nil
	}
	idle := make(chan struct{})
	s.idle = idle
	s.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func readFrameBody(r io.Reader, most int) ([]byte, error) {
	var length [8]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > uint64(most) {
		return nil, fmt.Errorf("a request of %d bytes", n)
	}
	body := make([]byte, n)
	_, err := io.ReadFull(r, body)
	return body, err
}

func writeFrame(w io.Writer, kind byte, body []byte) error {
	b := make([]byte, 0, 9+len(body))
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(body)))
	_, err := w.Write(append(b, body...))
	return err
}
