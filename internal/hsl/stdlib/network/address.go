package network

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// parseAddress reads an address without a zone. One of IPv4 in IPv6 is one of
// IPv4.
func parseAddress(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// span is a range of addresses, both ends included.
type span struct{ first, last netip.Addr }

// parseNetwork reads an address, a prefix or a range.
func parseNetwork(s string) (span, bool) {
	if low, high, isRange := strings.Cut(s, "-"); isRange {
		first, ok1 := parseAddress(strings.TrimSpace(low))
		last, ok2 := parseAddress(strings.TrimSpace(high))
		return span{first, last}, ok1 && ok2 && first.Is4() == last.Is4()
	}
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return span{}, false
		}
		return prefixSpan(p), true
	}
	a, ok := parseAddress(s)
	return span{a, a}, ok
}

func prefixSpan(p netip.Prefix) span {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	first := p.Masked().Addr()
	b := first.AsSlice()
	for bit := p.Bits(); bit < 8*len(b); bit++ {
		b[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return span{first, last}
}

func includes(c *value.Call) (value.Value, error) {
	a, ok1 := parseAddress(c.Str(0))
	n, ok2 := parseNetwork(c.Str(1))
	if !ok1 || !ok2 {
		return value.None, nil
	}
	same := a.Is4() == n.first.Is4()
	return value.Boolean(same && n.first.Compare(a) <= 0 && a.Compare(n.last) <= 0), nil
}

func toBinary(c *value.Call) (value.Value, error) {
	a, err := netip.ParseAddr(c.Str(0))
	if err != nil || a.Zone() != "" {
		return value.None, nil // none says so
	}
	return value.Bytes(a.AsSlice()), nil
}

func toText(c *value.Call) (value.Value, error) {
	a, ok := netip.AddrFromSlice([]byte(c.Str(0)))
	if !ok {
		return value.None, nil
	}
	return value.String(a.String()), nil
}

func reverse(c *value.Call) (value.Value, error) {
	a, ok := parseAddress(c.Str(0))
	if !ok {
		return value.None, nil
	}
	zone := "in-addr.arpa"
	if !a.Is4() {
		zone = "ip6.arpa"
	}
	if c.Has(1) {
		zone = strings.TrimPrefix(c.Str(1), ".")
	}
	return declare.Text(c, reverseName(a)+zone)
}

// reverseName returns the labels of an address before its zone (RFC 1035 §3.5,
// RFC 3596 §2.5).
func reverseName(a netip.Addr) string {
	var b []byte
	bytes := a.AsSlice()
	for i := len(bytes) - 1; i >= 0; i-- {
		if a.Is4() {
			b = append(strconv.AppendUint(b, uint64(bytes[i]), 10), '.')
			continue
		}
		for _, digit := range []byte{bytes[i] & 15, bytes[i] >> 4} {
			b = append(b, "0123456789abcdef"[digit], '.')
		}
	}
	return string(b)
}
