package list

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

// IP is the plug-in ip-list: addresses and networks. A line is one of them, and
// may go on with a text that is found with it. What stands behind a "#" is a
// comment.
type IP struct{ *lists[networks] }

// networks finds the longest prefix of an address, by asking a map once for each
// length that occurs: with a million addresses of one length a look-up costs as
// much as with ten. An address costs some 100 bytes.
type networks struct {
	lengths [2][]int // that occur, of IPv4 and IPv6, longest first
	tags    map[netip.Prefix]string
}

// NewIP makes the plug-in from its startup settings.
func NewIP(s plugin.Settings) (*IP, error) {
	l, err := newLists(s, readNetworks, func(l *networks, args []string) (string, error) {
		ip, err := netip.ParseAddr(args[0])
		if err != nil {
			return "", err
		}
		tag, found := l.find(ip)
		return strings.TrimSpace(yes(found) + " " + tag), nil
	})
	return &IP{l}, err
}

// Find reports whether the list of that id has the address, and the text beside
// the smallest network that it lies in.
func (p *IP) Find(id string, ip netip.Addr) (tag string, found bool, err error) {
	l, err := p.get(id)
	if err != nil {
		return "", false, err
	}
	tag, found = l.find(ip)
	return tag, found, nil
}

func readNetworks(r io.Reader) (*networks, error) {
	l := &networks{tags: map[netip.Prefix]string{}}
	shared := map[string]string{}
	err := eachLine(r, func(line string) error {
		line, _, _ = strings.Cut(line, "#")
		text, tag, _ := strings.Cut(strings.ReplaceAll(strings.TrimSpace(line), "\t", " "), " ")
		prefix, err := parseNetwork(text)
		if err != nil {
			return err
		}
		tag = strings.TrimSpace(tag)
		if _, known := shared[tag]; !known {
			shared[strings.Clone(tag)] = strings.Clone(tag)
		}
		l.add(prefix, shared[tag])
		return nil
	})
	for i := range l.lengths {
		slices.Sort(l.lengths[i])
		slices.Reverse(l.lengths[i])
	}
	return l, err
}

func parseNetwork(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil || p.Addr().Is4In6() {
			return p, fmt.Errorf("want an address or a network, got %q", text)
		}
		return p.Masked(), nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil || ip.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("want an address or a network, got %q", text)
	}
	ip = ip.Unmap()
	return netip.PrefixFrom(ip, ip.BitLen()), nil
}

func family(ip netip.Addr) int {
	if ip.Is4() {
		return 0
	}
	return 1
}

func (l *networks) add(p netip.Prefix, tag string) {
	of := &l.lengths[family(p.Addr())]
	if !slices.Contains(*of, p.Bits()) {
		*of = append(*of, p.Bits())
	}
	l.tags[p] = tag
}

func (l *networks) find(ip netip.Addr) (tag string, found bool) {
	ip = ip.Unmap().WithZone("")
	for _, bits := range l.lengths[family(ip)] {
		p, err := ip.Prefix(bits)
		if err != nil {
			return "", false // an invalid address
		}
		if tag, found = l.tags[p]; found {
			return tag, true
		}
	}
	return "", false
}
