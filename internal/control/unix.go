package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"
)

// errInUse means that another process answers on the socket.
var errInUse = errors.New("another process answers there")

// listenUnix opens the socket at o.Path. It is made under another name in a
// folder of its own that nobody else can enter, gets owner, group and mode
// there, and then moves to its place, so that it is never open wider than
// asked for. What was in that place must be a socket on which nobody answers.
func listenUnix(o *Options) (l net.Listener, unlink func(), err error) {
	dir := filepath.Dir(o.Path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, err
	}
	if err := checkStale(o.Path); err != nil {
		return nil, nil, err
	}
	private, err := os.MkdirTemp(dir, ".c")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(private)
	temporary := filepath.Join(private, "s")
	u, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, nil, err
	}
	u.SetUnlinkOnClose(false) // it would not be there any more
	placed, err := o.place(temporary)
	if err != nil {
		return nil, nil, errors.Join(err, u.Close())
	}
	at := &net.UnixAddr{Name: o.Path, Net: "unix"}
	return &unixListener{u, at}, func() { unlinkSame(o.Path, placed) }, nil
}

// place moves the socket from its temporary path to where it belongs.
func (o *Options) place(temporary string) (fs.FileInfo, error) {
	if err := o.own(temporary); err != nil {
		return nil, err
	}
	if err := os.Rename(temporary, o.Path); err != nil {
		return nil, err
	}
	return os.Lstat(o.Path)
}

// unixListener knows where its socket has been moved.
type unixListener struct {
	*net.UnixListener
	at *net.UnixAddr
}

// Addr implements net.Listener.
func (l *unixListener) Addr() net.Addr { return l.at }

// checkStale returns why there must not be a new socket at path, or nil.
func checkStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there and is no socket", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		defer c.Close()
		if pid := peerCredentials(c).PID; pid > 0 {
			return fmt.Errorf("%s: %w (pid %d)", path, errInUse, pid)
		}
		return fmt.Errorf("%s: %w", path, errInUse)
	}
	if errors.Is(err, os.ErrPermission) {
		return err // somebody else's, perhaps alive
	}
	return nil
}

// unlinkSame removes the socket unless another process has put its own there.
func unlinkSame(path string, placed fs.FileInfo) {
	if now, err := os.Lstat(path); err == nil && os.SameFile(now, placed) {
		_ = os.Remove(path) // the next start removes it if we may not
	}
}

// own sets mode, owner and group.
func (o *Options) own(path string) error {
	mode := o.Mode
	if mode == 0 {
		mode = 0o600
	}
	uid, err := lookUp(o.Owner, userID)
	if err != nil {
		return err
	}
	gid, err := lookUp(o.Group, groupID)
	if err != nil {
		return err
	}
	if uid >= 0 || gid >= 0 {
		if err := os.Lchown(path, uid, gid); err != nil {
			return err
		}
	}
	return os.Chmod(path, mode)
}

// lookUp returns the number of a user or group; -1 for none. A number may
// stand for itself.
func lookUp(name string, byName func(string) (string, error)) (int, error) {
	if name == "" {
		return -1, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 {
		return n, nil
	}
	id, err := byName(name)
	if err != nil {
		return -1, err
	}
	return strconv.Atoi(id)
}

func userID(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func groupID(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}
