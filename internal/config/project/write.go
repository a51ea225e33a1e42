package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// writeAll writes files, which all lie in or beneath dir, so that either all of
// them are there afterwards or none has changed. They are first written and
// synced under dir/.new-*, which is on the same file system, and then renamed.
// A rename that fails takes back those before it.
func writeAll(dir string, files map[string][]byte) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	stage, err := os.MkdirTemp(dir, ".new-")
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	defer os.RemoveAll(stage) // what matters has been renamed
	s := swap{stage: stage}
	for path, data := range files {
		if err := s.add(path, data); err != nil {
			return fmt.Errorf("config: %w", err)
		}
	}
	if err := s.commit(); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	return nil
}

// swap replaces several files together.
type swap struct {
	stage string
	moves []move
}

// move is one file: where it is staged, where it goes, and where its
// predecessor is kept meanwhile.
type move struct{ staged, path, old string }

func (s *swap) add(path string, data []byte) error {
	name := fmt.Sprint(len(s.moves))
	m := move{filepath.Join(s.stage, "new"+name), path, filepath.Join(s.stage, "old"+name)}
	s.moves = append(s.moves, m)
	f, err := os.OpenFile(m.staged, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func (s *swap) commit() error {
	for i, m := range s.moves {
		if err := m.apply(); err != nil {
			for _, done := range s.moves[:i] {
				done.revert()
			}
			return err
		}
	}
	return nil
}

func (m move) apply() error {
	if err := os.MkdirAll(filepath.Dir(m.path), 0o755); err != nil {
		return err
	}
	if err := os.Link(m.path, m.old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Rename(m.staged, m.path)
}

// revert puts the predecessor back. There is nothing left to do about an error.
func (m move) revert() {
	if os.Rename(m.old, m.path) != nil {
		os.Remove(m.path)
	}
}
