// Package socket holds the classes Socket and TLSSocket: connections that
// scripts make themselves.
//
// A Socket is one of the operating system, made, bound and connected in the
// steps of the Berkeley interface, so that errno and flags mean what scripts
// expect. It never blocks a thread: whatever waits, waits in the poller of the
// runtime, and ends with its time-out or with the script.
package socket

import (
	"errors"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/ffi"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Socket is the state of a Socket object.
type Socket struct {
	family, kind int

	mu      sync.Mutex // scripts may share it
	fd      int        // -1 when closed
	file    *os.File   // fd in the poller, once something may wait for it
	errno   unix.Errno
	timeout time.Duration // 0: none
}

// Resource is an open socket that a Socket can be made of.
type Resource struct{ Socket *Socket }

// ResourceKind implements value.Resource.
func (*Resource) ResourceKind() string { return "SocketResource" }

var (
	families = map[string]int{"AF_INET": unix.AF_INET, "AF_INET6": unix.AF_INET6, "AF_UNIX": unix.AF_UNIX}
	kinds    = map[string]int{"SOCK_STREAM": unix.SOCK_STREAM, "SOCK_DGRAM": unix.SOCK_DGRAM}
	hows     = map[string]int{"SHUT_RD": unix.SHUT_RD, "SHUT_WR": unix.SHUT_WR, "SHUT_RDWR": unix.SHUT_RDWR}
)

var socketClass = &value.Class{
	Name: "Socket",
	Doc: "A socket of the network or of the host. Methods that fail return none, and errno says why. " +
		"It is closed at the end of the script at the latest.",
}

func init() {
	c := socketClass
	c.Constructor = declare.Function("Socket(string family, string type) Socket or none",
		"Makes a socket. The family is AF_INET, AF_INET6 or AF_UNIX, the type SOCK_STREAM or SOCK_DGRAM.",
		`echo Socket("AF_INET", "SOCK_STREAM")->errno(); // 0`, open)
	c.Methods = []*value.Builtin{
		declare.Method("bind(string address, [number port = 0], [array options]) Socket or none", "Gives the socket an address of this host, or a path.", bind,
			declare.Option("boolean nonlocal = false", "The address need not be one of this host.")),
		declare.Method("connect(string address, [number port = 0]) Socket or none", "Connects to an address, or to a path. Names are not looked up.", connect),
		declare.Method("send(string data) number or none", "Sends all of the data and returns its length.", send),
		declare.Method("recv(number length, [array or string flags]) string or none",
			"Returns what has come, at most length bytes; an empty string when the peer sends no more. "+
				"Flags are MSG_PEEK (leave it there), MSG_WAITALL (wait for all of the length) and MSG_DONTWAIT (do not wait at all).", receive),
		declare.Method("settimeout(number timeout) Socket", "Sets how many seconds connect, send and recv wait at most; 0 is without end.", setTimeout),
		declare.Method("shutdown(string how) Socket or none", "Ends receiving (SHUT_RD), sending (SHUT_WR) or both (SHUT_RDWR).", shutDown),
		declare.Method("close() Socket or none", "Closes the socket.", shut),
		declare.Method("errno() number", "Returns the number of the last error; 0 if there was none.", errno),
		ffi.Value(),
	}
	c.Statics = []*value.Builtin{
		declare.Method("AF(string address) string or none", "Returns AF_INET or AF_INET6 for an address, or none if it is none.", familyOf),
		declare.Method("Resource(SocketResource socket) Socket or none", "Makes an object of a socket that is a resource.",
			func(c *value.Call) (value.Value, error) {
				return object(c.Thread, c.Args[0].Resource().(*Resource).Socket), nil
			}),
	}
	declare.Examples(c, socketExamples)
}

// Classes returns Socket and TLSSocket. The identities may be nil.
func Classes(k Identities) []*value.Class { return []*value.Class{socketClass, tlsClass(k)} }

// object returns a Socket that the thread closes at its end.
func object(t *value.Thread, s *Socket) value.Value {
	t.Own(s)
	return value.FromObject(socketClass.New(s))
}

func open(c *value.Call) (value.Value, error) {
	family, ok := families[c.Str(0)]
	if !ok {
		return value.None, declare.Unwanted(c, 0, "AF_INET, AF_INET6 or AF_UNIX")
	}
	kind, ok := kinds[c.Str(1)]
	if !ok {
		return value.None, declare.Unwanted(c, 1, "SOCK_STREAM or SOCK_DGRAM")
	}
	fd, err := newSocket(family, kind)
	if err != nil {
		return value.None, nil // none says so
	}
	return object(c.Thread, &Socket{family: family, kind: kind, fd: fd}), nil
}

func familyOf(c *value.Call) (value.Value, error) {
	a, err := netip.ParseAddr(c.Str(0))
	switch {
	case err != nil:
		return value.None, nil // none says so
	case a.Is4():
		return value.String("AF_INET"), nil
	}
	return value.String("AF_INET6"), nil
}

// lock returns the socket of a method, locked.
func lock(c *value.Call) *Socket {
	s := c.This.Native.(*Socket)
	s.mu.Lock()
	return s
}

// done returns the object of a method that succeeded, or none, and keeps errno.
// An error that ends the script goes on. The caller holds the lock.
func (s *Socket) done(c *value.Call, err error) (value.Value, error) {
	if err = s.failed(err); err != nil {
		return value.None, err
	}
	if s.errno != 0 {
		return value.None, nil
	}
	return value.FromObject(c.This), nil
}

// failed keeps the number of an error and returns only those that end the
// script. The caller holds the lock.
func (s *Socket) failed(err error) error {
	s.errno = 0
	if err == nil {
		return nil
	}
	if value.Uncatchable(err) {
		return err
	}
	switch {
	case errors.As(err, &s.errno):
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.errno = unix.ETIMEDOUT
	case errors.Is(err, os.ErrClosed):
		s.errno = unix.EBADF
	default:
		s.errno = unix.EIO
	}
	return nil
}

// sockaddr reads an address for the family of the socket.
func (s *Socket) sockaddr(address string, port int) (unix.Sockaddr, error) {
	if s.family == unix.AF_UNIX {
		return &unix.SockaddrUnix{Name: address}, nil
	}
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" || port < 0 || port > 65535 {
		return nil, unix.EINVAL
	}
	if s.family == unix.AF_INET {
		if !a.Unmap().Is4() {
			return nil, unix.EAFNOSUPPORT
		}
		return &unix.SockaddrInet4{Port: port, Addr: a.Unmap().As4()}, nil
	}
	if a.Is4() {
		return nil, unix.EAFNOSUPPORT
	}
	return &unix.SockaddrInet6{Port: port, Addr: a.As16()}, nil
}

// Close implements io.Closer, for the thread that owns the socket.
func (s *Socket) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closeLocked()
}

func (s *Socket) closeLocked() error {
	fd, file := s.fd, s.file
	s.fd, s.file = -1, nil
	switch {
	case fd < 0:
		return unix.EBADF
	case file != nil:
		return file.Close()
	}
	return unix.Close(fd)
}

// polled returns the socket in the poller of the runtime.
func (s *Socket) polled() (*os.File, error) {
	if s.fd < 0 {
		return nil, unix.EBADF
	}
	if s.file == nil {
		s.file = os.NewFile(uintptr(s.fd), "socket")
	}
	return s.file, nil
}
