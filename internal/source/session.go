package source

import (
	"context"
	"errors"
	"io"
	"net"
	"time"
)

const (
	firstPause = 10 * time.Millisecond // before another connection, doubled each time
	longPause  = time.Second
	maxLosses  = 20 // connections that one message may lose
)

// session sends one message after the other over one connection at a time.
type session struct {
	source *Source
	issue  context.Context // while messages may be started
	hard   context.Context // while connections may live
	client *client         // nil: none
	mail   mail
}

func (s *Source) newSession(issue, hard context.Context) *session {
	return &session{source: s, issue: issue, hard: hard}
}

func (s *session) run() error {
	defer s.quit()
	for {
		n, ok := s.source.next(s.issue)
		if !ok {
			return nil
		}
		s.mail.load(s.source, n)
		if err := s.deliver(); err != nil {
			return err
		}
	}
}

func (s *session) quit() {
	if s.client != nil {
		s.client.quit()
		s.client = nil
	}
}

func (s *session) drop() {
	s.client.close()
	s.client = nil
}

// deliver brings the message to where nothing more is to be done for it. Its
// error ends the session.
func (s *session) deliver() error {
	o, m := &s.source.options, &s.source.Metrics
	tries, losses := 0, 0
	for len(s.mail.entries) > 0 {
		how, err := s.attempt()
		if how.lost != nil {
			if losses++; o.Reconnect == 0 || losses > maxLosses {
				err = how.lost
			}
		}
		switch {
		case err != nil:
			m.Unsent.Add(int64(len(s.mail.entries)))
			return err
		case how.lost != nil:
			wait(s.issue, pause(losses))
		case how.limited || len(s.mail.entries) == 0:
		case tries < o.Retry && wait(s.issue, o.RetryDelay):
			tries++
			m.Retries.Inc()
		default:
			m.RefusedTemporarily.Add(int64(len(s.mail.entries)))
			return nil
		}
	}
	return nil
}

// pause is how long to wait before another connection, the n-th time.
func pause(n int) time.Duration { return min(firstPause<<min(n, 10), longPause) }

// attempted says how a try ended, beside what it did to the message.
type attempted struct {
	lost    error // why the connection is gone
	limited bool  // the server closed a connection that had carried enough messages
}

// attempt tries once to hand over the message. What is left of its entries
// afterwards was refused temporarily or, where the connection was lost, not
// sent. An error means that the session cannot go on.
func (s *session) attempt() (attempted, error) {
	if err := s.ready(); err != nil {
		return attempted{}, err
	}
	closing, lost := s.client.transact(&s.mail, &s.source.failures)
	how := attempted{lost: lost, limited: closing && s.client.carried > 0 && !s.mail.bodySent}
	s.client.carried++
	limit := s.source.options.PerConnection
	switch {
	case lost != nil:
		s.source.Metrics.ConnectionsLost.Inc()
		s.source.failures.add("lost connection: " + plainText(lost))
		s.drop()
	case closing:
		s.drop()
	}
	err := s.collect()
	if s.client != nil && limit > 0 && s.client.carried >= limit {
		s.quit()
	}
	return how, err
}

// ready makes a connection if there is none, and tries again for as long as
// Options.Reconnect says.
func (s *session) ready() error {
	o, m := &s.source.options, &s.source.Metrics
	begin := time.Now()
	for n := 0; s.client == nil; n++ {
		start := time.Now()
		c, err := connect(s.hard, o)
		if err == nil {
			m.Connections.Inc()
			s.source.connect.Record(time.Since(start))
			s.client = c
			return nil
		}
		m.ConnectionsFailed.Inc()
		s.source.failures.add("no connection: " + plainText(err))
		left := o.Reconnect - time.Since(begin)
		if left <= 0 || !wait(s.issue, min(pause(n), left)) {
			return err
		}
	}
	return nil
}

// collect counts the results of a try and leaves those entries that may be tried
// again.
func (s *session) collect() error {
	mail, m := &s.mail, &s.source.Metrics
	mail.acked = mail.acked[:0]
	again := mail.entries[:0]
	for i, entry := range mail.entries {
		switch r := mail.results[i]; {
		case r == acknowledged:
			mail.acked = append(mail.acked, entry)
		case r == permanent:
			m.RefusedForGood.Inc()
		case r != temporary && mail.bodySent:
			m.Unacknowledged.Inc()
		default:
			again = append(again, entry)
		}
	}
	mail.entries = again
	if len(mail.acked) == 0 {
		return nil
	}
	s.source.reply.Record(time.Since(mail.sentAt))
	m.Messages.Inc()
	m.Recipients.Add(int64(len(mail.acked)))
	m.Bytes.Add(int64(mail.size()))
	if log := s.source.options.Acked; log != nil {
		return log.Append(mail.mark.Run, mail.acked...)
	}
	return nil
}

// plainText is an error without addresses and ports, so that equal causes have
// equal texts.
func plainText(err error) string {
	var op *net.OpError
	switch {
	case errors.As(err, &op):
		return op.Op + ": " + op.Err.Error()
	case errors.Is(err, io.EOF):
		return "closed by the server"
	}
	return err.Error()
}
