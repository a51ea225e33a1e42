// Package journal is the plug-in logger: log files that scripts write to.
//
// A text is appended as it is, whole or not at all. With fsync it is on disk when
// Write returns; writers who wait at the same time share one sync.
package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/posthaste-mta/posthaste/internal/plugin"
)

// Plugin holds the log files.
type Plugin struct {
	plugin.Base
	logs map[string]*log
	ids  []string
}

// settings are those of one log.
type settings struct {
	ID     string `key:"id" required:"true"`
	Path   string `key:"path" required:"true"`
	Chmod  string `key:"chmod" default:"0640"`
	Header string `key:"header"`
	Fsync  bool   `key:"fsync" default:"true"`
}

// ErrUnknown is for a log that the settings do not have.
var ErrUnknown = errors.New("no such log")

// New makes the plug-in from its startup settings.
func New(s plugin.Settings) (*Plugin, error) {
	var given struct {
		Logs []settings `key:"logs"`
	}
	if err := s.Decode(&given); err != nil {
		return nil, err
	}
	p := &Plugin{logs: map[string]*log{}}
	for i, one := range given.Logs {
		mode, err := strconv.ParseUint(one.Chmod, 8, 9)
		switch {
		case p.logs[one.ID] != nil:
			return nil, fmt.Errorf("logs[%d].id: there are two logs %q", i, one.ID)
		case err != nil:
			return nil, fmt.Errorf("logs[%d].chmod: want octal digits such as 0640, got %q", i, one.Chmod)
		}
		p.logs[one.ID] = &log{settings: one, mode: fs.FileMode(mode)}
		p.ids = append(p.ids, one.ID)
	}
	return p, nil
}

// Start implements plugin.Plugin: it opens all files, making those that do not
// exist.
func (p *Plugin) Start(context.Context) error { return p.Reopen() }

// Reopen implements plugin.Plugin. A file that cannot be opened stays what it was.
func (p *Plugin) Reopen() error {
	var errs []error
	for _, id := range p.ids {
		errs = append(errs, p.logs[id].open())
	}
	return errors.Join(errs...)
}

// Close implements plugin.Plugin.
func (p *Plugin) Close(context.Context) error {
	var errs []error
	for _, id := range p.ids {
		errs = append(errs, p.logs[id].close())
	}
	return errors.Join(errs...)
}

// Command implements plugin.Plugin: "reopen ID", also written "reopen:ID".
func (p *Plugin) Command(_ context.Context, args []string) (string, error) {
	args = plugin.Words(args)
	if len(args) != 2 || args[0] != "reopen" {
		return "", plugin.Usage(args, "reopen ID")
	}
	l, err := p.get(args[1])
	if err != nil {
		return "", err
	}
	return "OK", l.open()
}

// Write appends a text to the log of that id. It is safe for concurrent use.
func (p *Plugin) Write(id, text string) error {
	l, err := p.get(id)
	if err != nil {
		return err
	}
	return l.write(text)
}

func (p *Plugin) get(id string) (*log, error) {
	l := p.logs[id]
	if l == nil {
		return nil, fmt.Errorf("%w: %q; there are %s", ErrUnknown, id, strings.Join(slices.Sorted(slices.Values(p.ids)), ", "))
	}
	return l, nil
}

// log is one file. Locks are taken in the order syncing, mu.
type log struct {
	settings
	mode fs.FileMode

	mu      sync.Mutex
	file    *os.File // nil: not open
	written int64    // texts so far

	syncing sync.Mutex
	synced  int64 // of the texts written, how many are on disk
}

var errClosed = errors.New("the log is not open")

func (l *log) open() error {
	f, err := os.OpenFile(l.Path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, l.mode)
	if err != nil {
		return fmt.Errorf("log %q: %w", l.ID, err)
	}
	if err := l.begin(f); err != nil {
		f.Close()
		return fmt.Errorf("log %q: %w", l.ID, err)
	}
	l.syncing.Lock() // whoever syncs has the file that he wrote to
	defer l.syncing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		l.file = f
		return nil
	}
	err = l.leaveLocked()
	l.file = f
	return err
}

// begin writes the header of a new file.
func (l *log) begin(f *os.File) error {
	info, err := f.Stat()
	if err != nil || info.Size() > 0 {
		return err
	}
	if err := f.Chmod(l.mode); err != nil { // what the umask took away
		return err
	}
	_, err = f.WriteString(l.Header)
	return err
}

// leaveLocked lets go of the file.
func (l *log) leaveLocked() error {
	var err error
	if l.Fsync && l.synced < l.written {
		err = l.file.Sync()
	}
	l.synced = l.written
	return errors.Join(err, l.file.Close())
}

func (l *log) close() error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.leaveLocked()
	l.file = nil
	return err
}

func (l *log) write(text string) error {
	place, err := l.append(text)
	if err == nil && l.Fsync {
		err = l.sync(place)
	}
	if err != nil {
		return fmt.Errorf("log %q: %w", l.ID, err)
	}
	return nil
}

// append writes a text whole, or takes back the part that was written. It
// returns its number.
func (l *log) append(text string) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return 0, errClosed
	}
	n, err := l.file.WriteString(text)
	if err != nil {
		if info, failed := l.file.Stat(); failed == nil && n > 0 {
			err = errors.Join(err, l.file.Truncate(info.Size()-int64(n)))
		}
		return 0, err
	}
	l.written++
	return l.written, nil
}

// sync returns when the text of that number is on disk. Those who wait for their
// turn find that the one before them did their work.
func (l *log) sync(place int64) error {
	l.syncing.Lock()
	defer l.syncing.Unlock()
	if l.synced >= place {
		return nil
	}
	l.mu.Lock()
	f, upTo := l.file, l.written
	l.mu.Unlock()
	if f == nil {
		return errClosed
	}
	if err := f.Sync(); err != nil {
		return err
	}
	l.synced = upTo
	return nil
}
