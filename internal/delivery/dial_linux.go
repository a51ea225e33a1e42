package delivery

import "golang.org/x/sys/unix"

// prepareSource sets what must be set before a socket is bound to its source
// address: that the port is chosen at connect, so that it need only be free
// towards the one remote address, and that the address need not be local.
func prepareSource(fd int, s *Source) error {
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	if !s.NonLocal {
		return nil
	}
	// IP_FREEBIND works for sockets of both families (ip(7)).
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
}
