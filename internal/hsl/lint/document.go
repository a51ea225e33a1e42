package lint

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"

	"github.com/posthaste-mta/posthaste/internal/hsl"
	"github.com/posthaste-mta/posthaste/internal/hsl/resolve"
	"github.com/posthaste-mta/posthaste/internal/hsl/value"
)

// Document is a hook with the files that it may import, as it is sent to be
// checked (spec operations.md 8.2).
type Document struct {
	Phase string         `yaml:"phase"`
	Data  string         `yaml:"data"`
	Files []DocumentFile `yaml:"files"`
}

// DocumentFile is one file; Data is in base64 if it is binary.
type DocumentFile struct {
	ID     string `yaml:"id"`
	Data   string `yaml:"data"`
	Binary bool   `yaml:"binary"`
}

// maxDocument bounds what is read.
const maxDocument = 256 << 20

// ReadDocument reads a document in YAML. Fields that do not matter for checking
// are ignored.
func ReadDocument(r io.Reader) (*Document, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument))
	if err != nil {
		return nil, fmt.Errorf("lint: %w", err)
	}
	d := new(Document)
	if err := yaml.Unmarshal(data, d); err != nil {
		return nil, fmt.Errorf("lint: %w", err)
	}
	return d, nil
}

// Contents returns the files by id.
func (d *Document) Contents() (map[string][]byte, error) {
	contents := make(map[string][]byte, len(d.Files))
	for _, f := range d.Files {
		contents[f.ID] = []byte(f.Data)
		if f.Binary {
			data, err := base64.StdEncoding.DecodeString(f.Data)
			if err != nil {
				return nil, fmt.Errorf("lint: file %q: %w", f.ID, err)
			}
			contents[f.ID] = data
		}
	}
	return contents, nil
}

// name is what places in the hook are called.
func (d *Document) name() string {
	if d.Phase == "predelivery" || d.Phase == "postdelivery" {
		return d.Phase + ":"
	}
	return "hook:"
}

// reply is the answer to a document with a mistake.
type reply struct {
	place
	Message string  `json:"message"`
	Path    []place `json:"path"`
}

// Check compiles the hook and writes the first mistake to w, if there is one, as
// an object in JSON. It reports whether the hook is fine.
func (d *Document) Check(w io.Writer, l *value.Library, files resolve.Loader) (fine bool, err error) {
	_, err = hsl.Compile(d.name(), d.Data, hsl.Options{Library: l, Loader: files})
	var mistakes hsl.Errors
	if !errors.As(err, &mistakes) {
		return err == nil, err
	}
	first := mistakes[0]
	return false, encode(w, reply{place(first.Position), first.Message, placesOf(first.Within)})
}
