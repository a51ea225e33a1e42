package sequence

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"sync"
)

// Log is a file with one line "run/entry" per acknowledged entry. Each is
// written with a system call of its own before Append returns, so that the file
// is right even when this process is killed at any moment. It is safe for
// concurrent use.
type Log struct {
	mu   sync.Mutex
	file *os.File
	line []byte
}

// OpenLog opens the log at path to append to it, and makes it if need be.
func OpenLog(path string) (*Log, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("sequence: open log: %w", err)
	}
	return &Log{file: f}, nil
}

// Append writes the entries of one acknowledged message.
func (l *Log) Append(run string, entries ...uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line = l.line[:0]
	for _, n := range entries {
		l.line = append(append(l.line, run...), '/')
		l.line = append(strconv.AppendUint(l.line, n, 10), '\n')
	}
	if _, err := l.file.Write(l.line); err != nil {
		return fmt.Errorf("sequence: write log: %w", err)
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// Acknowledged is one line of a log.
type Acknowledged struct {
	Run   string
	Entry uint64
}

// ReadLog yields the lines of a log. A last line without its end was cut short
// by a crash of the writer and is left out: the writer had not gone on yet. The
// sequence ends after the first error.
func ReadLog(r io.Reader) iter.Seq2[Acknowledged, error] {
	return func(yield func(Acknowledged, error) bool) {
		in := bufio.NewReader(r)
		for {
			line, err := in.ReadSlice('\n')
			if errors.Is(err, io.EOF) {
				return
			}
			var a Acknowledged
			if err == nil {
				a, err = parseAcknowledged(line)
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

func parseAcknowledged(line []byte) (Acknowledged, error) {
	name, number, _ := bytes.Cut(bytes.TrimSpace(line), []byte("/"))
	entry, err := parseNumber(number, 64)
	if err != nil || !ValidRun(string(name)) {
		return Acknowledged{}, fmt.Errorf("sequence: bad line %.60q in log", line)
	}
	return Acknowledged{Run: string(name), Entry: entry}, nil
}

// Comparison says what became of the acknowledged entries of a log.
type Comparison struct {
	Acknowledged uint64   `json:"acknowledged"` // lines of the log
	Lost         uint64   `json:"lost"`         // of these, not in the ledger
	First        []string `json:"first_lost"`   // the first of these, as "run/entry"; at most 20
}

// maxListed bounds Comparison.First.
const maxListed = 20

// Compare looks up every line of a log in the ledger.
func (l *Ledger) Compare(log io.Reader) (Comparison, error) {
	var c Comparison
	for a, err := range ReadLog(log) {
		if err != nil {
			return c, err
		}
		c.Acknowledged++
		if l.Has(a.Run, a.Entry) {
			continue
		}
		c.Lost++
		if len(c.First) < maxListed {
			c.First = append(c.First, a.Run+"/"+strconv.FormatUint(a.Entry, 10))
		}
	}
	return c, nil
}
