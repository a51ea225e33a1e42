// Package autosign signs what is queued for the domains of the configuration, with
// no word of it in a script (spec config.md 4: dkim[], a choice of ours).
//
// It stands between a session and the hooks of its server. When the script at the
// end of data has accepted, each entry that it queued is signed as it is, with the
// script's edits, by the keys of the author's domain and of the envelope sender's;
// entries with the same edits and keys share their signatures. The signatures are
// edits on top of the script's, so the body is read once and copied never.
//
// A signature vouches for the author, and an author is easily claimed. Therefore
// only mail of clients is signed which have authenticated or which are programs on
// this machine. A script may sign whatever it likes.
package autosign

import (
	"context"
	"fmt"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/address"
	"github.com/posthaste-mta/posthaste/internal/dkim"
	"github.com/posthaste-mta/posthaste/internal/dmarc"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/message"
	"github.com/posthaste-mta/posthaste/internal/message/patch"
	"github.com/posthaste-mta/posthaste/internal/session"
)

// Options are what signs for whom.
type Options struct {
	// Signers are the keys by domain, folded as address.FoldDomain does. Several of
	// a domain sign side by side.
	Signers map[string][]*dkim.Signer
	// Pool makes the signatures.
	Pool *dkim.Pool
	// Failed is told of a message that could not be signed. Its client is asked to
	// come again, because what goes out unsigned is not what was asked for.
	Failed func(transaction string, err error)
}

// hooks are those of a server, with signatures.
type hooks struct {
	session.Hooks
	options Options
}

// Wrap returns the hooks of a server with signatures on what they queue, or the
// hooks themselves when nobody is signed for.
func Wrap(h session.Hooks, o Options) session.Hooks {
	if len(o.Signers) == 0 {
		return h
	}
	return &hooks{h, o}
}

// EndOfData implements session.Hooks.
func (h *hooks) EndOfData(ctx context.Context, c *session.Connection, t *session.Transaction, m *session.Mail) session.Verdict {
	v := h.Hooks.EndOfData(ctx, c, t, m)
	if v.Action != session.Accept || !trusted(c) {
		return v
	}
	if err := h.sign(ctx, m); err != nil {
		h.options.Failed(t.ID.String(), fmt.Errorf("autosign: %w", err))
		return session.Verdict{Action: session.Defer}
	}
	return v
}

// trusted reports whether what the client says of authors is to be believed.
func trusted(c *session.Connection) bool {
	return c.Auth.Username != "" || c.Remote.Addr().Unmap().IsLoopback() || c.HasUID
}

// copied is an edited form of the message that has been signed.
type copied struct {
	before, after []byte // its edits, without and with the signatures
	sender        string // the domain of the envelope sender
}

// sign signs all entries of a message.
func (h *hooks) sign(ctx context.Context, m *session.Mail) error {
	entries := m.Queued()
	var done []copied
	for i := range entries {
		e := &entries[i]
		sender := address.FoldDomain(e.Sender.Domain)
		k := slices.IndexFunc(done, func(c copied) bool { return c.sender == sender && string(c.before) == string(e.Patch) })
		if k < 0 {
			after, err := h.signCopy(ctx, m, e, sender)
			if err != nil {
				return err
			}
			k = len(done)
			done = append(done, copied{e.Patch, after, sender})
		}
		e.Patch = done[k].after
	}
	return nil
}

// signCopy returns the edits of an entry with its signatures on top.
func (h *hooks) signCopy(ctx context.Context, m *session.Mail, e *envelope.Recipient, sender string) ([]byte, error) {
	edits := new(patch.Patch)
	if len(e.Patch) > 0 {
		var err error
		if edits, err = patch.Decode(e.Patch); err != nil {
			return nil, err
		}
	}
	view, err := edits.Apply(m.Content)
	if err != nil {
		return nil, err
	}
	header, whole, err := message.ReadHeader(view, view.Size(), headerLimit)
	if err != nil || !whole {
		return e.Patch, err // what has no readable header has no author
	}
	signers := h.signers(header, sender)
	if len(signers) == 0 {
		return e.Patch, nil
	}
	fields, err := h.make(ctx, view, header, signers)
	if err != nil {
		return nil, err
	}
	if err := edits.InsertBefore(0, slices.Concat(fields...)); err != nil {
		return nil, err
	}
	return edits.Append(nil), nil
}

// headerLimit is how much of a header is looked at.
const headerLimit = 1 << 20

// signers are those for the domain of the author and of the envelope sender.
func (h *hooks) signers(header []byte, sender string) []*dkim.Signer {
	all := h.options.Signers
	author, err := dmarc.AuthorDomain(header)
	if err != nil || author == sender {
		return all[sender] // without one author nothing else is known of the domain
	}
	return slices.Concat(all[author], all[sender])
}

// make signs, with one pass over the body for all signers.
func (h *hooks) make(ctx context.Context, view *patch.View, header []byte, signers []*dkim.Signer) ([][]byte, error) {
	var body dkim.Body
	for _, s := range signers {
		body.Want(s.BodyHash())
	}
	if err := dkim.ReadBody(&body, view, view.Size(), len(header)); err != nil {
		return nil, err
	}
	return h.options.Pool.Sign(ctx, dkim.NewHeader(header), &body, signers...)
}
