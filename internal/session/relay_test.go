package session

import (
	"context"
	"net/netip"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/envelope"
)

// Relay are hooks as a small site would script them: they take mail from clients
// on this host and in Networks, and queue every recipient to the transport of
// the server. Others may not relay.
type Relay struct {
	Defaults
	Networks []netip.Prefix
}

// Phases implements Hooks.
func (Relay) Phases() Phases { return PhaseSet(PhaseRcptTo, PhaseEndOfData) }

// RcptTo implements Hooks.
func (r Relay) RcptTo(_ context.Context, c *Connection, _ *Transaction, _ *Recipient) RcptVerdict {
	if r.serves(c.Remote.Addr()) {
		return RcptVerdict{}
	}
	return RcptVerdict{Verdict: Verdict{Action: Reject, Reply: replyRelay}}
}

// serves reports whether a client may relay. One without address is a process
// on this host.
func (r Relay) serves(ip netip.Addr) bool {
	return !ip.IsValid() || ip.IsLoopback() ||
		slices.ContainsFunc(r.Networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// EndOfData implements Hooks.
func (Relay) EndOfData(_ context.Context, _ *Connection, t *Transaction, m *Mail) Verdict {
	for i := range t.Recipients {
		r := &t.Recipients[i]
		m.Queue(envelope.Recipient{
			Sender: t.Sender, Address: r.Address, Transport: r.Transport, Notify: r.Notify, ORcpt: r.ORcpt,
		})
	}
	return Verdict{}
}
