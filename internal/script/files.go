package script

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
)

// Files are what scripts of a configuration include and import, by their path
// relative to src/files.
type Files map[string][]byte

var (
	_ resolve.Loader = Files(nil)
	_ resolve.Loader = Source{}
)

// Load implements resolve.Loader: a path without an extension may be a folder
// with a main.hsl, and stands for a file with the extension .hsl otherwise.
// Relative paths count from the file that has them, and from the top in a hook.
func (f Files) Load(name, from string) (*resolve.File, error) {
	if _, ok := f[from]; ok && isRelative(name) {
		name = path.Join(path.Dir(from), name)
	}
	return find(strings.TrimPrefix(path.Clean("/"+strings.TrimPrefix(name, "file:")), "/"), "", f.read)
}

// read returns the file of that path.
func (f Files) read(name string) ([]byte, error) {
	if data, ok := f[name]; ok {
		return data, nil
	}
	return nil, fs.ErrNotExist
}

const rootPrefix = "file://" // of paths below Source.Root

// Load implements resolve.Loader: file:// paths, and those that such a file
// gives relative to itself, lie below Root, all others are Files.
func (s Source) Load(name, from string) (*resolve.File, error) {
	if beside, ok := strings.CutPrefix(from, rootPrefix); ok && isRelative(name) {
		name = rootPrefix + path.Join(path.Dir(beside), name)
	}
	below, ok := strings.CutPrefix(name, rootPrefix)
	if !ok {
		return s.Files.Load(name, from)
	}
	if s.Root == "" {
		return nil, errors.New("no root path is set (scripting.rootpath)")
	}
	root, err := os.OpenRoot(s.Root)
	if err != nil {
		return nil, fmt.Errorf("root path: %w", err)
	}
	defer root.Close()
	if inside, err := filepath.Rel(s.Root, below); err == nil && filepath.IsLocal(inside) {
		below = inside
	}
	return find(strings.TrimLeft(path.Clean(below), "/"), rootPrefix, root.ReadFile)
}

func isRelative(name string) bool {
	return strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../")
}

// find tries the names that a path may stand for. The prefix begins the ID.
func find(name, prefix string, read func(string) ([]byte, error)) (*resolve.File, error) {
	var failed error
	for _, candidate := range []string{name, name + ".hsl", name + "/main.hsl"} {
		data, err := read(candidate)
		if err == nil {
			return &resolve.File{ID: prefix + candidate, Text: string(data)}, nil
		}
		if failed == nil || errors.Is(failed, fs.ErrNotExist) {
			failed = err
		}
	}
	if errors.Is(failed, fs.ErrNotExist) && prefix == "" {
		return nil, errors.New("no such file in scripting.files")
	}
	return nil, failed
}
