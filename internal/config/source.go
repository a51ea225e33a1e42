package config

import (
	"fmt"
	"os"
)

// Source is content that a file names by path or holds itself: exactly one of
// `path` and `data`. The zero Source means that neither was given.
type Source struct {
	Path string `yaml:"path"` // a file, read whenever Read is called
	Data string `yaml:"data"` // the content itself
}

// IsZero reports whether nothing was given.
func (s Source) IsZero() bool { return s == Source{} }

// Read returns the content. Errors name the file.
func (s Source) Read() ([]byte, error) {
	if s.Path == "" {
		return []byte(s.Data), nil
	}
	data, err := os.ReadFile(s.Path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return data, nil
}

// String names the source without giving away its content, which may be a
// private key.
func (s Source) String() string {
	if s.Path == "" && s.Data != "" {
		return "(inline)"
	}
	return s.Path
}
