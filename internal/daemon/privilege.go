package daemon

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Identity is a user to become, with its groups.
type Identity struct {
	UID    int
	GID    int
	Groups []int // supplementary, the primary one included
}

// LookupIdentity finds a user and its groups. group, when not empty, replaces
// the user's primary group. Both may be names or numbers.
func LookupIdentity(name, group string) (*Identity, error) {
	u, err := user.Lookup(name)
	if err != nil {
		if u, err = user.LookupId(name); err != nil {
			return nil, fmt.Errorf("daemon: user %q does not exist; create it or change environment.privdrop.user", name)
		}
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return nil, fmt.Errorf("daemon: user %q: %w", name, err)
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return nil, fmt.Errorf("daemon: user %q: %w", name, err)
	}
	if group != "" {
		if gid, err = LookupGroup(group); err != nil {
			return nil, err
		}
	}
	id := &Identity{UID: uid, GID: gid, Groups: []int{gid}}
	names, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("daemon: groups of %q: %w", name, err)
	}
	for _, g := range names {
		if n, err := strconv.Atoi(g); err == nil && n != gid {
			id.Groups = append(id.Groups, n)
		}
	}
	return id, nil
}

// LookupGroup finds a group by name or number.
func LookupGroup(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		if g, err = user.LookupGroupId(name); err != nil {
			return 0, fmt.Errorf("daemon: group %q does not exist", name)
		}
	}
	return strconv.Atoi(g.Gid)
}

// Become makes the whole process run as id, for good.
func (id *Identity) Become() error {
	if unix.Getuid() == id.UID && unix.Getgid() == id.GID {
		return nil
	}
	if err := syscall.Setgroups(id.Groups); err != nil {
		return fmt.Errorf("daemon: drop privileges: setgroups: %w", err)
	}
	if err := syscall.Setgid(id.GID); err != nil {
		return fmt.Errorf("daemon: drop privileges: setgid %d: %w", id.GID, err)
	}
	if err := syscall.Setuid(id.UID); err != nil {
		return fmt.Errorf("daemon: drop privileges: setuid %d: %w", id.UID, err)
	}
	if id.UID != 0 && syscall.Setuid(0) == nil {
		return errors.New("daemon: drop privileges: the process could become root again")
	}
	return nil
}

// RaiseFiles sets the limit of open files, soft and hard. It fails when the
// system does not allow that many.
func RaiseFiles(n uint64) error { return setLimit(unix.RLIMIT_NOFILE, "open files", n) }

// LimitCore sets the size up to which a crash leaves a core file.
func LimitCore(bytes uint64) error { return setLimit(unix.RLIMIT_CORE, "core size", bytes) }

func setLimit(resource int, what string, n uint64) error {
	if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: n, Max: n}); err != nil {
		return fmt.Errorf("daemon: limit of %s: cannot set %d: %w", what, n, err)
	}
	return nil
}
