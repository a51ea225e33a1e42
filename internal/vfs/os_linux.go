package vfs

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// maxIOV is the kernel's UIO_MAXIOV.
const maxIOV = 1024

func (f *osFile) WriteV(bufs [][]byte, off int64) (int64, error) {
	var total int64
	for len(bufs) > 0 {
		n, err := unix.Pwritev(f.fd, bufs[:min(len(bufs), maxIOV)], off+total)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return total, fmt.Errorf("pwritev %s: %w", f.Name(), err)
		}
		total += int64(n)
		bufs = advance(bufs, n)
	}
	runtime.KeepAlive(f)
	return total, nil
}

// advance drops the first n bytes. It may shorten one of the buffers in place.
func advance(bufs [][]byte, n int) [][]byte {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	if n > 0 {
		bufs[0] = bufs[0][n:]
	}
	return bufs
}

// Sync leaves out times, which nobody needs to survive: over blocks that were
// written before it costs no journal commit.
func (f *osFile) Sync() error {
	for {
		err := unix.Fdatasync(f.fd)
		if err == unix.EINTR {
			continue
		}
		runtime.KeepAlive(f)
		if err != nil {
			return fmt.Errorf("fdatasync %s: %w", f.Name(), err)
		}
		return nil
	}
}

func (f *osFile) Allocate(size int64) error {
	err := unix.Fallocate(f.fd, 0, 0, size)
	runtime.KeepAlive(f)
	if err == unix.EOPNOTSUPP || err == unix.ENOSYS {
		return nil // NFS, older ZFS: the room is taken when it is written
	}
	if err != nil {
		return fmt.Errorf("fallocate %s: %w", f.Name(), err)
	}
	return nil
}
