package control

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	pb "github.com/posthaste-mta/posthaste/internal/control/controlpb"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/queue"
)

// maxShown bounds the entries of one message that are shown with it; a list
// shows the others.
const maxShown = 1000

// Show implements pb.QueueService.
func (s *queueService) Show(ctx context.Context, r *connect.Request[pb.QueueShowRequest], stream *connect.ServerStream[pb.QueueShowResponse]) error {
	id := r.Msg.Id
	if r.Msg.Queueid != 0 {
		id += ":" + strconv.FormatUint(uint64(r.Msg.Queueid), 10)
	}
	note(ctx, func(c *Call) {
		c.Detail, c.Sensitive = id, r.Msg.Content != pb.QueueShowRequest_CONTENT_NONE
	})
	views, err := s.entries(ctx, id)
	if err != nil {
		return err
	}
	note(ctx, func(c *Call) { c.Affected = len(views) })
	content, err := s.queue.Content(&views[0])
	if err != nil {
		return answer(err, connect.CodeInternal)
	}
	defer content.Close()
	if err := stream.Send(shown(views)); err != nil {
		return err
	}
	out := &sender{send: func(b []byte) error { return stream.Send(&pb.QueueShowResponse{Content: b}) }}
	switch r.Msg.Content {
	case pb.QueueShowRequest_CONTENT_HEADERS:
		_, err = io.Copy(out, &header{r: io.NewSectionReader(content, 0, content.Size())})
	case pb.QueueShowRequest_CONTENT_MESSAGE:
		_, err = content.WriteTo(out)
	}
	if err == nil {
		err = out.flush()
	}
	return answer(err, connect.CodeInternal)
}

// entries returns what is in the queue under an id, at least one.
func (s *queueService) entries(ctx context.Context, id string) ([]queue.View, error) {
	f, err := filter([]*pb.QueueCondition{{Field: "id", Values: []string{id}}})
	if err != nil {
		return nil, err
	}
	var views []queue.View
	err = s.queue.Walk(ctx, f, func(v *queue.View) bool {
		views = append(views, *v)
		return len(views) < maxShown
	})
	if err == nil && len(views) == 0 {
		err = queue.ErrGone
	}
	return views, answer(err, connect.CodeInternal)
}

// shown is the first answer to Show. The first view is loaded.
func shown(views []queue.View) *pb.QueueShowResponse {
	m := views[0].Envelope
	out := &pb.QueueShowResponse{Envelope: envelopeOf(m)}
	for i := range views {
		v, e := &views[i], new(pb.QueueEntry)
		v.Envelope = m
		for _, c := range columns {
			c.fill(e, v)
		}
		clean(e)
		out.Entries = append(out.Entries, e)
		for j := range m.Recipients {
			if r := &m.Recipients[j]; r.Number == v.Number && (r.Notify != 0 || r.ORcpt != "") {
				out.Envelope.Notify[v.Number] = &pb.QueueNotify{Notify: notifyText(r.Notify), Orcpt: utf8Text(r.ORcpt)}
			}
		}
	}
	return out
}

func envelopeOf(m *envelope.Message) *pb.QueueEnvelope {
	e := &pb.QueueEnvelope{
		Id: m.ID.String(), Ts: unixMilli(m.Received), Serverid: m.ServerID,
		Senderport: uint32(m.Client.Port), Senderptr: utf8Text(m.Client.PTR), Senderhelo: utf8Text(m.Client.Helo),
		Saslusername: utf8Text(m.Client.Username), Tls: m.Client.TLS, Cipher: m.Client.Cipher,
		Body:     [...]string{"7BIT", "8BITMIME", "BINARYMIME"}[min(m.Body, envelope.BodyBinaryMIME)],
		Smtputf8: m.SMTPUTF8, Requiretls: m.RequireTLS,
		Envid: utf8Text(m.EnvID), Ret: [...]string{"", "FULL", "HDRS"}[min(m.Ret, envelope.RetHeaders)],
		Subject: utf8Text(m.Subject), Size: m.Size, Notify: map[uint32]*pb.QueueNotify{},
	}
	if m.Client.IP.IsValid() {
		e.Senderip = m.Client.IP.String()
	}
	return e
}

func notifyText(n envelope.Notify) string {
	var words []string
	for _, w := range []struct {
		bit  envelope.Notify
		word string
	}{
		{envelope.NotifyNever, "NEVER"}, {envelope.NotifySuccess, "SUCCESS"},
		{envelope.NotifyFailure, "FAILURE"}, {envelope.NotifyDelay, "DELAY"},
	} {
		if n&w.bit != 0 {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ",")
}

// header reads a message up to and with the empty line that ends its header.
type header struct {
	r    io.Reader
	tail []byte // the last three bytes seen
	done bool
}

func (h *header) Read(p []byte) (int, error) {
	if h.done {
		return 0, io.EOF
	}
	n, err := h.r.Read(p)
	joined := append(h.tail, p[:n]...)
	if i := bytes.Index(joined, []byte("\r\n\r\n")); i >= 0 {
		h.done = true
		return i + 4 - len(h.tail), nil
	}
	h.tail = bytes.Clone(joined[max(0, len(joined)-3):])
	return n, err
}

// maxData is how many bytes of content go in one message.
const maxData = 64 << 10

// sender sends what is written in messages of a fair size.
type sender struct {
	send func([]byte) error
	held []byte
}

func (s *sender) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(len(p), maxData-len(s.held))
		s.held = append(s.held, p[:k]...)
		if p = p[k:]; len(s.held) == maxData {
			if err := s.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (s *sender) flush() error {
	if len(s.held) == 0 {
		return nil
	}
	err := s.send(s.held)
	s.held = s.held[:0]
	return err
}
