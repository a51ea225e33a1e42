package file

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Folder is a Store of files that a configuration holds, and of files below one
// folder of the system. No path leads out of the folder, not even by a symbolic
// link.
type Folder struct {
	// Virtual are the files of the configuration by name, which is also the name
	// behind "file:".
	Virtual map[string][]byte
	// Root is the folder of what is named file://path; "" allows none. The paths
	// may be absolute, when they begin with the folder, or count from there.
	Root string
}

// Open implements Store.
func (f Folder) Open(path string) (Content, error) {
	if name, ok := strings.CutPrefix(path, "file://"); ok {
		return f.real(name)
	}
	name := strings.TrimPrefix(path, "file:")
	data, ok := f.Virtual[name]
	if !ok {
		return nil, fmt.Errorf("file: %q: %w", name, fs.ErrNotExist)
	}
	return nopCloser{bytes.NewReader(data)}, nil
}

func (f Folder) real(name string) (Content, error) {
	if f.Root == "" {
		return nil, fmt.Errorf("file: %s: %w: scripts may read no files of the system", name, fs.ErrPermission)
	}
	if inside, err := filepath.Rel(f.Root, name); err == nil && filepath.IsLocal(inside) {
		name = inside
	}
	root, err := os.OpenRoot(f.Root)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	defer root.Close()
	// Without O_NONBLOCK a pipe would wait for somebody to write to it.
	opened, err := root.OpenFile(strings.TrimLeft(name, "/"), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	if info, err := opened.Stat(); err != nil || !info.Mode().IsRegular() {
		opened.Close()
		return nil, fmt.Errorf("file: %s is no regular file", name)
	}
	return opened, nil
}
