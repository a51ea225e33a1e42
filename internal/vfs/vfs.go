// Package vfs is the piece of a file system that durable storage stands on:
// files that are written at offsets and synced, names that are renamed, removed
// and synced with their folder, a lock, and the space left.
//
// There are two implementations. OS is the operating system's. Mem keeps
// everything in memory, counts each step, fails on request, and can show what a
// crash at any moment would leave behind: everything that was synced, and of the
// rest any subset of sectors. Code that keeps its promises on Mem's CrashClone
// keeps them on a disk.
package vfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FS is a file system. All methods are safe for concurrent use. Errors are
// those of package os: match them with errors.Is(err, fs.ErrNotExist) and the
// like; a full file system is syscall.ENOSPC.
type FS interface {
	// OpenFile opens name with the flags of package os.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)

	// Rename moves a file over whatever has the new name. It is durable after
	// SyncDir.
	Rename(from, to string) error

	// Remove takes a name away. The file lives on while it is open. The removal
	// is durable after SyncDir.
	Remove(name string) error

	// MkdirAll makes a folder with those above it.
	MkdirAll(name string, perm fs.FileMode) error

	// List returns the names in a folder in ascending order, without those of
	// folders.
	List(dir string) ([]string, error)

	// SyncDir makes the names in a folder durable.
	SyncDir(dir string) error

	// Lock takes the lock file name for this process and writes the process id
	// into it. When another process holds it the error is a *HeldError. The lock
	// ends with Close or with the process.
	Lock(name string) (io.Closer, error)

	// Free tells the space that is left where dir is.
	Free(dir string) (Space, error)
}

// File is an open file. ReadAt, WriteAt and WriteV are safe for concurrent use.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer

	// WriteV writes the buffers one after the other from offset off, in as few
	// steps as the system allows, and returns how many bytes were written. The
	// elements of bufs may be changed, the bytes are not.
	WriteV(bufs [][]byte, off int64) (int64, error)

	// Sync returns when the bytes, and the size if it changed, are on disk. After
	// an error nobody knows which of them are, and calling it again tells nothing.
	Sync() error

	// Allocate reserves room for the first size bytes, without changing what
	// can be read below the old end. It may be a promise only.
	Allocate(size int64) error

	// Truncate sets the size.
	Truncate(size int64) error

	// Size returns the current size in bytes.
	Size() (int64, error)
}

// Space is room on a file system as far as this process may use it.
type Space struct {
	Bytes  int64
	Inodes int64 // a very large number where the file system has no limit
}

// HeldError says that another process has the lock.
type HeldError struct {
	Name string
	PID  int // 0: not known
}

func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("vfs: %s is locked by another process", e.Name)
	}
	return fmt.Sprintf("vfs: %s is locked by process %d", e.Name, e.PID)
}

// WriteAtomic replaces the file name by data so that after a crash either the
// old or the new content is there, whole.
func WriteAtomic(fsys FS, name string, data []byte, perm fs.FileMode) error {
	tmp := name + ".tmp"
	if err := writeSynced(fsys, tmp, data, perm); err != nil {
		return errors.Join(fmt.Errorf("vfs: write %s: %w", name, err), ignoreMissing(fsys.Remove(tmp)))
	}
	if err := fsys.Rename(tmp, name); err != nil {
		return fmt.Errorf("vfs: write %s: %w", name, err)
	}
	if err := fsys.SyncDir(filepath.Dir(name)); err != nil {
		return fmt.Errorf("vfs: write %s: %w", name, err)
	}
	return nil
}

func writeSynced(fsys FS, name string, data []byte, perm fs.FileMode) error {
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ReadFile returns the whole content of a file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], err
}
