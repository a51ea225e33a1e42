package control

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerCredentials asks the kernel which process opened a Unix connection.
func peerCredentials(c net.Conn) Peer {
	p := Peer{Addr: c.RemoteAddr(), PID: -1, UID: -1, GID: -1}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return p
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return p
	}
	_ = raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			p.PID, p.UID, p.GID = int(cred.Pid), int(cred.Uid), int(cred.Gid)
		}
	})
	return p
}
