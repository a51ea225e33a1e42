package session

import (
	"context"
	"net/netip"
)

// Peer is what the listener knows of a client when it hands its connection
// over.
type Peer struct {
	Remote   netip.AddrPort // zero: a Unix socket
	Local    netip.AddrPort
	UID      int // of the process at the other end of a Unix socket
	HasUID   bool
	Proxy    netip.Addr // who sent the PROXY header; zero: nobody
	TLVs     []TLV      // of a PROXY v2 header
	Implicit bool       // TLS begins at once (RFC 8314 §3.3)
}

// TLV is one of the extra facts of a PROXY v2 header.
type TLV struct {
	Type  byte
	Value []byte
}

// PTR is what DNS says of a client's name.
type PTR struct {
	Name string // forward-confirmed, without final dot; empty: none
	// Reverse and Forward are the answers from which it follows. The session
	// only passes them on.
	Reverse, Forward any
}

// LookupPTR finds the name of a client. It returns within a few seconds.
type LookupPTR func(context.Context, netip.Addr) PTR
