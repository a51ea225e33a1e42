package sink

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// maildir keeps each message in a file of its own, in the folder layout that
// mail readers know. Bytes stay as they came, behind a Return-Path and one
// Delivered-To field per recipient. Nothing is synced to disk: this is a test
// peer, and its 250 promises no more than that the file is there.
type maildir struct {
	dir  string
	host string
}

func openMaildir(dir string) (*maildir, error) {
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("sink: store: %w", err)
		}
	}
	return &maildir{dir: dir, host: fmt.Sprintf("%d.sink", os.Getpid())}, nil
}

// mailFile is a message that is being written.
type mailFile struct {
	file  *os.File
	final string
}

func (m *maildir) create(connection uint64, t *transaction) (*mailFile, error) {
	name := fmt.Sprintf("%d.%d.%s", time.Now().UnixNano(), connection, m.host)
	f, err := os.OpenFile(filepath.Join(m.dir, "tmp", name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("sink: store: %w", err)
	}
	w := &mailFile{file: f, final: filepath.Join(m.dir, "new", name)}
	if err := w.write(envelopeHeader(t)); err != nil {
		w.discard()
		return nil, err
	}
	return w, nil
}

func (w *mailFile) write(p []byte) error {
	if _, err := w.file.Write(p); err != nil {
		return fmt.Errorf("sink: store: %w", err)
	}
	return nil
}

// commit moves the complete file to where readers look.
func (w *mailFile) commit() error {
	err := w.file.Close()
	if err == nil {
		err = os.Rename(w.file.Name(), w.final)
	}
	if err != nil {
		w.discard()
		return fmt.Errorf("sink: store: %w", err)
	}
	return nil
}

func (w *mailFile) discard() {
	w.file.Close()
	if err := os.Remove(w.file.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return // a file left in tmp harms nobody; readers of a Maildir sweep it
	}
}

// envelopeHeader is what a stored message begins with.
func envelopeHeader(t *transaction) []byte {
	b := t.mail.From.AppendPath([]byte("Return-Path: "))
	b = append(b, "\r\n"...)
	for _, r := range t.recipients {
		b = r.To.Append(append(b, "Delivered-To: "...))
		b = append(b, "\r\n"...)
	}
	return b
}
