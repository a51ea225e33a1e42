package script

import (
	"context"
	"errors"

	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
	"github.com/posthaste-mta/posthaste/internal/script/mail"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// Session is the hooks of one virtual server. It implements session.Hooks and
// is safe for concurrent use.
type Session struct {
	engine  *Engine
	server  string
	phases  session.Phases
	scripts [session.PhaseDisconnect + 1]*Program
	runs    [session.PhaseDisconnect + 1]*runs
	// byDomain are scripts of rcptto for single recipient domains.
	byDomain *domains
	// flat leaves the parts of messages unopened.
	flat bool
}

var _ session.Hooks = (*Session)(nil)

// Phases says for which phases there are scripts.
func (s *Session) Phases() session.Phases { return s.phases }

// sessionHost is the Host of a thread in these phases.
type sessionHost struct {
	connection  *session.Connection
	transaction *session.Transaction
	mail        *received // at the end of data; nil elsewhere
}

// CurrentMail implements mail.Current.
func (h *sessionHost) CurrentMail() *mail.Message {
	if h.mail == nil {
		return nil
	}
	return h.mail.message()
}

// cell carries $context from hook to hook of a connection.
type cell struct {
	v    value.Value
	id   envelope.ID // that name has been asked for last
	text string      // of it
}

// name is the text of an id, which is mostly that of the hook before.
func (c *cell) name(id envelope.ID) string {
	if c.text == "" || c.id != id {
		c.id, c.text = id, id.String()
	}
	return c.text
}

// decide runs the script of a phase. It returns what the script exited with,
// nil at its end, and false on an error, which has been reported.
func (s *Session) decide(ctx context.Context, phase session.Phase, c *session.Connection, host *sessionHost, arguments func() value.Value) (any, bool) {
	return s.decideBy(ctx, s.scripts[phase], phase, c, host, arguments)
}

// decideBy does that by a script that need not be the one of the whole phase.
func (s *Session) decideBy(ctx context.Context, p *Program, phase session.Phase, c *session.Connection, host *sessionHost, arguments func() value.Value) (any, bool) {
	host.connection = c
	carried, _ := c.Context.(*cell)
	if carried == nil {
		carried = &cell{}
		c.Context = carried
	}
	id := c.ID
	if host.transaction != nil {
		id = host.transaction.ID
	}
	transaction := carried.name(id)
	err := s.engine.run(ctx, p, &execution{
		runs: s.runs[phase], priority: c.Priority, check: c,
		host: host, transaction: transaction, context: carried,
		variables: func(name string) value.Value {
			switch name {
			case "connection":
				return s.connection(p, c)
			case "transaction":
				return transactionValue(phase, c, host.transaction)
			}
			return arguments()
		},
	})
	var exited *value.Exit
	switch {
	case err == nil:
		return nil, true
	case errors.As(err, &exited):
		return exited.Outcome, true
	}
	s.engine.failed(p, s.runs[phase], transaction, err)
	return nil, false
}

// connection is $connection as the phase of p has it.
func (s *Session) connection(p *Program, c *session.Connection) value.Value {
	if p.Phase == session.PhaseConnect.String() {
		return beginning(c)
	}
	return connectionValue(c)
}

// Connect implements session.Hooks.
func (s *Session) Connect(ctx context.Context, c *session.Connection) session.ConnectVerdict {
	out, ok := s.decide(ctx, session.PhaseConnect, c, &sessionHost{}, func() value.Value { return connectArguments(c) })
	return verdict(out, ok, session.ConnectVerdict{}, session.ConnectVerdict{Verdict: deferred})
}

// Proxy implements session.Hooks.
func (s *Session) Proxy(ctx context.Context, c *session.Connection, t *session.Transaction, line string) session.ProxyVerdict {
	out, ok := s.decide(ctx, session.PhaseProxy, c, &sessionHost{transaction: t},
		func() value.Value { return record("command", value.String(line)) })
	failed := session.ProxyVerdict{Verdict: session.Verdict{Action: session.Reply}}
	failed.Reply.Code = 421
	return verdict(out, ok, session.ProxyVerdict{}, failed)
}

// Helo implements session.Hooks.
func (s *Session) Helo(ctx context.Context, c *session.Connection, extensions []string) session.HeloVerdict {
	out, ok := s.decide(ctx, session.PhaseHelo, c, &sessionHost{}, func() value.Value { return heloArguments(c, extensions) })
	return verdict(out, ok, session.HeloVerdict{}, session.HeloVerdict{Verdict: deferred})
}

// Auth implements session.Hooks. A script that does not decide has rejected.
func (s *Session) Auth(ctx context.Context, c *session.Connection, a *session.Authentication) session.AuthVerdict {
	out, ok := s.decide(ctx, session.PhaseAuth, c, &sessionHost{}, func() value.Value { return authArguments(a) })
	return verdict(out, ok, session.AuthVerdict{Verdict: session.Verdict{Action: session.Reject}}, session.AuthVerdict{Verdict: deferred})
}

// MailFrom implements session.Hooks.
func (s *Session) MailFrom(ctx context.Context, c *session.Connection, t *session.Transaction) session.MailVerdict {
	out, ok := s.decide(ctx, session.PhaseMailFrom, c, &sessionHost{transaction: t}, func() value.Value { return mailArguments(t) })
	return verdict(out, ok, session.MailVerdict{}, session.MailVerdict{Verdict: deferred})
}

// RcptTo implements session.Hooks. A domain without a script of its own, on a
// server that has none for the others, is accepted.
func (s *Session) RcptTo(ctx context.Context, c *session.Connection, t *session.Transaction, r *session.Recipient) session.RcptVerdict {
	p := s.scripts[session.PhaseRcptTo]
	if own := s.byDomain.find(r.Address.Domain); own != nil {
		p = own
	}
	if p == nil {
		return session.RcptVerdict{}
	}
	out, ok := s.decideBy(ctx, p, session.PhaseRcptTo, c, &sessionHost{transaction: t}, func() value.Value { return rcptArguments(r) })
	return verdict(out, ok, session.RcptVerdict{}, session.RcptVerdict{Verdict: deferred})
}

// EndOfData implements session.Hooks. A script that does not decide has
// deferred, and what it queued is dropped.
func (s *Session) EndOfData(ctx context.Context, c *session.Connection, t *session.Transaction, m *session.Mail) session.Verdict {
	mail := &received{kit: s.engine.options.Mail, transaction: t, mail: m, flat: s.flat}
	defer mail.close()
	out, ok := s.decide(ctx, session.PhaseEndOfData, c, &sessionHost{transaction: t, mail: mail},
		func() value.Value { return record("mail", mail.message().Value()) })
	return verdict(out, ok, deferred, deferred)
}

// Disconnect implements session.Hooks.
func (s *Session) Disconnect(ctx context.Context, c *session.Connection, end session.Closing) {
	s.decide(ctx, session.PhaseDisconnect, c, &sessionHost{}, func() value.Value { return disconnectArguments(end) })
}

// deferred is what a script error means in most phases.
var deferred = session.Verdict{Action: session.Defer}

// verdict is what became of a script: its own word, ended at its end, failed
// after an error.
func verdict[V any](out any, ok bool, ended, failed V) V {
	if !ok {
		return failed
	}
	if v, decided := out.(V); decided {
		return v
	}
	return ended
}
