package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Op says which step of a Mem is about to be taken.
type Op struct {
	Number int    // from 1, over the life of the Mem
	Kind   OpKind // what is done
	Name   string // of the file or folder; of the old name for a rename
}

// OpKind is the kind of a step that changes something.
type OpKind uint8

const (
	OpCreate OpKind = iota
	OpWrite
	OpSync
	OpAllocate
	OpTruncate
	OpRename
	OpRemove
	OpSyncDir
)

func (k OpKind) String() string {
	return [...]string{"create", "write", "sync", "allocate", "truncate", "rename", "remove", "syncdir"}[k]
}

// Mem is a file system in memory for tests. Folders exist by being named.
//
// It knows for each sector of 512 bytes what was synced and what has been
// written since, and for each folder which names were synced and what has been
// done to them since; CrashClone picks from that.
//
// Its lock is held while a step is taken but not while Before runs.
type Mem struct {
	// Before is called before each step that changes something. An error that it
	// returns is the outcome of the step, which then does not happen; a Sync that
	// fails so leaves everything written before in doubt for ever, as Linux does.
	// Set it before the first use.
	Before func(Op) error

	mu       sync.Mutex
	ops      int
	names    map[string]*inode // as seen now
	durable  map[string]*inode // as after a crash that kept only what was synced
	dirOps   []dirOp           // since then, in order
	locks    map[string]bool
	capacity int64 // bytes; 0: no bound
}

type dirOp struct {
	dir   string
	apply func(names map[string]*inode)
}

// NewMem returns an empty file system.
func NewMem() *Mem {
	return &Mem{names: map[string]*inode{}, durable: map[string]*inode{}, locks: map[string]bool{}}
}

// SetCapacity bounds the bytes that all files together may take up. Zero takes
// the bound away. Writing beyond it fails with ENOSPC.
func (m *Mem) SetCapacity(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = bytes
}

// Used returns the bytes that all named files take up.
func (m *Mem) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.usedLocked()
}

func (m *Mem) usedLocked() int64 {
	var n int64
	for _, f := range m.names {
		n += int64(f.allocated()) * sectorSize
	}
	return n
}

// step announces a change and asks whether it may happen.
func (m *Mem) step(kind OpKind, name string) error {
	m.mu.Lock()
	m.ops++
	op := Op{Number: m.ops, Kind: kind, Name: name}
	before := m.Before
	m.mu.Unlock()
	if before == nil {
		return nil
	}
	if err := before(op); err != nil {
		return &fs.PathError{Op: kind.String(), Path: name, Err: err}
	}
	return nil
}

func (m *Mem) OpenFile(name string, flag int, _ fs.FileMode) (File, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	f, exists := m.names[name]
	m.mu.Unlock()
	switch {
	case exists && flag&os.O_EXCL != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrExist}
	case exists && flag&os.O_TRUNC != 0:
		return m.truncated(name, f)
	case exists:
		return &memFile{fs: m, inode: f, name: name}, nil
	case flag&os.O_CREATE == 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if err := m.step(OpCreate, name); err != nil {
		return nil, err
	}
	f = newInode()
	m.changeDir(filepath.Dir(name), func(names map[string]*inode) { names[name] = f })
	return &memFile{fs: m, inode: f, name: name}, nil
}

func (m *Mem) truncated(name string, i *inode) (File, error) {
	f := &memFile{fs: m, inode: i, name: name}
	return f, f.Truncate(0)
}

// changeDir does something to the names of a folder, to be made durable later.
func (m *Mem) changeDir(dir string, apply func(map[string]*inode)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	apply(m.names)
	m.dirOps = append(m.dirOps, dirOp{dir, apply})
}

func (m *Mem) Rename(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	f, err := m.lookup("rename", from)
	if err != nil {
		return err
	}
	if err := m.step(OpRename, from); err != nil {
		return err
	}
	m.changeDir(filepath.Dir(to), func(names map[string]*inode) {
		delete(names, from)
		names[to] = f
	})
	return nil
}

func (m *Mem) Remove(name string) error {
	name = filepath.Clean(name)
	if _, err := m.lookup("remove", name); err != nil {
		return err
	}
	if err := m.step(OpRemove, name); err != nil {
		return err
	}
	m.changeDir(filepath.Dir(name), func(names map[string]*inode) { delete(names, name) })
	return nil
}

func (m *Mem) lookup(op, name string) (*inode, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f, ok := m.names[name]; ok {
		return f, nil
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// MkdirAll has nothing to do.
func (m *Mem) MkdirAll(string, fs.FileMode) error { return nil }

func (m *Mem) List(dir string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	prefix := filepath.Clean(dir) + "/"
	var names []string
	for name := range m.names {
		rest, ok := strings.CutPrefix(name, prefix)
		if ok && !strings.Contains(rest, "/") {
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (m *Mem) SyncDir(dir string) error {
	dir = filepath.Clean(dir)
	if err := m.step(OpSyncDir, dir); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dirOps = slices.DeleteFunc(m.dirOps, func(op dirOp) bool {
		if op.dir != dir {
			return false
		}
		op.apply(m.durable)
		return true
	})
	return nil
}

func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[name] {
		return nil, &HeldError{Name: name, PID: os.Getpid()}
	}
	m.locks[name] = true
	return memLock{m, name}, nil
}

type memLock struct {
	fs   *Mem
	name string
}

func (l memLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locks, l.name)
	return nil
}

// Free counts down from the capacity, or from a terabyte where there is none.
func (m *Mem) Free(string) (Space, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	capacity := m.capacity
	if capacity == 0 {
		capacity = 1 << 40
	}
	return Space{Bytes: capacity - m.usedLocked(), Inodes: 1 << 20}, nil
}

// Names lists every file, for tests that look around.
func (m *Mem) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.names))
}

type memFile struct {
	fs    *Mem
	inode *inode
	name  string
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.inode.readAt(p, off)
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.WriteV([][]byte{p}, off)
	return int(n), err
}

// WriteV is one step however many buffers there are, so that a crash in its
// middle shows as missing sectors.
func (f *memFile) WriteV(bufs [][]byte, off int64) (int64, error) {
	if err := f.fs.step(OpWrite, f.name); err != nil {
		return 0, err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	var total int64
	for _, p := range bufs {
		if f.fs.fullLocked(f.inode.grows(off+total, len(p))) {
			return total, &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
		}
		f.inode.write(p, off+total, f.fs.ops)
		total += int64(len(p))
	}
	return total, nil
}

func (m *Mem) fullLocked(sectors int) bool {
	return m.capacity > 0 && sectors > 0 && m.usedLocked()+int64(sectors)*sectorSize > m.capacity
}

func (f *memFile) Sync() error {
	err := f.fs.step(OpSync, f.name)
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.inode.sync(err == nil)
	return err
}

func (f *memFile) Allocate(size int64) error {
	if err := f.fs.step(OpAllocate, f.name); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.fs.fullLocked(f.inode.grows(0, int(size))) {
		return &fs.PathError{Op: "allocate", Path: f.name, Err: syscall.ENOSPC}
	}
	f.inode.resize(max(size, f.inode.size), f.fs.ops)
	return nil
}

func (f *memFile) Truncate(size int64) error {
	if err := f.fs.step(OpTruncate, f.name); err != nil {
		return err
	}
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	f.inode.resize(size, f.fs.ops)
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	return f.inode.size, nil
}

// Close leaves the content, which belongs to the name.
func (f *memFile) Close() error { return nil }

func (o Op) String() string { return fmt.Sprintf("%d %s %s", o.Number, o.Kind, o.Name) }
