package smtpd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/posthaste-mta/posthaste/internal/config"
	"github.com/posthaste-mta/posthaste/internal/delivery"
)

// source returns a configured address as the courier knows it.
func (a *SourceAddress) source() delivery.Source {
	return delivery.Source{
		ID: a.ID, Addr: a.Address, Hostname: a.Hostname, NonLocal: a.NonLocal,
		Proxy: proxyOf(a.ProxyProtocol),
	}
}

// proxyOf returns the proxy that connections go through; nil where there is
// none.
func proxyOf(p OutboundProxy) *delivery.Proxy {
	if p.Server == "" {
		return nil
	}
	return &delivery.Proxy{Server: p.Server, Port: p.Port, Version: p.Version}
}

// proxies lists those that transports and addresses name.
func (r *Running) proxies() []delivery.Proxy {
	var out []delivery.Proxy
	add := func(p OutboundProxy) {
		if one := proxyOf(p); one != nil {
			out = append(out, *one)
		}
	}
	for _, t := range r.Transports() {
		add(t.Connection.ProxyProtocol)
	}
	for _, a := range r.Addresses {
		add(a.ProxyProtocol)
	}
	return out
}

func (r *Running) address(id string) *SourceAddress {
	i := slices.IndexFunc(r.Addresses, func(a SourceAddress) bool { return a.ID == id })
	if i < 0 {
		return nil
	}
	return &r.Addresses[i]
}

// sources finds the addresses that a transport names.
func (r *Running) sources(s SourceIP) ([]delivery.Source, error) {
	var out []delivery.Source
	for _, name := range s.Addresses {
		if a := r.address(name); a != nil {
			source := a.source()
			source.NonLocal = source.NonLocal || s.NonLocal
			out = append(out, source)
			continue
		}
		ip, err := netip.ParseAddr(name)
		if err != nil {
			return nil, fmt.Errorf("source address %q is neither configured nor an IP address", name)
		}
		out = append(out, delivery.Source{Addr: ip, NonLocal: s.NonLocal})
	}
	return out, nil
}

// outboundWarnings are about ways out that will not do what they seem to.
func (r *Running) outboundWarnings() config.Warnings {
	return r.absentSources(hasAddress)
}

// absentSources warns of source addresses that transports bind and this host
// does not have now. Attempts from them fail until it has.
func (r *Running) absentSources(has func(netip.Addr) bool) config.Warnings {
	var out config.Warnings
	for i, group := range r.TransportGroups {
		for j, t := range group.Transports {
			sources, err := r.sources(t.Connection.SourceIP)
			if err != nil {
				continue // which is an error elsewhere
			}
			for k, s := range sources {
				if s.Proxy == nil && t.Connection.ProxyProtocol.Server == "" && !s.NonLocal && !has(s.Addr) {
					out = append(out, r.document.Warnf(
						fmt.Sprintf("transportgroups[%d].transports[%d].connection.sourceip.addresses[%d]", i, j, k),
						"this host does not have the address %s: nothing can be sent from it", s.Addr))
				}
			}
		}
	}
	return out
}

// hasAddress reports whether the address can be bound here. That is asked of the
// system, which may have more than the addresses of its interfaces.
func hasAddress(a netip.Addr) bool {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
	if err != nil {
		return !errors.Is(err, syscall.EADDRNOTAVAIL)
	}
	return conn.Close() == nil
}
