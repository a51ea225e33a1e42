package project

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/posthaste-mta/posthaste/internal/config"
)

// ErrExists says that unpacking would replace a file of other content.
var ErrExists = errors.New("config: the file exists and differs")

// Unpack takes the packed files of the project apart into sources and returns
// the files that were written, sorted. It refuses to replace a source that
// differs unless force is set. Building afterwards gives the same packed files,
// except that scripts which no server refers to are left out.
func Unpack(options Options, force bool) ([]string, error) {
	files := map[string][]byte{}
	for _, kind := range config.Kinds() {
		if err := unpackKind(options, kind, files); err != nil {
			return nil, err
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("config: no configuration in %s", options.dist())
	}
	if !force {
		if err := checkExisting(files); err != nil {
			return nil, err
		}
	}
	if err := writeAll(options.source(), files); err != nil {
		return nil, err
	}
	var written []string
	for path := range files {
		written = append(written, path)
	}
	slices.Sort(written)
	return written, nil
}

func checkExisting(files map[string][]byte) error {
	var mistakes []error
	for path, data := range files {
		have, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			mistakes = append(mistakes, fmt.Errorf("config: %w", err))
		case !bytes.Equal(have, data):
			mistakes = append(mistakes, fmt.Errorf("%w: %s", ErrExists, path))
		}
	}
	return errors.Join(mistakes...)
}

func unpackKind(options Options, kind config.Kind, files map[string][]byte) error {
	path := options.dist(string(kind) + ".yaml")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	doc, _, err := config.Parse(path, data, kind, config.LoadOptions{DeferEnv: true})
	if err != nil {
		return err
	}
	if kind == config.SMTPDApp {
		u := unpacker{options, doc, files}
		if data, err = u.unpack(); err != nil {
			return err
		}
	}
	files[options.source("config", string(kind)+".yaml")] = data
	return nil
}

// unpacker takes one running configuration apart.
type unpacker struct {
	options Options
	doc     *config.Document
	files   map[string][]byte
}

// unpack returns what is left of the configuration.
func (u unpacker) unpack() ([]byte, error) {
	for _, phase := range phases {
		for _, s := range scriptsOf(u.doc, phase) {
			if err := u.add([]byte(s.Data), s.ID+scriptExt, "hooks", phase); err != nil {
				return nil, err
			}
		}
		u.doc.Delete("scripting.hooks." + phase)
	}
	for _, name := range queueHooks {
		if source := u.doc.Root.Get("scripting").Get("hooks").Get(name); source != nil {
			if err := u.add([]byte(source.Text), name+scriptExt, "hooks", queueFolder); err != nil {
				return nil, err
			}
		}
		u.doc.Delete("scripting.hooks." + name)
	}
	if err := u.unpackFiles(); err != nil {
		return nil, err
	}
	return u.doc.YAML()
}

// unpackFiles leaves those in the configuration that name a path on the host.
func (u unpacker) unpackFiles() error {
	var kept []file
	for _, f := range filesOf(u.doc) {
		if f.Path != "" {
			kept = append(kept, f)
			continue
		}
		content, err := f.content()
		if err != nil {
			return fmt.Errorf("config: %s: file %q: %w", u.doc.File, f.ID, err)
		}
		if err := u.add(content, f.ID, "files"); err != nil {
			return err
		}
	}
	u.doc.Delete("scripting.files")
	if len(kept) == 0 {
		return nil
	}
	return u.doc.Set("scripting.files", kept)
}

// add notes a source file. Ids come from a file that somebody else may have
// packed, so none may lead out of its folder.
func (u unpacker) add(data []byte, id string, folder ...string) error {
	local := filepath.FromSlash(id)
	if !filepath.IsLocal(local) {
		return fmt.Errorf("config: %s: the id %q leads out of the folder", u.doc.File, id)
	}
	u.files[u.options.source(append(folder, local)...)] = data
	return nil
}
