package shell

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/stdlib/file"
)

// Configuration is what a configuration says of the files of scripts.
type Configuration struct {
	Files map[string][]byte // by id
	Root  string            // folder of file:// paths; "": there are none
}

// Files finds files for scripts on disk:
//
//	name, file:name  a file of the configuration; for a script on disk, failing
//	                 that, a file beside it
//	./name, ../name  relative to the file that says so, in the same store
//	file://name      a file below Root
//	extras://name    a module of the program
//
// A path without extension may be a folder with a file main.hsl, or leave out
// the extension .hsl. Whoever starts a script on disk could read everything that
// it can, so its relative paths may lead anywhere; in a configuration and below
// Root nothing leads out.
type Files struct {
	// Root is the folder of file:// paths; "": that of the configuration.
	Root string
	// Modules are what extras:// names; nil: there are none.
	Modules resolve.Modules
	// Configuration reads a configuration, when a script first asks for what it
	// says; nil: there is none.
	Configuration func() (Configuration, error)

	once   sync.Once
	read   Configuration
	failed error
}

var (
	_ resolve.Loader = (*Files)(nil)
	_ file.Store     = (*Files)(nil)
)

const (
	configuredPrefix = "file:"   // of IDs of Configured
	rootPrefix       = "file://" // of IDs below Root
	addOnPrefix      = "extras://"
)

// errMissing is for a file that is not there.
var errMissing = errors.New("no such file")

// Load implements resolve.Loader.
func (f *Files) Load(name, from string) (*resolve.File, error) {
	switch {
	case strings.HasPrefix(name, addOnPrefix):
		return resolve.AddOns{Modules: f.Modules}.Load(name, from)
	case strings.HasPrefix(name, rootPrefix):
		return f.below(strings.TrimPrefix(name, rootPrefix))
	case strings.HasPrefix(name, configuredPrefix):
		return f.inConfiguration(strings.TrimPrefix(name, configuredPrefix))
	case strings.HasPrefix(name, "./"), strings.HasPrefix(name, "../"):
		return f.beside(name, from)
	}
	found, err := f.inConfiguration(name)
	if errors.Is(err, errMissing) && !strings.HasPrefix(from, configuredPrefix) {
		return f.beside(name, from)
	}
	return found, err
}

// beside resolves a path against the file that it stands in.
func (f *Files) beside(name, from string) (*resolve.File, error) {
	if id, ok := strings.CutPrefix(from, rootPrefix); ok {
		return f.below(path.Join(path.Dir(id), name))
	}
	if id, ok := strings.CutPrefix(from, configuredPrefix); ok {
		return f.inConfiguration(path.Join(path.Dir(id), name))
	}
	return find(filepath.Join(filepath.Dir(from), filepath.FromSlash(name)), "", os.ReadFile)
}

// root returns the folder of file:// paths, "" if there is none.
func (f *Files) root() (string, error) {
	if f.Root != "" {
		return f.Root, nil
	}
	configuration, err := f.configuration()
	return configuration.Root, err
}

// Open implements file.Store: what the class File reads. Names that the
// configuration does not have are files on disk, counted from the working folder.
func (f *Files) Open(name string) (file.Content, error) {
	configuration, err := f.configuration()
	if err != nil {
		return nil, err
	}
	root := cmp.Or(f.Root, configuration.Root)
	content, err := file.Folder{Virtual: configuration.Files, Root: root}.Open(name)
	if errors.Is(err, fs.ErrNotExist) && !strings.HasPrefix(name, configuredPrefix) {
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is no regular file", name)
		}
		return os.Open(name)
	}
	return content, err
}

func (f *Files) below(name string) (*resolve.File, error) {
	folder, err := f.root()
	if err != nil {
		return nil, err
	}
	if folder == "" {
		return nil, errors.New("no root path is set")
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("root path: %w", err)
	}
	defer root.Close()
	return find(path.Clean(name), rootPrefix, root.ReadFile)
}

func (f *Files) inConfiguration(name string) (*resolve.File, error) {
	configuration, err := f.configuration()
	if err != nil {
		return nil, err
	}
	return find(path.Clean(name), configuredPrefix, func(name string) ([]byte, error) {
		if data, ok := configuration.Files[name]; ok {
			return data, nil
		}
		return nil, fs.ErrNotExist
	})
}

func (f *Files) configuration() (Configuration, error) {
	f.once.Do(func() {
		if f.Configuration != nil {
			f.read, f.failed = f.Configuration()
		}
	})
	return f.read, f.failed
}

// find tries the names that a path may stand for. Prefix tells the store in the
// ID of the file.
func find(name, prefix string, read func(string) ([]byte, error)) (*resolve.File, error) {
	candidates := []string{name}
	if path.Ext(name) == "" {
		candidates = append(candidates, path.Join(name, "main.hsl"), name+".hsl")
	}
	for _, c := range candidates {
		data, err := read(c)
		if err == nil {
			return &resolve.File{ID: prefix + c, Text: string(data)}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !isFolder(err) {
			return nil, err
		}
	}
	return nil, errMissing
}

// isFolder tells that reading failed because the path is a folder, or leads
// through a file.
func isFolder(err error) bool {
	text := err.Error()
	return strings.HasSuffix(text, "is a directory") || strings.HasSuffix(text, "not a directory")
}
