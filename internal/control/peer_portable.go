//go:build !linux

package control

import "net"

// peerCredentials knows nothing of the process at the other end.
func peerCredentials(c net.Conn) Peer {
	return Peer{Addr: c.RemoteAddr(), PID: -1, UID: -1, GID: -1}
}
