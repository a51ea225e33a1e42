package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Listener is an open socket and what is expected on it.
type Listener struct {
	net.Listener
	ID       string // as the configuration names it; may be empty
	Proxy    Proxy
	Implicit func(listener string) bool // TLS at once; nil: no. Asked per connection
}

func (l *Listener) implicit(Peer) bool { return l.Implicit != nil && l.Implicit(l.ID) }

// Socket says what to listen on: Path, or Port at Address.
type Socket struct {
	Address  netip.Addr // zero: all IPv4 and IPv6 addresses
	Port     uint16
	Path     string
	Owner    int         // of Path; -1: as is
	Group    int         // of Path; -1: as is
	Mode     os.FileMode // of Path; 0: as the umask has it
	Backlog  int         // 0: the system's
	NonLocal bool        // bind an address that the host does not have yet
}

// Addresses returns what Open will listen on: the socket itself, or a wildcard
// per family. A family that the host has switched off is left out.
func (s Socket) Addresses() []string {
	if s.Path != "" {
		return []string{s.Path}
	}
	port := strconv.Itoa(int(s.Port))
	if s.Address.IsValid() {
		return []string{net.JoinHostPort(s.Address.String(), port)}
	}
	all := []string{net.JoinHostPort("0.0.0.0", port)}
	if hasFamily(unix.AF_INET6) {
		all = append(all, net.JoinHostPort("::", port))
	}
	return all
}

// hasFamily reports whether the kernel makes sockets of that family.
func hasFamily(family int) bool {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if family == unix.AF_INET6 {
		// A host may have the family and no address of it.
		return unix.Bind(fd, &unix.SockaddrInet6{}) == nil
	}
	return true
}

// Open listens on one of the Addresses of s.
func (s Socket) Open(ctx context.Context, address string) (net.Listener, error) {
	if s.Path != "" {
		return s.openPath(ctx)
	}
	lc := net.ListenConfig{Control: s.control, KeepAlive: 75 * time.Second}
	network := "tcp4"
	if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().Is6() {
		network = "tcp6"
	}
	l, err := lc.Listen(ctx, network, address)
	if err != nil {
		return nil, bindError(err)
	}
	return l, s.setBacklog(l)
}

// control sets what must be set before bind(2). Go itself sets SO_REUSEADDR, and
// IPV6_V6ONLY for tcp6.
func (s Socket) control(_, _ string, c syscall.RawConn) error {
	if !s.NonLocal {
		return nil
	}
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_FREEBIND, 1) })
	return errors.Join(err, failed)
}

// setBacklog calls listen(2) once more, which changes the backlog.
func (s Socket) setBacklog(l net.Listener) error {
	if s.Backlog == 0 {
		return nil
	}
	raw, err := l.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.Listen(int(fd), s.Backlog) })
	return errors.Join(err, failed)
}

func (s Socket) openPath(ctx context.Context) (net.Listener, error) {
	if err := removeStale(s.Path); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", s.Path)
	if err != nil {
		return nil, bindError(err)
	}
	if s.Mode != 0 {
		err = os.Chmod(s.Path, s.Mode)
	}
	if s.Owner >= 0 || s.Group >= 0 {
		err = errors.Join(err, os.Chown(s.Path, s.Owner, s.Group))
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("server: %w", err)
	}
	return l, nil
}

// removeStale removes the socket of a process that is gone.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return nil // bind will say what is wrong
	}
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
		return fmt.Errorf("bind: %s is in use by a running process", path)
	}
	return os.Remove(path)
}

// bindError is "bind: " and the words of the C library, which operators search
// for (spec config.md 2.1).
func bindError(err error) error {
	var e syscall.Errno
	if errors.As(err, &e) {
		return fmt.Errorf("bind: %s", capital(e.Error()))
	}
	return fmt.Errorf("bind: %w", err)
}

func capital(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
