package delivery

import (
	"net"
	"net/netip"
)

// LocalFor returns the address that the system would leave from to get to
// remote, zero when it knows no way. Nothing is sent: connecting a datagram
// socket only asks the routing table. It takes some microseconds.
func LocalFor(remote netip.AddrPort) netip.Addr {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(remote))
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	if a, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// maxLocals bounds what is remembered of the routing table until the next
// Configure.
const maxLocals = 4096

// local is LocalFor the first host of d, remembered.
func (c *Courier) local(d *Destination) netip.Addr {
	if len(d.Hosts) == 0 {
		return netip.Addr{}
	}
	remote := d.Hosts[0].Addr.Addr()
	c.localMu.Lock()
	have, ok := c.locals[remote]
	c.localMu.Unlock()
	if ok {
		return have
	}
	have = LocalFor(d.Hosts[0].Addr)
	c.localMu.Lock()
	defer c.localMu.Unlock()
	if len(c.locals) >= maxLocals {
		clear(c.locals)
	}
	c.locals[remote] = have
	return have
}
