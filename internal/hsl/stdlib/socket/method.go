package socket

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/declare"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

func bind(c *value.Call) (value.Value, error) {
	s := lock(c)
	defer s.mu.Unlock()
	address, err := s.sockaddr(c.Str(0), c.Int(1))
	if err == nil && c.Options(2).Bool("nonlocal") {
		err = anyAddress(s.fd, s.family)
	}
	if err == nil {
		err = unix.Bind(s.fd, address)
	}
	return s.done(c, err)
}

func connect(c *value.Call) (value.Value, error) {
	s := lock(c)
	defer s.mu.Unlock()
	address, err := s.sockaddr(c.Str(0), c.Int(1))
	if err == nil {
		err = s.connect(c.Thread, address)
	}
	return s.done(c, err)
}

// connect begins and waits until the socket can be written to, which is when
// the system knows how it went.
func (s *Socket) connect(t *value.Thread, address unix.Sockaddr) error {
	err := unix.Connect(s.fd, address)
	if !errors.Is(err, unix.EINPROGRESS) && !errors.Is(err, unix.EINTR) {
		return err
	}
	return s.wait(t, func(fd int) (done bool, err error) {
		code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if err == nil && code != 0 {
			err = unix.Errno(code)
		}
		if err != nil {
			return true, err
		}
		_, unconnected := unix.Getpeername(fd)
		return unconnected == nil, nil
	}, true)
}

func send(c *value.Call) (value.Value, error) {
	s := lock(c)
	defer s.mu.Unlock()
	data := []byte(c.Str(0))
	if err := s.failed(s.send(c.Thread, data)); err != nil || s.errno != 0 {
		return value.None, err
	}
	return value.Int(len(data)), nil
}

// send sends all of the data. The caller holds the lock.
func (s *Socket) send(t *value.Thread, data []byte) error {
	return s.wait(t, func(fd int) (bool, error) {
		for {
			n, err := unix.SendmsgN(fd, data, nil, nil, unix.MSG_NOSIGNAL)
			if again(err) {
				return false, nil
			}
			if data = data[max(n, 0):]; err != nil || len(data) == 0 {
				return true, err
			}
		}
	}, true)
}

// again reports whether a system call would have waited.
func again(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)
}

var flagBits = map[string]int{"MSG_PEEK": unix.MSG_PEEK, "MSG_WAITALL": unix.MSG_WAITALL, "MSG_DONTWAIT": unix.MSG_DONTWAIT}

// flagsOf reads a flag or a list of them.
func flagsOf(c *value.Call, v value.Value) (flags int, err error) {
	list := v.Array()
	if v.IsString() {
		list = value.List(v)
	}
	for name := range list.Values() {
		bit, ok := flagBits[name.Text()]
		if !ok {
			return 0, declare.Unwanted(c, 1, "MSG_PEEK, MSG_WAITALL or MSG_DONTWAIT")
		}
		flags |= bit
	}
	return flags, nil
}

func receive(c *value.Call) (value.Value, error) {
	flags, err := flagsOf(c, c.Args[1])
	if err != nil {
		return value.None, err
	}
	length := c.Int(0)
	if length < 0 {
		return value.None, declare.Unwanted(c, 0, "a number that is not below 0")
	}
	s := lock(c)
	defer s.mu.Unlock()
	data, err := s.receive(c.Thread, length, flags)
	if err := s.failed(err); err != nil || s.errno != 0 {
		return value.None, err
	}
	return declare.Bytes(c, data)
}

// pieceSize is how much is read at once: a script may ask for far more than ever
// comes.
const pieceSize = 1 << 16

// receive reads what is there, or with MSG_WAITALL until it has all. The caller
// holds the lock.
func (s *Socket) receive(t *value.Thread, length, flags int) (data []byte, err error) {
	var growth value.Growth
	all := flags&unix.MSG_WAITALL != 0 && s.kind == unix.SOCK_STREAM
	if all && flags&unix.MSG_PEEK != 0 {
		return s.peekAll(t, length)
	}
	for {
		part, err := s.receiveOnce(t, min(length-len(data), pieceSize), flags)
		data = append(data, part...)
		if err != nil {
			return data, err
		}
		if !all || len(part) == 0 || len(data) == length {
			return data, nil
		}
		if err := growth.To(t, len(data)); err != nil {
			return nil, err
		}
	}
}

// receiveOnce is one call of the system that got something, or the end.
func (s *Socket) receiveOnce(t *value.Thread, length, flags int) (data []byte, err error) {
	buffer := make([]byte, length)
	err = s.wait(t, func(fd int) (bool, error) {
		n, _, err := unix.Recvfrom(fd, buffer, flags&^unix.MSG_WAITALL|unix.MSG_DONTWAIT)
		if again(err) && flags&unix.MSG_DONTWAIT == 0 {
			return false, nil
		}
		data = buffer[:max(n, 0)]
		return true, err
	}, false)
	return data, err
}

// peekAll waits until so much is there and leaves it. The poller tells of new
// data only when some comes, so that looking again and again does no harm.
func (s *Socket) peekAll(t *value.Thread, length int) ([]byte, error) {
	if err := t.Alloc(length); err != nil {
		return nil, err
	}
	buffer := make([]byte, length)
	seen := -1
	err := s.wait(t, func(fd int) (bool, error) {
		n, _, err := unix.Recvfrom(fd, buffer, unix.MSG_PEEK|unix.MSG_DONTWAIT)
		if again(err) {
			return false, nil
		}
		ended := n == seen // woken without more: the peer is done
		seen = n
		return err != nil || n == length || n == 0 || ended, err
	}, false)
	return buffer[:max(seen, 0)], err
}

func setTimeout(c *value.Call) (value.Value, error) {
	seconds := c.Num(0)
	if !(seconds >= 0) {
		return value.None, declare.Unwanted(c, 0, "a number of seconds that is not below 0")
	}
	s := lock(c)
	defer s.mu.Unlock()
	s.timeout = time.Duration(min(seconds, 1e9) * float64(time.Second))
	return value.FromObject(c.This), nil
}

func shutDown(c *value.Call) (value.Value, error) {
	how, ok := hows[c.Str(0)]
	if !ok {
		return value.None, declare.Unwanted(c, 0, "SHUT_RD, SHUT_WR or SHUT_RDWR")
	}
	s := lock(c)
	defer s.mu.Unlock()
	return s.done(c, unix.Shutdown(s.fd, how))
}

func shut(c *value.Call) (value.Value, error) {
	s := lock(c)
	defer s.mu.Unlock()
	c.Disown(s)
	return s.done(c, s.closeLocked())
}

func errno(c *value.Call) (value.Value, error) {
	s := lock(c)
	defer s.mu.Unlock()
	return value.Int(int(s.errno)), nil
}
