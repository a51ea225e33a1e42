package policy

import "net/netip"

// Source is an address that a delivery may leave from.
type Source struct {
	Addr  netip.Addr // the system's choice for the destination where none is configured
	Index int        // its place with the caller
	text  string
}

// Sources are the addresses that the entries of a sub-queue may leave from, at
// least one. They take turns unless Ordered, which prefers those that come
// first and leaves the rest to the others. Lines are told apart by the pointer.
type Sources struct {
	Ordered bool
	list    []Source
}

// NewSources returns the list; it keeps it.
func NewSources(ordered bool, list []Source) *Sources {
	if len(list) == 0 {
		list = []Source{{Index: -1}}
	}
	for i := range list {
		if list[i].Addr.IsValid() {
			list[i].text = list[i].Addr.String()
		}
	}
	return &Sources{Ordered: ordered, list: list}
}

// Len is how many addresses there are.
func (s *Sources) Len() int { return len(s.list) }

// At returns one of them.
func (s *Sources) At(i int) Source { return s.list[i] }
