// Package proxyproto is the header of the PROXY protocol, versions 1 and 2, as
// HAProxy defines it in proxy-protocol.txt: what a proxy says of the connection
// that it passes on, before the first byte of that.
//
// Read takes the header that a proxy has sent to us. Append writes the one that
// tells a proxy where to connect to and from which of its addresses, as a proxy
// does that binds the source address of the header.
package proxyproto

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"

	library "github.com/pires/go-proxyproto"
)

// ErrHeader says that a header is missing, broken or not about TCP.
var ErrHeader = errors.New("proxyproto: no usable header")

// ErrFamilies says that source and destination are of different address
// families, for which there is no header.
var ErrFamilies = errors.New("proxyproto: source and destination differ in their address family")

// Header is what a proxy says of a connection.
type Header struct {
	// Local: the proxy speaks for itself, as in a health check, or does not know
	// the addresses; there are none then.
	Local               bool
	Source, Destination netip.AddrPort
	TLVs                []TLV // of version 2, in their order
}

// TLV is one of the extra facts of a header of version 2.
type TLV struct {
	Type  byte
	Value []byte
}

// Buffer is a good size for the reader that Read takes: it holds a header of
// version 1 and most of version 2.
const Buffer = 1024

// Read reads one header and nothing behind it. The error is an ErrHeader, and
// the stream is not to be used after it.
func Read(r *bufio.Reader) (*Header, error) {
	h, err := library.Read(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	raw, err := h.TLVs()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	out := &Header{Local: h.Command.IsLocal() || h.TransportProtocol.IsUnspec()}
	for _, t := range raw {
		out.TLVs = append(out.TLVs, TLV{Type: byte(t.Type), Value: t.Value})
	}
	if out.Local {
		return out, nil
	}
	source, destination, ok := h.TCPAddrs()
	if !ok {
		return nil, fmt.Errorf("%w: it is not about TCP", ErrHeader)
	}
	out.Source, out.Destination = addrPort(source), addrPort(destination)
	return out, nil
}

func addrPort(a *net.TCPAddr) netip.AddrPort {
	p := a.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
}

// signature begins every header of version 2.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

// What follows it: version 2, command PROXY, and TCP over IPv4 or IPv6.
const (
	commandProxy = 0x21
	tcp4         = 0x11
	tcp6         = 0x21
)

// Append appends the header of a TCP connection from source to destination, in
// the given version, 1 or 2. The error is ErrFamilies, or says that there is no
// such version.
func Append(b []byte, version int, source, destination netip.AddrPort) ([]byte, error) {
	from, to := unmap(source), unmap(destination)
	if from.Addr().Is4() != to.Addr().Is4() || !from.IsValid() || !to.IsValid() {
		return b, fmt.Errorf("%w: %s and %s", ErrFamilies, source, destination)
	}
	switch version {
	case 1:
		return appendText(b, from, to), nil
	case 2:
		return appendBinary(b, from, to), nil
	}
	return b, fmt.Errorf("proxyproto: there is no version %d", version)
}

// unmap also drops the zone, which means nothing on another host.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// appendText writes version 1 (proxy-protocol.txt §2.1).
func appendText(b []byte, from, to netip.AddrPort) []byte {
	family := "TCP6"
	if from.Addr().Is4() {
		family = "TCP4"
	}
	return fmt.Appendf(b, "PROXY %s %s %s %d %d\r\n", family, from.Addr(), to.Addr(), from.Port(), to.Port())
}

// appendBinary writes version 2 (proxy-protocol.txt §2.2).
func appendBinary(b []byte, from, to netip.AddrPort) []byte {
	family := byte(tcp6)
	if from.Addr().Is4() {
		family = tcp4
	}
	source, destination := from.Addr().AsSlice(), to.Addr().AsSlice()
	b = append(append(b, signature...), commandProxy, family)
	b = binary.BigEndian.AppendUint16(b, uint16(2*len(source)+4))
	b = append(append(b, source...), destination...)
	b = binary.BigEndian.AppendUint16(b, from.Port())
	return binary.BigEndian.AppendUint16(b, to.Port())
}
