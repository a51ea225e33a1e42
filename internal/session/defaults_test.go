package session

import "context"

// Defaults decide as a session without hooks does. Hooks embed it that have a
// say in some phases only.
type Defaults struct{}

// Phases implements Hooks: there is none worth asking about.
func (Defaults) Phases() Phases { return 0 }

// Connect implements Hooks and accepts.
func (Defaults) Connect(context.Context, *Connection) ConnectVerdict { return ConnectVerdict{} }

// Proxy implements Hooks and passes.
func (Defaults) Proxy(context.Context, *Connection, *Transaction, string) ProxyVerdict {
	return ProxyVerdict{}
}

// Helo implements Hooks and accepts.
func (Defaults) Helo(context.Context, *Connection, []string) HeloVerdict { return HeloVerdict{} }

// Auth implements Hooks and rejects.
func (Defaults) Auth(context.Context, *Connection, *Authentication) AuthVerdict {
	return AuthVerdict{Verdict: Verdict{Action: Reject}}
}

// MailFrom implements Hooks and accepts.
func (Defaults) MailFrom(context.Context, *Connection, *Transaction) MailVerdict {
	return MailVerdict{}
}

// RcptTo implements Hooks and accepts.
func (Defaults) RcptTo(context.Context, *Connection, *Transaction, *Recipient) RcptVerdict {
	return RcptVerdict{}
}

// EndOfData implements Hooks and defers.
func (Defaults) EndOfData(context.Context, *Connection, *Transaction, *Mail) Verdict {
	return Verdict{Action: Defer}
}

// Disconnect implements Hooks.
func (Defaults) Disconnect(context.Context, *Connection, Closing) {}
