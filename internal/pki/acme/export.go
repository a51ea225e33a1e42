package acme

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Export copies certificates for another program (spec tls.md 9.4, 14.1).
type Export struct {
	ID   string
	Type ExportType
	// Path is a folder for ExportHAProxy; else a file, with {name} for the name of
	// the certificate.
	Path string
	// Pair: the key stands in a file of its own, with ".key" behind its name.
	Pair       bool
	RuntimeAPI string // socket of HAProxy; empty: none
	UID, GID   int    // -1: as the process
	Mode       fs.FileMode
}

// ExportType says who reads it.
type ExportType string

// The types of exports.
const (
	ExportHAProxy ExportType = "haproxy"
	ExportPEM     ExportType = "pem"
	ExportPair    ExportType = "pair"
)

// exportFile is one file of an export.
type exportFile struct {
	path string
	data []byte
	mode fs.FileMode
}

// files lists what an export has of a pair, in the order in which a new name is
// written: a chain without its key keeps HAProxy from reloading at all (spec
// tls.md 14.1, TLS-41).
func (x *Export) files(name string, p *Pair) []exportFile {
	path := strings.ReplaceAll(x.Path, "{name}", Word(name))
	if x.Type == ExportHAProxy {
		path = filepath.Join(x.Path, Word(name)+".pem")
	}
	if !x.Pair && x.Type != ExportPair {
		return []exportFile{{path, join(p.Chain, p.Key), x.Mode}}
	}
	if x.Type == ExportHAProxy {
		path = filepath.Join(x.Path, Word(name)+".crt")
	}
	return []exportFile{{path + ".key", p.Key, x.Mode}, {path, p.Chain, x.Mode}}
}

func join(chain, key []byte) []byte {
	out := bytes.TrimRight(chain, "\n")
	return append(append(append([]byte(nil), out...), '\n'), key...)
}

// write copies a pair. It reports whether anything has changed.
func (x *Export) write(name string, p *Pair) (changed bool, err error) {
	for _, f := range x.files(name, p) {
		if have, err := os.ReadFile(f.path); err == nil && bytes.Equal(have, f.data) {
			continue
		}
		if err := x.replace(f); err != nil {
			return changed, fmt.Errorf("acme: export %q: %w", x.ID, err)
		}
		changed = true
	}
	if changed && x.RuntimeAPI != "" {
		file := x.files(name, p)[0]
		if err := updateHAProxy(x.RuntimeAPI, filepath.Clean(x.Path), file.path, file.data); err != nil {
			return changed, fmt.Errorf("acme: export %q: %w", x.ID, err)
		}
	}
	return changed, nil
}

// replace writes a file beside its place, under a name that HAProxy skips, and
// puts it there whole.
func (x *Export) replace(f exportFile) error {
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, "."+filepath.Base(f.path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(f.data)
	err = errors.Join(err, tmp.Chmod(f.mode))
	if x.UID >= 0 || x.GID >= 0 {
		err = errors.Join(err, tmp.Chown(x.UID, x.GID))
	}
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), f.path)
}

// remove takes the files of a name away, the chain before its key.
func (x *Export) remove(name string) error {
	files := x.files(name, &Pair{})
	for i := len(files) - 1; i >= 0; i-- {
		if err := os.Remove(files[i].path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("acme: export %q: %w", x.ID, err)
		}
	}
	if x.RuntimeAPI != "" {
		if err := removeFromHAProxy(x.RuntimeAPI, filepath.Clean(x.Path), files[0].path); err != nil {
			return fmt.Errorf("acme: export %q: %w", x.ID, err)
		}
	}
	return nil
}
