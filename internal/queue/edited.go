package queue

import (
	"fmt"

	"github.com/posthaste-mta/posthaste/internal/delivery"
	"github.com/posthaste-mta/posthaste/internal/envelope"
	"github.com/posthaste-mta/posthaste/internal/message/patch"
)

// edited is the content of a message with the edits of one recipient.
type edited struct {
	*patch.View
	original delivery.Content
}

func (e edited) Close() error { return e.original.Close() }

// edit makes a read the message with the edits that were stored for its
// recipient.
func (a *attempt) edit(stored []byte) error {
	p, err := patch.Decode(stored)
	if err != nil {
		return fmt.Errorf("queue: edits of %s: %w", a.ID, err)
	}
	open := a.Content
	a.Size = p.Size(a.Size)
	a.Content = func() (delivery.Content, error) {
		original, err := open()
		if err != nil {
			return nil, err
		}
		return apply(a.ID, original, p)
	}
	return nil
}

// withEdits returns content with stored edits made. It closes the original if
// they do not fit.
func withEdits(id envelope.ID, original delivery.Content, stored []byte) (delivery.Content, error) {
	p, err := patch.Decode(stored)
	if err != nil {
		_ = original.Close()
		return nil, fmt.Errorf("queue: edits of %s: %w", id, err)
	}
	return apply(id, original, p)
}

func apply(id envelope.ID, original delivery.Content, p *patch.Patch) (delivery.Content, error) {
	v, err := p.Apply(original)
	if err != nil {
		_ = original.Close()
		return nil, fmt.Errorf("queue: edits of %s: %w", id, err)
	}
	return edited{v, original}, nil
}
