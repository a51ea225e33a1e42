package shell

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// History is the lines typed before, the newest first. It implements the
// History of golang.org/x/term.
type History struct {
	lines []string // oldest first
	file  *os.File // that lines are added to; nil when they are not kept
}

// historyLength is how many lines are kept.
const historyLength = 1000

// OpenHistory reads the history kept at path, and keeps there what is added. With
// an empty path it keeps nothing. Lines may hold secrets: only the user can read
// the file.
func OpenHistory(path string) (*History, error) {
	h := &History{}
	if path == "" {
		return h, nil
	}
	if err := h.read(path); err != nil {
		return h, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return h, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		h.file = file
	}
	return h, err
}

// read takes the newest lines of the file, and shortens it when it has grown to
// twice of what is kept.
func (h *History) read(path string) error {
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		h.lines = append(h.lines, lines.Text())
	}
	if n := len(h.lines); n > historyLength {
		h.lines = h.lines[n-historyLength:]
		if n > 2*historyLength {
			return os.WriteFile(path, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
		}
	}
	return nil
}

// Add takes a line, unless it is empty or the same as the last.
func (h *History) Add(line string) {
	if strings.TrimSpace(line) == "" || len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if len(h.lines) > historyLength {
		h.lines = h.lines[1:]
	}
	if h.file != nil {
		_, _ = h.file.WriteString(line + "\n") // a session works without its history
	}
}

// Len returns how many lines there are.
func (h *History) Len() int { return len(h.lines) }

// At returns line i, from 0, which is the newest.
func (h *History) At(i int) string { return h.lines[len(h.lines)-1-i] }

// Close stops keeping lines.
func (h *History) Close() error {
	if h.file == nil {
		return nil
	}
	return h.file.Close()
}
