package source

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// content is the unchanging part of a message, ready for the wire. It is shared
// by all sessions; each message gets a head of its own in front of it.
type content struct {
	plain     []byte // for BDAT
	dotted    []byte // for DATA: dots doubled, with the final dot
	eightBit  bool
	generated bool // the head must hold From, To and Message-ID as well
}

const finalDot = ".\r\n"

// newContent prepares message text. Line ends become CRLF.
func newContent(text []byte) *content {
	text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\r\n")) {
		text = append(text, "\r\n"...)
	}
	dotted := text
	if bytes.HasPrefix(dotted, []byte(".")) {
		dotted = slices.Concat([]byte("."), dotted)
	}
	dotted = bytes.ReplaceAll(dotted, []byte("\n."), []byte("\n.."))
	c := &content{plain: text, dotted: slices.Concat(dotted, []byte(finalDot))}
	if len(dotted) == len(text) {
		c.plain = c.dotted[:len(dotted)] // nothing was doubled: keep one copy
	}
	c.eightBit = bytes.ContainsFunc(text, func(r rune) bool { return r >= 0x80 })
	return c
}

// headRoom is what a generated head takes of the size of a message, about.
const headRoom = 200

// generate makes a message of about size bytes with its head.
func generate(size int, date time.Time) *content {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Date: %s\r\nSubject: load\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", date.Format(time.RFC1123Z))
	const line = "The quick brown fox jumps over the lazy dog, and the dog sleeps on quietly.\r\n"
	for room := size - headRoom - b.Len(); room > 0; room -= len(line) {
		if room < len(line) {
			b.WriteString(line[len(line)-max(room, 2):])
			break
		}
		b.WriteString(line)
	}
	c := newContent(b.Bytes())
	c.generated = true
	return c
}

// loadContents reads each of the files, and each regular file of the folders
// among them.
func loadContents(paths []string) ([]*content, error) {
	var all []*content
	for _, path := range paths {
		files, err := filesIn(path)
		if err != nil {
			return nil, fmt.Errorf("source: %w", err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("source: %w", err)
			}
			all = append(all, newContent(text))
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("source: no message files in %s", paths[0])
	}
	return all, nil
}

// filesIn returns path, or the regular files in it if it is a folder.
func filesIn(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if e.Type().IsRegular() {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	return files, nil
}
