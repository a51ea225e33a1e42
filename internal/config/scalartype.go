package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
)

// scalarTypes are those that a schema names by "x-type". Each reads a scalar
// and returns what a struct holds for it.
var scalarTypes = map[string]func(*Node) (any, error){
	"duration": func(n *Node) (any, error) { return scalarText(n, ParseDuration, Int, Float, String) },
	"size":     func(n *Node) (any, error) { return scalarText(n, ParseBytes, Int, String) },
	"rate":     func(n *Node) (any, error) { return scalarText(n, ParseRate, Int, String) },
	"mode":     parseModeNode,
	"ip":       func(n *Node) (any, error) { return scalarText(n, parseIP, String) },
	"network":  func(n *Node) (any, error) { return scalarText(n, ParsePrefix, String) },
	"endpoint": func(n *Node) (any, error) { return scalarText(n, ParseEndpoint, String) },
	"path":     func(n *Node) (any, error) { return scalarText(n, parsePath, String) },
}

func checkScalar(n *Node, s *Schema) error {
	_, err := scalarTypes[s.Scalar](n)
	return err
}

// scalarText applies a parser to the text of a scalar of one of some kinds. For
// others it reports what the parser would have wanted.
func scalarText[T any](n *Node, parse func(string) (T, error), kinds ...NodeKind) (any, error) {
	for _, kind := range kinds {
		if n.Kind == kind {
			value, err := parse(n.Text)
			return value, err
		}
	}
	_, err := parse("\x00")
	want, _, _ := strings.Cut(err.Error(), ", got")
	return nil, fmt.Errorf("%s, got %s", want, n.got())
}

// parseModeNode insists on quotes: 0660 without them is the number 660 in YAML
// 1.2 and 432 in YAML 1.1.
func parseModeNode(n *Node) (any, error) {
	if n.Kind == Int {
		return nil, fmt.Errorf(`want an octal mode in quotes, such as "0660", got the number %s`, shorten(n.Text))
	}
	return scalarText(n, ParseMode, String)
}

func parseIP(s string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("want an IPv4 or IPv6 address, got %q", s)
	}
	return addr, nil
}

// ParsePrefix reads a network such as 192.0.2.0/24, or a single address. Bits
// beneath the mask are cleared.
func ParsePrefix(s string) (netip.Prefix, error) {
	if addr, err := parseIP(s); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("want an address or a network such as 192.0.2.0/24, got %q", s)
	}
	return prefix.Masked(), nil
}

// ParseEndpoint reads an address with or without a port; the port is zero when
// it is not given.
func ParseEndpoint(s string) (netip.AddrPort, error) {
	if addr, err := parseIP(s); err == nil {
		return netip.AddrPortFrom(addr, 0), nil
	}
	endpoint, err := netip.ParseAddrPort(s)
	if err != nil || endpoint.Port() == 0 || endpoint.Addr().Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("want an address with or without a port, such as 192.0.2.1 or [2001:db8::1]:53, got %q", s)
	}
	return endpoint, nil
}

func parsePath(s string) (string, error) {
	switch {
	case s == "":
		return "", errors.New("want a path, got an empty string")
	case strings.ContainsRune(s, 0):
		return "", fmt.Errorf("want a path, got %q", shorten(s))
	}
	return s, nil
}

// anchor makes a relative path absolute: it is taken from the folder of the
// file that names it. Names of abstract sockets, which begin with "@", stay.
func anchor(path, file string) string {
	if filepath.IsAbs(path) || strings.HasPrefix(path, "@") {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}
