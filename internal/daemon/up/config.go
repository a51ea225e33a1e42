package up

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"text/template"

	"github.com/posthaste-mta/posthaste/internal/vfs"
)

//go:embed config
var files embed.FS

var templates = template.Must(template.ParseFS(files, "config/*.yaml"))

// values are what the built-in configuration is filled with.
type values struct {
	Dir     string
	SMTP    []netip.AddrPort
	Monitor netip.AddrPort
	Server  string // next hop; empty: by MX
	Port    uint16
}

// render makes the files of the configuration, by name.
func render(v values) (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, t := range templates.Templates() {
		var b bytes.Buffer
		if err := t.Execute(&b, v); err != nil {
			return nil, fmt.Errorf("up: %w", err)
		}
		out[t.Name()] = b.Bytes()
	}
	return out, nil
}

// WriteConfig leaves the configuration that o leads to as files in dir, which
// is made when it does not exist, and returns their paths. When one of them is
// there already nothing is written.
func WriteConfig(o Options, dir string) ([]string, error) {
	v, err := o.values()
	if err != nil {
		return nil, err
	}
	rendered, err := render(v)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("up: %s is there already; choose another folder or remove it", path)
		}
		paths = append(paths, path)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("up: %w", err)
	}
	for _, path := range paths {
		if err := vfs.WriteAtomic(vfs.OS, path, rendered[filepath.Base(path)], 0o644); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// reader serves the rendered files as if they lay in a folder.
func reader(rendered map[string][]byte) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if data, ok := rendered[filepath.Base(path)]; ok {
			return data, nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
}

// addrPort reads HOST:PORT, where HOST must be an address.
func addrPort(s string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("up: %q: want ADDRESS:PORT", s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("up: %q: bad port", s)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("up: %q: %q is not an IP address", s, host)
	}
	return netip.AddrPortFrom(ip, uint16(n)), nil
}

// hostPort reads HOST:PORT, where HOST may be a name.
func hostPort(s string) (string, uint16, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("up: %q: want mx, sink or HOST:PORT", s)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("up: %q: bad port", s)
	}
	return host, uint16(n), nil
}
